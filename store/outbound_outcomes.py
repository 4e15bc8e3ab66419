"""How an attempt ended and what the row becomes: the outbound state machine's writing half (integrity S-3, S-6, S-7).

Every function is one move of the locked row in the caller's transaction, fenced by the attempt's number or by the
status it expects; run twice, the second run finds the row moved on and changes nothing.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SendStage, SendStatus
from store.addresses import address_key
from store.outbound_rows import LockedMessage, lock_message, move
from store.response_times import record_response
from store.send_steps import append_step
from store.sent_copies import await_copy

SET_RECIPIENT = text(
    """
    update message_recipients set delivery_status = :status, delivery_detail = :detail
    where tenant_id = :tenant and message_id = :id and address_key = :key
      and coalesce(delivery_status, 'pending') in ('pending', 'deferred')
    """
)
SET_OPEN = text(
    """
    update message_recipients set delivery_status = :status, delivery_detail = :detail
    where tenant_id = :tenant and message_id = :id and coalesce(delivery_status, 'pending') = any(:from)
    """
)
COUNTS = text(
    """
    select count(*) as all,
      count(*) filter (where coalesce(delivery_status, 'pending') in ('pending', 'deferred')) as open,
      count(*) filter (where delivery_status = 'failed') as failed
    from message_recipients where tenant_id = :tenant and message_id = :id
    """
)
DOUBT = text(
    "update messages set unknown_since = coalesce(unknown_since, :now) where tenant_id = :tenant and id = :id"
)
UNSTAGE = text(
    "update messages set send_stage = null, unknown_since = null where tenant_id = :tenant and id = :id"
)


class End(StrEnum):
    """What the row became. `stale`: it belongs to somebody else by now and nothing was written."""

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class RecipientEnd:
    """`kind` is accepted, deferred, rejected, not_sent or unknown; `detail` is for people, such as `550 5.1.1`."""

    address: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """What is known after an attempt. `sentence` is for people; `give_up` makes every putting-off final (S-6), otherwise
    what was put off is tried again at `next_at`.
    """

    attempt: int
    kind: str
    stage: str
    sentence: str
    recipients: tuple[RecipientEnd, ...]
    code: int | None = None
    give_up: bool = False
    next_at: dt.datetime | None = None


async def end_attempt(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    end: AttemptEnd,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> End:
    """Write what an attempt came to.

    A late attempt whose message was meanwhile called unknown still tells the truth: taken is `sent`, not taken is
    `failed` (a person may try again; nothing is submitted by itself after doubt).
    """
    row = await lock_message(connection, tenant_id, message_id)
    late = row is not None and row.send_status == SendStatus.UNKNOWN
    if row is None or row.send_attempts != end.attempt or not (late or row.send_status == SendStatus.SENDING):
        return End.STALE
    step = end.kind if not late else f"late_{end.kind}"
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step=step,
        attempt=end.attempt,
        detail=f"{end.stage}: {end.sentence}" if end.sentence else end.stage,
        code=end.code,
        workflow_run=workflow_run,
        next_at=None if end.give_up or not _put_off(end) else end.next_at,
    )
    await _set_recipients(connection, row, end.recipients)
    if end.kind == "unknown":
        await connection.execute(DOUBT, {"tenant": tenant_id, "id": message_id, "now": now})
        return End.UNKNOWN
    return await _close(
        connection, row, sentence=end.sentence, now=now, final=end.give_up or late or end.kind == "rejected"
    )


async def settle_sent(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    proof: str,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> End:
    """There is proof that a doubtful message was sent: it stood in Sent, or a report about it came back.

    Applies to a message at `dot` and to an unknown one; any other stays as it is (STALE). Recipients that had been put
    off before the doubt remain to be served, so the end may be DEFERRED.
    """
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or not _doubtful(row):
        return End.STALE
    was_unknown = row.send_status == SendStatus.UNKNOWN
    key = {"tenant": tenant_id, "id": message_id}
    await connection.execute(SET_OPEN, {**key, "status": "sent", "detail": None, "from": ["pending"]})
    await _note(connection, row, "proven_sent", proof, workflow_run)
    # Nobody watches over a message that was called unknown: what it still lacks is told, not tried.
    return await _close(connection, row, sentence="", now=row.unknown_since or now, final=was_unknown)


async def settle_unknown(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    sentence: str,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> End:
    """Nothing proves either way: the message waits for a person. Only a message at `dot` can become unknown."""
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or not _doubtful(row) or row.send_status != SendStatus.SENDING:
        return End.STALE
    await connection.execute(DOUBT, {"tenant": tenant_id, "id": message_id, "now": now})
    await _note(connection, row, "unknown", sentence, workflow_run)
    await move(connection, row, SendStatus.UNKNOWN, error=sentence)
    return End.UNKNOWN


async def settle_unsent(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    attempt: int,
    sentence: str,
    now: dt.datetime,
    next_at: dt.datetime | None,
    workflow_run: str | None = None,
) -> End:
    """There is proof that the message at its dot was not sent: its draft lies unsent at the provider. It is queued again, and
    keeps that draft; without `next_at` it is given up. STALE unless the row still stands at the dot of `attempt`.
    """
    row = await lock_message(connection, tenant_id, message_id)
    at_dot = row is not None and row.send_status == SendStatus.SENDING and row.send_stage == SendStage.DOT
    if row is None or not at_dot or row.send_attempts != attempt:
        return End.STALE
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="proven_unsent",
        attempt=attempt,
        detail=sentence,
        workflow_run=workflow_run,
        next_at=next_at,
    )
    return await _close(connection, row, sentence=sentence, now=now, final=next_at is None)


async def settle_failed(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    sentence: str,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> End:
    """Give up on a message that waits or is before its dot. One at `dot` is not failed but unknown: STALE."""
    row = await lock_message(connection, tenant_id, message_id)
    waiting = {SendStatus.QUEUED, SendStatus.SCHEDULED, SendStatus.SENDING}
    if row is None or row.send_status not in waiting or row.send_stage == SendStage.DOT:
        return End.STALE
    await _note(connection, row, "gave_up", sentence, workflow_run)
    return await _close(connection, row, sentence=sentence, now=now, final=True)


async def _note(
    connection: AsyncConnection, row: LockedMessage, step: str, detail: str, workflow_run: str | None
) -> None:
    """The step by which an open end is closed, under the number of the last attempt."""
    await append_step(
        connection,
        tenant_id=row.tenant_id,
        message_id=row.id,
        step=step,
        attempt=row.send_attempts,
        detail=detail,
        workflow_run=workflow_run,
    )


async def _close(
    connection: AsyncConnection, row: LockedMessage, *, sentence: str, now: dt.datetime, final: bool
) -> End:
    """The message's status from its recipients': all served, some to be tried again, or over with some unserved."""
    key = {"tenant": row.tenant_id, "id": row.id}
    counts = (await connection.execute(COUNTS, key)).one()
    if final and counts.open:
        await connection.execute(
            SET_OPEN, {**key, "status": "failed", "detail": "not sent", "from": ["pending", "deferred"]}
        )
        counts = (await connection.execute(COUNTS, key)).one()
    served = counts.all - counts.open - counts.failed
    if counts.open:
        await connection.execute(UNSTAGE, key)
        await move(connection, row, SendStatus.QUEUED, error=sentence or None, event="message.updated")
        return End.DEFERRED
    if counts.failed:
        told = sentence or "The mail server refused it."
        if served:
            told = f"Handed over for {served} of {counts.all} recipients. {told}"
        await move(
            connection,
            row,
            SendStatus.FAILED,
            error=told,
            payload={"served": served, "refused": counts.failed},
        )
    else:
        await move(connection, row, SendStatus.SENT)
    if served:
        await record_response(connection, row, now)
        await await_copy(connection, row.tenant_id, row.id, now)
    return End.FAILED if counts.failed else End.SENT


async def _set_recipients(
    connection: AsyncConnection, row: LockedMessage, ends: Sequence[RecipientEnd]
) -> None:
    words = {"accepted": "sent", "deferred": "deferred", "rejected": "failed"}
    bound = [
        {
            "status": words[end.kind],
            "detail": end.detail or None,
            "tenant": row.tenant_id,
            "id": row.id,
            "key": address_key(end.address),
        }
        for end in ends
        if end.kind in words
    ]
    if bound:
        await connection.execute(SET_RECIPIENT, bound)


def _put_off(end: AttemptEnd) -> bool:
    again = {"deferred", "not_sent"}
    return end.kind in again or (end.kind == "accepted" and any(r.kind in again for r in end.recipients))


def _doubtful(row: LockedMessage) -> bool:
    at_dot = row.send_status == SendStatus.SENDING and row.send_stage == SendStage.DOT
    return at_dot or row.send_status == SendStatus.UNKNOWN
