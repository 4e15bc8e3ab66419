"""The ledger: one row for each mail that a folder ever showed us, its raw bytes and its fate (integrity I-2, I-4).

Rows are written with the folder's cursor in one transaction, after the raw bytes are in the bucket; parsing comes later.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import LedgerState
from store.bulk import bound, new_id, rows_of
from store.tombstones import leave_out_the_removed

__all__ = [
    "KnownRaw",
    "LedgerRow",
    "LedgerState",
    "PendingMail",
    "Place",
    "Written",
    "WrittenRows",
    "asked_again",
    "claim",
    "count_attempt",
    "count_pending",
    "identities_of",
    "known_uids",
    "quarantine_and_count",
    "rematched",
    "see_again",
    "write_rows",
]

COLUMNS = {
    "id": "uuid",
    "uid": "bigint",
    "raw_sha256": "text",
    "raw_key": "text",
    "raw_offset": "bigint",
    "raw_length": "bigint",
    "internal_date": "timestamptz",
    "flags": "text[]",
    "historical": "boolean",
    "state": "text",
    "reason": "text",
    "message_id": "uuid",
}
# `seen` rows are those that a person asked to fetch again: only they may be filled by a second insert.
INSERT = text(
    f"""
    insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, fetch_run, {", ".join(COLUMNS)})
    select :tenant, :inbox, :folder, :uidvalidity, :run, v.* from ({rows_of(COLUMNS)}) as v
    on conflict (tenant_id, inbox_id, folder_id, uidvalidity, uid) do update set
      raw_sha256 = excluded.raw_sha256, raw_key = excluded.raw_key, raw_offset = excluded.raw_offset,
      raw_length = excluded.raw_length, flags = excluded.flags, state = excluded.state, reason = excluded.reason,
      internal_date = coalesce(excluded.internal_date, ledger.internal_date),
      historical = ledger.historical or excluded.historical, message_id = coalesce(excluded.message_id, ledger.message_id),
      fetch_run = excluded.fetch_run, updated_at = now()
    where ledger.state = 'seen'
    returning id, state, reason
    """
)
QUARANTINE = text(
    """
    insert into quarantine (tenant_id, ledger_id, reason)
    select :tenant, v.* from unnest(cast(:ids as uuid[]), cast(:reasons as text[])) as v
    on conflict (tenant_id, ledger_id) do update set reason = excluded.reason, last_at = now(), resolved_at = null,
      resolution = null
    """
)
KNOWN_UIDS = text(
    """
    select uid from ledger where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder
      and uidvalidity = :uidvalidity and uid between :first and :last
    """
)
IDENTITIES_OF = text(
    """
    select uid, internal_date, case when reason = 'too_large' then 0 else raw_length end as size from ledger where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder
      and uidvalidity = :uidvalidity and uid = any(cast(:uids as bigint[])) and internal_date is not null
    """
)
ASKED_AGAIN = text(
    """
    select uid from ledger where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder
      and uidvalidity = :uidvalidity and state = 'seen' order by uid limit :limit
    """
)
SEE_AGAIN = text(
    """
    update ledger set state = 'seen', updated_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
      and uid = any(cast(:uids as bigint[])) and state = 'vanished'
    """
)
# The oldest row of a content is the one that became the message; void identities of the same folder only.
REMATCH = text(
    """
    select distinct on (raw_sha256) raw_sha256, raw_key, raw_offset, raw_length, message_id, historical
    from ledger
    where tenant_id = :tenant and inbox_id = :inbox and raw_sha256 = any(cast(:hashes as text[]))
      and folder_id = :folder and uidvalidity <> :uidvalidity and message_id is not null
      and state in ('ingested', 'skipped', 'quarantined')
    order by raw_sha256, id
    """
)
# A folder's history belongs to its backfill as long as that is under way; what it leaves behind is the live lane's. Mail that
# has no UID comes without a backfill of its own.
LANE = """
    case when :historical then l.historical and l.folder_id = :folder
         else not l.historical or l.uid is null or coalesce(f.backfill_state, 'none') not in ('waiting', 'running', 'paused') end
