"""Ledger rows of mailboxes behind a web API, by the provider's id of each mail, and the cursor that moves with them.

An id is unique in its inbox, whatever folder shows it (integrity I-2). As with IMAP the raw bytes are in the bucket before a
row says `stored`, and the cursor moves in the transaction that gave every mail before it a row (I-1, I-3). The caller has
begun that transaction with `hold_lease`, so that an attempt which was given up writes nothing.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import LedgerState
from store.bulk import bound, new_id, rows_of
from store.ledger import Written, WrittenRows, quarantine_and_count
from store.tombstones import leave_out_the_removed

FETCH_ATTEMPTS = 3

COLUMNS = {
    "id": "uuid",
    "provider_message_id": "text",
    "folder_id": "uuid",
    "raw_sha256": "text",
    "raw_key": "text",
    "raw_offset": "bigint",
    "raw_length": "bigint",
    "internal_date": "timestamptz",
    "flags": "text[]",
    "historical": "boolean",
    "state": "text",
    "reason": "text",
    "provider_thread": "text",
}
# Only a `seen` row may be filled by a second insert. Its attempts were those of fetching; parsing counts its own.
INSERT = text(
    f"""
    insert into ledger (tenant_id, inbox_id, fetch_run, {", ".join(COLUMNS)})
    select :tenant, :inbox, :run, v.* from ({rows_of(COLUMNS)}) as v ({", ".join(COLUMNS)})
    on conflict (tenant_id, inbox_id, provider_message_id) where provider_message_id is not null do update set
      raw_sha256 = excluded.raw_sha256, raw_key = excluded.raw_key, raw_offset = excluded.raw_offset,
      raw_length = excluded.raw_length, flags = excluded.flags, state = excluded.state, reason = excluded.reason,
      internal_date = coalesce(excluded.internal_date, ledger.internal_date),
      folder_id = coalesce(excluded.folder_id, ledger.folder_id),
      provider_thread = coalesce(excluded.provider_thread, ledger.provider_thread),
      historical = ledger.historical or excluded.historical, attempts = 0, fetch_run = excluded.fetch_run,
      updated_at = now()
    where ledger.state = 'seen'
    returning id, state, reason
    """
)
FAILED_COLUMNS = {
    "provider_message_id": "text",
    "folder_id": "uuid",
    "internal_date": "timestamptz",
    "flags": "text[]",
    "historical": "boolean",
    "provider_thread": "text",
}
# What the provider told of the mail is kept: the octets, when they come, may come alone.
FAILED = text(
    f"""
    insert into ledger (tenant_id, inbox_id, state, reason, attempts, fetch_run, {", ".join(FAILED_COLUMNS)})
    select :tenant, :inbox, 'seen', 'fetch_unreadable', 1, :run, v.*
    from ({rows_of(FAILED_COLUMNS)}) as v ({", ".join(FAILED_COLUMNS)})
    on conflict (tenant_id, inbox_id, provider_message_id) where provider_message_id is not null do update set
      attempts = ledger.attempts + 1, reason = excluded.reason, fetch_run = excluded.fetch_run, updated_at = now(),
      state = case when ledger.attempts + 1 >= :most then 'quarantined' else 'seen' end
    where ledger.state = 'seen'
    returning id, state, reason
    """
)
KNOWN = text(
    """
    select provider_message_id as id, state, raw_sha256 is null and state in ('vanished', 'skipped') as empty
    from ledger where tenant_id = :tenant and inbox_id = :inbox
      and provider_message_id = any(cast(:ids as text[]))
    """
)
WAITING = text(
    """
    select provider_message_id, folder_id, internal_date, flags, historical from ledger
    where tenant_id = :tenant and inbox_id = :inbox and state = 'seen' and provider_message_id is not null
    order by attempts, id limit :limit
    """
)
# Rows that hold nothing: the mail was gone or not wanted when it was looked at.
REOPEN = text(
    """
    update ledger set state = 'seen', attempts = 0, gone_at = null, updated_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and provider_message_id = any(cast(:ids as text[]))
      and raw_sha256 is null and state in ('vanished', 'skipped')
    """
)
# An opaque cursor has no order, so it is moved only from where the caller stood.
MOVE_GMAIL = text(
    """
    update inboxes set gmail_history_id = :cursor where tenant_id = :tenant and id = :inbox
      and gmail_history_id is not distinct from cast(:before as text) returning id
    """
)
MOVE_GRAPH = text(
    """
    update folders set graph_delta_link = :cursor where tenant_id = :tenant and inbox_id = :inbox and id = :folder
      and graph_delta_link is not distinct from cast(:before as text) returning id
    """
)
READ_GMAIL = text("select gmail_history_id from inboxes where tenant_id = :tenant and id = :inbox")
READ_GRAPH = text(
    "select graph_delta_link from folders where tenant_id = :tenant and inbox_id = :inbox and id = :folder"
)


class CursorMoved(Exception):
    """The stored cursor is not the one that was read before the fetch: nothing of this transaction may be written."""


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """What a cursor belongs to: a folder (Graph), or with `folder_id` None the whole mailbox (Gmail)."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    folder_id: uuid.UUID | None = None

    def bound(self) -> dict[str, object]:
        return {"tenant": self.tenant_id, "inbox": self.inbox_id, "folder": self.folder_id}


