"""The declarative base, the column shorthands and the one way in which a tenant's table is declared."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which orders the event log by transaction (never wraps, unlike xid)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class TsVector(UserDefinedType[str]):
    """PostgreSQL's tsvector: the searchable form of a text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tsvector"


class Base(DeclarativeBase):
    """All tables. Times are timestamptz, text is text, ids are UUIDv7 made by the server."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads this class attribute
        dt.datetime: DateTime(timezone=True),
        str: Text(),
        int: BigInteger(),  # UIDs are unsigned 32 bit, mod-sequences 63 bit, sizes may pass 2 GB
        uuid.UUID: Uuid(),
    }


Id = Annotated[uuid.UUID, mapped_column(primary_key=True, server_default=text("uuidv7()"))]
CreatedAt = Annotated[dt.datetime, mapped_column(server_default=func.now())]


class TenantRow:
    """A row that belongs to one tenant: `(tenant_id, id)` is the primary key, so that children can only reference
    rows of their own tenant (integrity X-44: foreign keys bypass row-level security).
    """

    tenant_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )


class ChildRow:
    """A `TenantRow` whose parent in its tenant is never null: the key to the parent proves the tenant and goes with it. For the
    rows that every mail brings, each of which would check a second key (measured: a tenth of PostgreSQL's time to ingest).
    """

    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


def own(parent: str, column: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A composite foreign key to a row of the same tenant. `SET NULL` clears only the referencing column."""
    action = f"SET NULL ({column})" if ondelete == "SET NULL" else ondelete
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{parent}.tenant_id", f"{parent}.id"], ondelete=action
    )


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """A CHECK that the column holds one of the enum's words."""
    words = ", ".join(f"'{v.value}'" for v in values)
    return CheckConstraint(f"{column} in ({words})", name=column)