"""
# Fresh rows first, in bulk, and live ones before history; a row that did not come through before waits behind them and goes in small company, at
# last alone, so that it can only stop itself.
CLAIM = text(
    f"""
    with pending as (
      select l.id, l.folder_id, l.uid, l.raw_key, l.raw_offset, l.raw_length, l.raw_sha256, l.internal_date, l.flags,
             l.historical, l.attempts, l.message_id, l.reason, f.role
      from ledger l left join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
      where l.tenant_id = :tenant and l.inbox_id = :inbox and l.state = 'stored' and {LANE}
        and not (l.id = any(cast(:but as uuid[])))
      order by l.attempts, l.historical, l.id limit :limit
    )
    select * from pending where attempts = (select min(attempts) from pending) order by id
    """
)
COUNT = text(
    f"""
    select count(*) from (
      select 1 from ledger l left join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
      where l.tenant_id = :tenant and l.inbox_id = :inbox and l.state = 'stored' and {LANE} limit :limit) pending
    """
)
ATTEMPT = text(
    """
    update ledger set attempts = greatest(0, attempts + :step), updated_at = now()
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and state = 'stored'
    """
)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One mail to be written. `reason` tells why a row is quarantined, skipped or vanished."""

    uid: int
    state: LedgerState
    raw_sha256: str | None = None
    raw_key: str | None = None
    raw_offset: int = 0
    raw_length: int = 0
    internal_date: dt.datetime | None = None
    flags: tuple[str, ...] = ()
    historical: bool = False
    reason: str | None = None
    message_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class KnownRaw:
    """Where the bytes of a content already lie, and the message they became."""

    raw_key: str
    raw_offset: int
    raw_length: int
    message_id: uuid.UUID
    historical: bool


@dataclass(frozen=True, slots=True)
class PendingMail:
    """A stored mail that waits to be read. `role` is its folder's; `message_id` a placeholder that it will replace."""

    id: uuid.UUID
    folder_id: uuid.UUID | None
    uid: int | None
    raw_key: str
    raw_offset: int
    raw_length: int
    raw_sha256: str | None
    internal_date: dt.datetime | None
    flags: list[str]
    historical: bool
    attempts: int
    message_id: uuid.UUID | None
    reason: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """How many rows of a batch were new, by state."""

    stored: int = 0
    quarantined: int = 0
    vanished: int = 0
    skipped: int = 0

    def __add__(self, other: "WrittenRows") -> "WrittenRows":
        return WrittenRows(
            self.stored + other.stored,
            self.quarantined + other.quarantined,
            self.vanished + other.vanished,
            self.skipped + other.skipped,
        )


class Written(NamedTuple):
    """A row as the database tells that it was written, by `returning id, state, reason`."""

    id: uuid.UUID
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The folder, in one UIDVALIDITY, whose UIDs a batch speaks of."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    folder_id: uuid.UUID
    uidvalidity: int

    def bound(self) -> dict[str, object]:
        return {
            "tenant": self.tenant_id,
            "inbox": self.inbox_id,
            "folder": self.folder_id,
            "uidvalidity": self.uidvalidity,
        }


async def write_rows(
    connection: AsyncConnection, place: Place, rows: Sequence[LedgerRow], *, run: str | None = None
) -> WrittenRows:
    """Write a batch. Rows that exist stay as they are, so a repeat counts nothing; broken mails enter quarantine."""
    if not rows:
        return WrittenRows()
    records = [
        {
            "id": new_id(),
            "uid": r.uid,
            "raw_sha256": r.raw_sha256,
            "raw_key": r.raw_key,
            "raw_offset": r.raw_offset,
            "raw_length": r.raw_length,
            "internal_date": r.internal_date,
            "flags": r.flags,
            "historical": r.historical,
            "state": r.state.value,
            "reason": r.reason,
            "message_id": r.message_id,
        }
        for r in rows
    ]
    await leave_out_the_removed(connection, place.tenant_id, place.folder_id, records)
    answer = await connection.execute(INSERT, {**place.bound(), "run": run, **bound(records)})
    return await quarantine_and_count(connection, place.tenant_id, [Written(*row) for row in answer])


