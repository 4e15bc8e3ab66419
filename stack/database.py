"""The database `mailroom` and its roles: the application connects as `mailroom_app`, which owns nothing.

Migrations run as the superuser and make the tables; `mailroom_system` is the role that the application takes on, with
`SET ROLE`, for its few cross-tenant jobs. Every statement may run at every start.
"""

import psycopg
from psycopg import sql

DATABASE = "mailroom"
APP_ROLE = "mailroom_app"
SYSTEM_ROLE = "mailroom_system"


async def ensure_roles(admin_url: str, app_password: str) -> None:
    """Make the two roles if missing and set the application's password, sent as a SCRAM verifier."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", ([APP_ROLE, SYSTEM_ROLE],)
        )
        existing = {str(row[0]) for row in await cursor.fetchall()}
        app, system = sql.Identifier(APP_ROLE), sql.Identifier(SYSTEM_ROLE)
        if APP_ROLE not in existing:
            await connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT").format(app))
        if SYSTEM_ROLE not in existing:
            await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(system))
        verifier = connection.pgconn.encrypt_password(
            app_password.encode(), APP_ROLE.encode(), b"scram-sha-256"
        ).decode()
        await connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                app, sql.Literal(verifier)
            )
        )
        await connection.execute(sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(system, app))


async def ensure_database(admin_url: str, name: str = DATABASE) -> None:
    """Make the database if missing. `admin_url` names any other database of the server."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if await cursor.fetchone() is None:
            await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