@dataclass(frozen=True, slots=True)
class ApiRow:
    """One mail to be written, by the provider's id. `reason` tells why a row is quarantined, skipped or vanished; `folder_id`
    where the mail lies, where that is not the place itself; `provider_thread` the provider's conversation.
    """

    provider_message_id: str
    state: LedgerState
    raw_sha256: str | None = None
    raw_key: str | None = None
    raw_offset: int = 0
    raw_length: int = 0
    internal_date: dt.datetime | None = None
    flags: tuple[str, ...] = ()
    historical: bool = False
    reason: str | None = None
    folder_id: uuid.UUID | None = None
    provider_thread: str | None = None


@dataclass(frozen=True, slots=True)
class KnownMail:
    """A mail that has a row. `empty`: the row holds nothing, because the mail was gone or not wanted; it may be reopened."""

    state: LedgerState
    empty: bool


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that is to be fetched again, with what was told of it when it was first seen."""

    id: str
    folder_id: uuid.UUID | None
    internal_date: dt.datetime | None
    flags: frozenset[str]
    historical: bool


async def write_api_rows(
    connection: AsyncConnection, place: ApiPlace, rows: Sequence[ApiRow], *, run: str | None = None
) -> WrittenRows:
    """Write a batch, in the order in which its mails are to be ingested. An id that is told twice, here or in another batch
    or folder, has one row and is counted once; broken mails enter quarantine.
    """
    once = {row.provider_message_id: row for row in rows}
    if not once:
        return WrittenRows()
    records = [
        {
            "id": new_id(),
            "provider_message_id": r.provider_message_id,
            "folder_id": r.folder_id or place.folder_id,
            "raw_sha256": r.raw_sha256,
            "raw_key": r.raw_key,
            "raw_offset": r.raw_offset,
            "raw_length": r.raw_length,
            "internal_date": r.internal_date,
            "flags": r.flags,
            "historical": r.historical,
            "state": r.state.value,
            "reason": r.reason,
            "provider_thread": r.provider_thread,
        }
        for r in once.values()
    ]
    # Ledger ids were made in the caller's order, which is the order of ingesting; rows are locked in another that all share.
    records.sort(key=lambda record: str(record["provider_message_id"]))
    await leave_out_the_removed(connection, place.tenant_id, place.folder_id, records)
    answer = await connection.execute(
        INSERT, {"tenant": place.tenant_id, "inbox": place.inbox_id, "run": run, **bound(records)}
    )
    return await quarantine_and_count(connection, place.tenant_id, [Written(*row) for row in answer])


async def count_failed_fetches(
    connection: AsyncConnection, place: ApiPlace, failed: Sequence[ApiRow], *, run: str | None = None
) -> WrittenRows:
    """The provider lists these mails and does not give their bytes. They wait as `seen` rows, so that the cursor may pass
    them, and the third failure quarantines them. A mail that has its bytes already is left as it is.
    """
    if not failed:
        return WrittenRows()
    records = [
        {
            "provider_message_id": r.provider_message_id,
            "folder_id": r.folder_id or place.folder_id,
            "internal_date": r.internal_date,
            "flags": r.flags,
            "historical": r.historical,
            "provider_thread": r.provider_thread,
        }
        for r in {row.provider_message_id: row for row in failed}.values()
    ]
    records.sort(key=lambda record: str(record["provider_message_id"]))
    bind = {"tenant": place.tenant_id, "inbox": place.inbox_id, "run": run, "most": FETCH_ATTEMPTS}
    answer = await connection.execute(FAILED, {**bind, **bound(records)})
    return await quarantine_and_count(connection, place.tenant_id, [Written(*row) for row in answer])


async def known_mails(
    connection: AsyncConnection, place: ApiPlace, ids: Sequence[str]
) -> Mapping[str, KnownMail]:
    """Which of `ids` have a row in this inbox, in any folder."""
    answer = await connection.execute(KNOWN, {**place.bound(), "ids": list(ids)})
    return {row.id: KnownMail(LedgerState(row.state), row.empty) for row in answer}


async def waiting_mails(connection: AsyncConnection, place: ApiPlace, limit: int = 200) -> list[WaitingMail]:
    """Mails of this inbox that are to be fetched again: those that failed, and those that a person asked for."""
    answer = await connection.execute(WAITING, {**place.bound(), "limit": limit})
    return [
        WaitingMail(r.provider_message_id, r.folder_id, r.internal_date, frozenset(r.flags), r.historical)
        for r in answer
    ]


async def reopen(connection: AsyncConnection, place: ApiPlace, ids: Sequence[str]) -> None:
    """These mails are there, or wanted, after all: their empty rows may be filled, by what is written right after."""
    if ids:
        await connection.execute(REOPEN, {**place.bound(), "ids": list(ids)})


async def read_cursor(connection: AsyncConnection, place: ApiPlace) -> str | None:
    """Where this place was read to; None before its first listing."""
    statement = READ_GMAIL if place.folder_id is None else READ_GRAPH
    cursor: str | None = (await connection.execute(statement, place.bound())).scalar_one()
    return cursor


async def move_api_cursor(
    connection: AsyncConnection, place: ApiPlace, *, before: str | None, cursor: str | None
) -> None:
    """From `before` to `cursor`, in the transaction that gave every mail up to it a row, or opened a gap for those that have
    none. Raises CursorMoved, which takes the transaction's rows back, when the place stands elsewhere.
    """
    statement = MOVE_GMAIL if place.folder_id is None else MOVE_GRAPH
    answer = await connection.execute(statement, {**place.bound(), "before": before, "cursor": cursor})
    if answer.first() is None:
        raise CursorMoved(f"the cursor of inbox {place.inbox_id} is not where this pass began")