async def quarantine_and_count(
    connection: AsyncConnection, tenant_id: uuid.UUID, written: Sequence[Written]
) -> WrittenRows:
    """Put the broken ones of a batch into quarantine, in its transaction, and count all by state."""
    broken = [row for row in written if row.state == LedgerState.QUARANTINED]
    if broken:
        await connection.execute(
            QUARANTINE,
            {
                "tenant": tenant_id,
                "ids": [row.id for row in broken],
                "reasons": [row.reason or "unknown" for row in broken],
            },
        )
    count = Counter(row.state for row in written)
    return WrittenRows(
        stored=count[LedgerState.STORED],
        quarantined=len(broken),
        vanished=count[LedgerState.VANISHED],
        skipped=count[LedgerState.SKIPPED],
    )


async def known_uids(connection: AsyncConnection, place: Place, first: int, last: int) -> set[int]:
    """The UIDs between `first` and `last` that have a row."""
    answer = await connection.execute(KNOWN_UIDS, {**place.bound(), "first": first, "last": last})
    return set(answer.scalars())


async def identities_of(
    connection: AsyncConnection, place: Place, uids: Sequence[int]
) -> Mapping[int, tuple[dt.datetime, int]]:
    """Internal date and size (0: not known) of those of `uids` that have a row with a date."""
    answer = await connection.execute(IDENTITIES_OF, {**place.bound(), "uids": list(uids)})
    return {row.uid: (row.internal_date, row.size) for row in answer}


async def asked_again(connection: AsyncConnection, place: Place, limit: int = 200) -> list[int]:
    """UIDs that a person asked to fetch once more."""
    return list((await connection.execute(ASKED_AGAIN, {**place.bound(), "limit": limit})).scalars())


async def see_again(connection: AsyncConnection, place: Place, uids: Sequence[int]) -> None:
    """The server denied these mails once and has them after all: their rows may be filled, by `write_rows` right after."""
    if uids:
        await connection.execute(SEE_AGAIN, {**place.bound(), "uids": list(uids)})


async def rematched(
    connection: AsyncConnection, place: Place, hashes: Iterable[str]
) -> Mapping[str, KnownRaw]:
    """Which of these contents the folder had before its UIDVALIDITY changed, by sha256 (integrity I-7)."""
    answer = await connection.execute(REMATCH, {**place.bound(), "hashes": list(hashes)})
    return {
        row.raw_sha256: KnownRaw(
            row.raw_key, row.raw_offset, row.raw_length, row.message_id, historical=row.historical
        )
        for row in answer
        if row.raw_key is not None
    }


async def claim(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    historical: bool,
    folder_id: uuid.UUID | None = None,
    limit: int = 200,
    but: Sequence[uuid.UUID] = (),
) -> list[PendingMail]:
    """The next stored mails (`but` those that are in work already), all with the same number of earlier attempts: many fresh ones, few that failed once,
    one that failed twice.
    """
    answer = await connection.execute(
        CLAIM,
        {
            "tenant": tenant_id,
            "inbox": inbox_id,
            "historical": historical,
            "folder": folder_id,
            "limit": limit,
            "but": list(but),
        },
    )
    rows = [PendingMail(**row) for row in answer.mappings()]
    if not rows or rows[0].attempts == 0:
        return rows
    return rows[: 8 if rows[0].attempts == 1 else 1]


async def count_pending(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    historical: bool,
    folder_id: uuid.UUID | None = None,
    limit: int = 10_000,
) -> int:
    """How many stored mails wait, counted up to `limit`."""
    answer = await connection.execute(
        COUNT,
        {
            "tenant": tenant_id,
            "inbox": inbox_id,
            "historical": historical,
            "folder": folder_id,
            "limit": limit,
        },
    )
    return int(answer.scalar_one())


async def count_attempt(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], step: int = 1
) -> None:
    """Count an attempt before it is made (integrity I-6); `step=-1` takes it back when the mail was not to blame."""
    await connection.execute(ATTEMPT, {"tenant": tenant_id, "ids": list(ids), "step": step})
