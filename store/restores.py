"""What must happen to rows that come from a backup before anybody works with them, and how such rows are noticed.

A backup is older than the world: what it says is queued may be out by now, what it says nobody answered may be answered.
`after_restore` is one transaction over the whole house: dying in it leaves the rows as the backup had them, and running it
again doubts again what is open then (integrity P2: nothing is sent again by the system itself).
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import GapCause, SendStatus
from store.auto_responses import SINCE
from store.gaps import open_gap_of_every_inbox
from store.outbound_rows import lock_message, move
from store.send_steps import append_step

SENTENCE = (
    "Mailroom was restored from a backup that is older than this moment, so the mail may have been sent since. It is looked"
    " for in Sent. Ask the recipient, or look in your mail program, then say “it was sent” or “send again”."
)
NUMBERS_SKIPPED = 1_000  # conversations that the backup does not know may have been told their numbers
EPOCHS_SKIPPED = 1_000_000  # attempts of before the restore may still be running

ERA = text("select era, cluster from restores order by era desc limit 1")
CLUSTER = text("select system_identifier::text from pg_control_system()")
NOTE = text(
    """
    insert into restores (era, cluster, sends_doubted)
    values ((select coalesce(max(era) + 1, 0) from restores), :cluster, :sends) returning era
    """
)
BIRTH = text("insert into restores (era, cluster) values (0, :cluster) on conflict do nothing")
OPEN_SENDS = text(
    """
    select tenant_id, id from messages
    where direction = 'outbound' and send_status in ('queued', 'scheduled', 'sending') order by tenant_id, id
    """
)
# The stage says how far it may have got; the number fences whatever attempt may still run.
DOUBT = text(
    """
    update messages set send_stage = 'dot', send_attempts = send_attempts + 1, unknown_since = :now
    where tenant_id = :tenant and id = :id
    """
)
NO_OLD_ANSWERS = text(
    """
    update inboxes set settings = jsonb_set(settings, array[:key], to_jsonb(cast(:now as text)))
    where deleted_at is null
    """
)
NEW_LEASES = text("update inboxes set lease_epoch = lease_epoch + :skipped")
NEW_BACKFILL_LEASES = text("update folders set backfill_epoch = backfill_epoch + :skipped")
SKIP_NUMBERS = text(
    "update tenants set next_conversation_number = next_conversation_number + :skipped where next_conversation_number > 1"
)
# Numbers of transactions begin anew in another cluster; what is restored lies before all that comes.
OLD_EVENTS = text("update events set xid = '1' where xid >= pg_current_xact_id()")
OLD_CURSORS = text("update desk_cursors set xid = '1' where xid >= pg_current_xact_id()")
SIGN_OUT = text("delete from sessions")


class RestoredRows(Exception):
    """These rows woke up in another cluster than the one they were written in, and nobody has run `after-restore`."""


@dataclass(frozen=True, slots=True)
class AfterRestore:
    """What was done: sends that people or their copies in Sent must settle, the number of this life of the rows."""

    era: int
    sends_doubted: int


async def after_restore(connection: AsyncConnection, *, now: dt.datetime) -> AfterRestore:
    """Make restored rows safe to work with; as the system, before any worker or API runs.

    Every send that is not final becomes *unknown*: scheduled ones too, since they may have been changed or cancelled since.
    Mail from before this moment gets no automatic answer. Every synced folder is compared with its server. Old attempts find no lease of theirs. People sign in again.
    """
    doubted = 0
    for row in (await connection.execute(OPEN_SENDS)).all():
        doubted += await _doubt(connection, row.tenant_id, row.id, now)
    await connection.execute(NO_OLD_ANSWERS, {"key": SINCE, "now": now.isoformat()})
    await connection.execute(NEW_LEASES, {"skipped": EPOCHS_SKIPPED})
    await connection.execute(NEW_BACKFILL_LEASES, {"skipped": EPOCHS_SKIPPED})
    await open_gap_of_every_inbox(connection, GapCause.LOST_STATE)
    await connection.execute(SKIP_NUMBERS, {"skipped": NUMBERS_SKIPPED})
    await connection.execute(SIGN_OUT)
    await connection.execute(OLD_EVENTS)
    await connection.execute(OLD_CURSORS)
    cluster = (await connection.execute(CLUSTER)).scalar_one()
    era = (await connection.execute(NOTE, {"cluster": cluster, "sends": doubted})).scalar_one()
    return AfterRestore(int(era), doubted)


async def _doubt(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> int:
    row = await lock_message(connection, tenant_id, message_id)
    if row is None:
        return 0
    await connection.execute(DOUBT, {"tenant": tenant_id, "id": message_id, "now": now})
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="restored",
        attempt=row.send_attempts + 1,
        detail=f"was {row.send_status} in the backup",
    )
    await move(connection, row, SendStatus.UNKNOWN, error=SENTENCE)
    return 1


async def check_cluster(connection: AsyncConnection) -> None:
    """Before work begins: note the cluster of new rows, and raise RestoredRows where the rows come from another one."""
    cluster = (await connection.execute(CLUSTER)).scalar_one()
    await connection.execute(BIRTH, {"cluster": cluster})
    known = (await connection.execute(ERA)).one()
    if known.cluster != cluster:
        raise RestoredRows


async def current_era(connection: AsyncConnection) -> int:
    """How often these rows were restored: 0 where they never were. Cursors of another era mean nothing."""
    row = (await connection.execute(ERA)).first()
    return 0 if row is None else int(row.era)
