#!/bin/sh
# Runs once, when PostgreSQL's data directory is made: the role that Mailroom connects as owns nothing.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$APP_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role mailroom_app login noinherit nosuperuser nobypassrls password :'password';
create role mailroom_system nologin noinherit nosuperuser nobypassrls;
SQL
