"""Which messages a re-ingest is about: conditions that may be combined, how many they meet, and their pages.

A unit is a ledger row that became a message (or the card of one that could not be read) and whose whole bytes are in the
bucket. Copies of what we sent ourselves are none: their message is not made from the mail.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import FolderRole
from store.incoming import PARSER_VERSION
from store.ledger import PendingMail

MOST_IDS = 500

# `too_large`: only the headers were fetched, so there is nothing to read again; `retry` fetches it.
FROM = """
    from ledger l
    join messages m on m.tenant_id = l.tenant_id and m.id = l.message_id
    join inboxes i on i.tenant_id = l.tenant_id and i.id = l.inbox_id
    left join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
    left join quarantine q on q.tenant_id = l.tenant_id and q.ledger_id = l.id and q.resolved_at is null
    where l.tenant_id = :tenant and l.state in ('ingested', 'quarantined') and l.raw_key is not null
      and l.reason is distinct from 'too_large' and i.deleted_at is null
      and (l.state = 'ingested' or q.id is not null)
"""
CONDITIONS = {
    "inbox_ids": "l.inbox_id = any(cast(:inbox_ids as uuid[]))",
    "folder_ids": "l.folder_id = any(cast(:folder_ids as uuid[]))",
    "since": "m.received_at >= cast(:since as timestamptz)",
    "until": "m.received_at < cast(:until as timestamptz)",
    "classifications": "l.classification = any(cast(:classifications as text[]))",
    "quarantine_reasons": "q.reason = any(cast(:quarantine_reasons as text[]))",
    "message_ids": "m.id = any(cast(:message_ids as uuid[]))",
}
FLAGS = {
    "older_parser": "coalesce(m.parser_version, 0) < :parser",
    "has_defects": "cardinality(m.defects) > 0",
}
COLUMNS = """
    l.id, l.folder_id, l.uid, l.raw_key, l.raw_offset, l.raw_length, l.raw_sha256, l.internal_date, l.flags,
    l.historical, l.attempts, l.message_id, l.reason, f.role, l.inbox_id
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions given must hold; empty ones ask nothing. Without any, `everything` must be said."""

    inbox_ids: tuple[uuid.UUID, ...] = ()
    folder_ids: tuple[uuid.UUID, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    classifications: tuple[str, ...] = ()
    quarantine_reasons: tuple[str, ...] = ()
    message_ids: tuple[uuid.UUID, ...] = ()
    older_parser: bool = False
    has_defects: bool = False
    everything: bool = False

    @property
    def bounded(self) -> bool:
        """Whether anything narrows it down."""
        return any(getattr(self, name) for name in (*CONDITIONS, *FLAGS))

    def as_json(self) -> dict[str, Any]:
        """What is given, as it is kept with the run."""
        kept: dict[str, Any] = {}
        for name in (*CONDITIONS, *FLAGS, "everything"):
            value = getattr(self, name)
            if value:
                kept[name] = [str(v) for v in value] if isinstance(value, tuple) else value
                if isinstance(value, dt.datetime):
                    kept[name] = value.isoformat()
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Selection":
        """The way back of `as_json`."""
        given = dict(kept)
        for name in ("inbox_ids", "folder_ids", "message_ids"):
            given[name] = tuple(uuid.UUID(v) for v in given.get(name, ()))
        for name in ("classifications", "quarantine_reasons"):
            given[name] = tuple(given.get(name, ()))
        for name in ("since", "until"):
            given[name] = dt.datetime.fromisoformat(given[name]) if name in given else None
        return cls(**given)

    def where(self) -> str:
        given = [sql for name, sql in CONDITIONS.items() if getattr(self, name)]
        return " ".join(f"and {sql}" for sql in given + [s for n, s in FLAGS.items() if getattr(self, n)])

    def bound(self, tenant_id: uuid.UUID) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in CONDITIONS}
        given = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if v}
        return {"tenant": tenant_id, **({"parser": PARSER_VERSION} if self.older_parser else {}), **given}


@dataclass(frozen=True, slots=True)
class Selected:
    """How much a selection meets now; `newest` is its last ledger id, None for nothing."""

    messages: int
    size_bytes: int
    quarantined: int
    newest: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Unit:
    """One mail to be read again: where its bytes lie, and the message that it became."""

    pending: PendingMail
    inbox_id: uuid.UUID

    @property
    def message_id(self) -> uuid.UUID:
        if self.pending.message_id is None:  # the join sees to it
            raise ValueError("a unit has a message")
        return self.pending.message_id

    @property
    def from_sent(self) -> bool:
        return self.pending.role == FolderRole.SENT


async def count_selected(
    connection: AsyncConnection, tenant_id: uuid.UUID, selection: Selection
) -> Selected:
    """One scan of the tenant's ledger at most."""
    statement = text(
        "select count(*) as messages, coalesce(sum(l.raw_length), 0)::bigint as size_bytes, count(q.id) as quarantined, "
        f"(array_agg(l.id order by l.id desc))[1] as newest {FROM} {selection.where()}"
    )
    row = (await connection.execute(statement, selection.bound(tenant_id))).one()
    return Selected(row.messages, row.size_bytes, row.quarantined, row.newest)


async def select_page(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    selection: Selection,
    *,
    after: uuid.UUID | None,
    newest: uuid.UUID,
    limit: int,
) -> list[Unit]:
    """The next units behind `after`, up to `newest`, in the order of their ledger ids: a keyset page."""
    statement = text(
        f"select {COLUMNS} {FROM} {selection.where()} and l.id > :after and l.id <= :newest order by l.id limit :limit"
    )
    bound = selection.bound(tenant_id)
    rows = await connection.execute(
        statement, {**bound, "after": after or uuid.UUID(int=0), "newest": newest, "limit": limit}
    )
    return [_unit(dict(row)) for row in rows.mappings()]


async def units_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, ledger_ids: list[uuid.UUID]
) -> dict[uuid.UUID, Unit]:
    """These units, as far as they are still there, by ledger id."""
    statement = text(f"select {COLUMNS} {FROM} and l.id = any(cast(:ids as uuid[]))")
    rows = await connection.execute(statement, {"tenant": tenant_id, "ids": ledger_ids})
    return {row["id"]: _unit(dict(row)) for row in rows.mappings()}


def _unit(given: dict[str, Any]) -> Unit:
    inbox_id = given.pop("inbox_id")
    return Unit(PendingMail(**given), inbox_id)
