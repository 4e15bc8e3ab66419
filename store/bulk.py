"""Set-based writes: the rows of a batch go over as one JSON document and come apart in PostgreSQL, so that a batch costs
one round trip per table. COPY would be faster still but is refused on tables with row-level security.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection


class _Ids:
    """UUIDv7s of one process, each greater than the one before, also within a millisecond (RFC 9562 §6.2, method 3
    with a fraction of twelve bits).
    """

    def __init__(self) -> None:
        self._newest = 0
        self._lock = threading.Lock()

    def next(self) -> uuid.UUID:
        with self._lock:
            self._newest = max(self._newest + 1, time.time_ns() * 4096 // 1_000_000)
            stamp = self._newest
        milliseconds, fraction = stamp >> 12 & ((1 << 48) - 1), stamp & 0xFFF
        chance = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
        return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | chance)


_ids = _Ids()


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562 §5.7): children are linked to their parents before either is inserted.

    Later calls give greater ids: mails are ingested in the order of their ledger ids, and that must be the order in
    which the folder shows them.
    """
    return _ids.next()


def id_floor(seconds_ago: float) -> uuid.UUID:
    """The least UUIDv7 that could have been made that long ago: bounds a range scan over a primary key by time."""
    milliseconds = max(0, int((time.time() - seconds_ago) * 1000))
    return uuid.UUID(int=(milliseconds & ((1 << 48) - 1)) << 80)


def rows_of(columns: Mapping[str, str]) -> str:
    """`select … from json_to_recordset(:rows)`; `columns` maps names to PostgreSQL types."""
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"select {', '.join(columns)} from json_to_recordset(cast(:rows as json)) as r({typed})"


def insertion(table: str, columns: Mapping[str, str], suffix: str = "") -> TextClause:
    """`insert into table (tenant_id, columns) …` from bound rows; `:tenant` is the tenant of every row."""
    names = ", ".join(columns)
    return text(
        f"insert into {table} (tenant_id, {names}) select :tenant, v.* from ({rows_of(columns)}) as v {suffix}"
    )


def bound(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The document for `rows_of` and `insertion`. A column that a row lacks is null. Raises TypeError for a value that JSON has
    no form for; UUIDs and aware instants have one (RFC 9562 §4, RFC 3339).
    """
    return {"rows": orjson.dumps(rows).decode()}


async def insert_rows(
    connection: AsyncConnection,
    statement: TextClause,
    tenant_id: uuid.UUID,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Run an `insertion` over `rows`; nothing for none."""
    if rows:
        await connection.execute(statement, {"tenant": tenant_id, **bound(rows)})


def array_text(values: Iterable[str]) -> str:
    """A PostgreSQL array literal of texts. For arrays of arrays, which would have to be rectangular, and for long ones that are
    read as rows: the driver dumps a list element by element in Python. As a condition it would be read again for each row.
    """
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"
