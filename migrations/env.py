"""Runs migrations as the owner of the schema, each with a lock and a statement timeout.

A migration that cannot get its lock in five seconds gives up instead of queueing every reader behind it; run it again.
Twice in a row is harmless: a version that stands is not repeated.
"""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import create_engine, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.engine import Connection

from models import Base
from models.base import TsVector, Xid8
from settings import SettingsError, load_settings

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"

ischema_names["xid8"] = Xid8  # the dialect knows tsvector but not xid8


def _url() -> str:
    """The owner's URL: given by the caller (tests, the stack) or by the settings."""
    given = context.config.attributes.get("url")
    if given:
        return str(given)
    url = load_settings().database_admin_url
    if not url:
        raise SettingsError(
            "MAILROOM_DATABASE_ADMIN_URL is not set: migrations need the owner's database URL, see docs/settings.md"
        )
    return url


def _include(name: str | None, kind: str, parents: object) -> bool:
    """Leave the monthly partitions of `events` out of comparisons: they are made by a function, not by a model."""
    del parents
    return not (kind == "table" and name is not None and name.startswith("events_"))


def _render(kind: str, obj: object, _context: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(obj, Xid8 | TsVector):
        _context.imports.add(f"from models.base import {type(obj).__name__}")
        return f"{type(obj).__name__}()"
    return False


def _run(connection: Connection) -> None:
    connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"set statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=_include,
        render_item=_render,
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_given = context.config.attributes.get("connection")
if _given is not None:
    _run(_given)
else:
    _engine = create_engine(_url(), poolclass=pool.NullPool)
    with _engine.connect() as _connection:
        _run(_connection)
    _engine.dispose()
