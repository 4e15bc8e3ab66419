"""Fresh migrated databases for tests: one template per session, cloned by `CREATE DATABASE … TEMPLATE`."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql

from stack.database import APP_ROLE

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "mailroom_template"
_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """The session's PostgreSQL. `admin_url` is SQLAlchemy's form, `admin_dsn` psycopg's, both of the superuser."""

    address: str
    admin_password: str
    app_password: str

    def admin_dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{self.admin_password}@{self.address}/{database}"

    def app_dsn(self, database: str) -> str:
        return f"postgresql://{APP_ROLE}:{self.app_password}@{self.address}/{database}"

    @property
    def admin_url(self) -> str:
        return sqlalchemy_url(self.admin_dsn())

    def execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_dsn(), autocommit=True) as connection:
            connection.execute(statement)

    def rename(self, old: str, new: str) -> None:
        self.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))

    def create(self, template: str | None = None) -> "Database":
        """A new database, empty or a clone of `template` (to which nobody may be connected)."""
        name = f"test_{os.getpid()}_{next(_counter)}"
        source = sql.SQL("") if template is None else sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + source)
        return Database(name, self)

    def drop(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass(frozen=True, slots=True)
class Database:
    """One test's own database. `url` is the application's role, `admin_url` the superuser (SQLAlchemy's form);
    `dsn` and `admin_dsn` are the same for psycopg."""

    name: str
    server: PostgresServer

    @property
    def url(self) -> str:
        return sqlalchemy_url(self.dsn)

    @property
    def admin_url(self) -> str:
        return sqlalchemy_url(self.admin_dsn)

    @property
    def dsn(self) -> str:
        return self.server.app_dsn(self.name)

    @property
    def admin_dsn(self) -> str:
        return self.server.admin_dsn(self.name)


def sqlalchemy_url(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+psycopg://", 1)


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`, in a thread of its own so that they may run an event loop."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.attributes["url"] = url
    with ThreadPoolExecutor(1) as thread:
        thread.submit(command.upgrade, config, revision).result()
