"""The draft of a message that leaves through a web API: which one it is, when it was to be sent, and what was sent in the end.

A draft's id is written by the attempt that made it, before its dot, and stays: whoever comes later asks after that draft first.
All writes are fenced by the attempt's number or may be repeated.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ThreadKeyKind
from store.outbound_attempts import StageLost

# The thread of the very mail that is answered, else of the newest that the sync saw, else the one that an earlier mail of ours began.
READ = text(
    """
    select m.kind, m.send_status, m.send_stage, m.send_attempts, m.message_id_header, m.first_attempt_at,
           m.api_draft_id, m.api_submitted_at,
           m.unknown_since is not null as attempt_ended,
           coalesce(
             (select l.provider_thread from messages o
              join ledger l on l.tenant_id = o.tenant_id and l.message_id = o.id and l.inbox_id = m.inbox_id
              where o.tenant_id = m.tenant_id and o.conversation_id = m.conversation_id and l.provider_thread is not null
              order by (o.message_id_header is not distinct from m.in_reply_to) desc, o.sent_at desc, l.id desc limit 1),
             (select k.key from thread_keys k
              where k.tenant_id = m.tenant_id and k.inbox_id = m.inbox_id and k.conversation_id = m.conversation_id
                and k.kind = 'provider_thread' order by k.key limit 1)) as thread
    from messages m where m.tenant_id = :tenant and m.id = :id and m.direction = 'outbound'
    """
)
KEEP = text(
    """
    update messages set api_draft_id = :draft
    where tenant_id = :tenant and id = :id and send_status = 'sending' and send_attempts = :attempt
      and send_stage is distinct from 'dot'
    """
)
SUBMITTING = text(
    """
    update messages set api_submitted_at = :now
    where tenant_id = :tenant and id = :id and send_status = 'sending' and send_attempts = :attempt
    """
)
# What the provider calls it. An id that stands there is not replaced: the first proof is as good as the second.
SENT = text(
    """
    update messages set provider_message_id = coalesce(provider_message_id, :provider_id)
    where tenant_id = :tenant and id = :id and direction = 'outbound'
    returning inbox_id, conversation_id, message_id_header
    """
)
ADD_KEY = text(
    """
    insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id)
    values (:tenant, :inbox, :key, :kind, :conversation) on conflict do nothing
    """
)


@dataclass(frozen=True, slots=True)
class ApiDraft:
    """`draft_id` None: none was made yet. `submitted_at`: when the provider was last asked to send it in this round, None if it
    was not. `attempt_ended`: the attempt that stands at its dot has said that it does not know. `thread`: the provider's
    conversation to send it into, None where no mail of ours has one.
    """

    kind: str
    status: str
    stage: str | None
    attempt: int
    message_id_header: str | None
    first_attempt_at: dt.datetime | None
    draft_id: str | None
    submitted_at: dt.datetime | None
    attempt_ended: bool
    thread: str | None


async def read_draft(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> ApiDraft | None:
    """Where the message's draft stands, None for an unknown message. Reads only."""
    row = (await connection.execute(READ, {"tenant": tenant_id, "id": message_id})).first()
    if row is None:
        return None
    return ApiDraft(
        kind=row.kind,
        status=row.send_status,
        stage=row.send_stage,
        attempt=row.send_attempts,
        message_id_header=row.message_id_header,
        first_attempt_at=row.first_attempt_at,
        draft_id=row.api_draft_id,
        submitted_at=row.api_submitted_at,
        attempt_ended=row.attempt_ended,
        thread=row.thread,
    )


async def keep_draft(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, attempt: int, draft_id: str
) -> None:
    """Write the id of the draft that this attempt made. Raises StageLost unless the row is this attempt's and before its dot."""
    bound = {"tenant": tenant_id, "id": message_id, "attempt": attempt, "draft": draft_id}
    if (await connection.execute(KEEP, bound)).rowcount == 0:
        raise StageLost


async def note_submitting(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    attempt: int,
    now: dt.datetime,
) -> None:
    """Beside the stage `dot`, in its transaction: the provider is about to be asked. Raises StageLost."""
    bound = {"tenant": tenant_id, "id": message_id, "attempt": attempt, "now": now}
    if (await connection.execute(SUBMITTING, bound)).rowcount == 0:
        raise StageLost


async def note_sent(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    provider_id: str,
    thread_id: str | None,
    message_id_header: str | None,
) -> None:
    """What the provider made of the mail: its id, its conversation, and the Message-ID that it really bears, by which answers
    to it find their conversation. Twice writes nothing new.
    """
    bound = {"tenant": tenant_id, "id": message_id, "provider_id": provider_id}
    row = (await connection.execute(SENT, bound)).first()
    if row is None or row.conversation_id is None:
        return
    keys = {ThreadKeyKind.PROVIDER_THREAD: thread_id, ThreadKeyKind.MESSAGE_ID: message_id_header}
    for kind, key in keys.items():
        if key is not None and len(key) > 2 and "\0" not in key:
            place = {"tenant": tenant_id, "inbox": row.inbox_id, "conversation": row.conversation_id}
            await connection.execute(ADD_KEY, {**place, "key": key, "kind": kind.value})
