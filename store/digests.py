"""Digests: a person's window that is due, what waits to be told in it, and the mail's row, written in one transaction.

The window's row comes before the message (integrity S-5): a window has one mail at most, whatever dies and however often it is
asked for. A mail of unknown fate is never sent again; its notices count as mailed.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import MessageKind, SendStatus
from store.addresses import address_key
from store.event_log import NewEvent, append_events
from store.notice_settings import digest_sender
from store.outbound import freeze_recipients
from store.outbound_recipients import Recipient, own_address_keys
from store.send_steps import append_step
from store.suppression import suppressed_among

OLDEST = dt.timedelta(days=7)  # what waited longer, because nobody could send it, is no news
MOST = 500

LOCK = text(
    """
    select s.digest_due_at, s.pace, s.snippets, u.email, u.name, u.role, u.deleted_at, t.name as org_name
    from notice_settings s
    join users u on u.tenant_id = s.tenant_id and u.id = s.user_id
    join tenants t on t.id = s.tenant_id
    where s.tenant_id = :tenant and s.user_id = :user for update of s
    """
)
NOTHING_DUE = text("update notice_settings set digest_due_at = null where tenant_id = :tenant and user_id = :user")
WAITING = text(
    """
    select n.id, n.kind, n.conversation_id, c.number, c.subject, c.snippet
    from notices n
    join conversations c on c.tenant_id = n.tenant_id and c.id = n.conversation_id and c.deleted_at is null
    where n.tenant_id = :tenant and n.user_id = :user and n.mail <> 'off' and n.mailed_at is null and n.read_at is null
      and n.created_at > :since and (:digests or n.mail = 'at_once')
      and (:sees_all
        or exists (select from inbox_members m where m.tenant_id = n.tenant_id and m.inbox_id = c.inbox_id and m.user_id = n.user_id)
        or not exists (select from inbox_members m where m.tenant_id = n.tenant_id and m.inbox_id = c.inbox_id))
    order by n.id limit :most
    """
)
TAKE_WINDOW = text(
    """
    insert into digests (tenant_id, user_id, due_at, notices) values (:tenant, :user, :due, :count)
    on conflict (tenant_id, user_id, due_at) do nothing returning id
    """
)
NAME_MESSAGE = text("update digests set message_id = :message where tenant_id = :tenant and id = :id")
MAILED = text("update notices set mailed_at = :now where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
INSERT_MESSAGE = text(
    """
    insert into messages (tenant_id, inbox_id, direction, kind, sender_type, from_address, from_name, subject, sent_at, received_at,
      body_text, body_html, body_visible, is_read, send_status)
    select :tenant, i.id, 'outbound', :kind, 'system', i.email_address, coalesce(nullif(i.display_name, ''), i.name), :subject,
      :now, :now, :text, :html, :text, true, :status
    from inboxes i where i.tenant_id = :tenant and i.id = :inbox
    returning id
    """
)


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    id: uuid.UUID
    kind: str
    conversation_id: uuid.UUID
    number: int
    subject: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Window:
    """A person's window that is due, locked until commit. `why_not` is a word when there is no mail to be made."""

    due_at: dt.datetime
    inbox_id: uuid.UUID | None
    email: str
    name: str
    org_name: str
    snippets: bool
    notices: Sequence[WaitingNotice]
    why_not: str = ""


async def lock_window(
    connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID, *, now: dt.datetime
) -> Window | None:
    """The window that is due; None when none is. It counts as past from now on, whatever is made of it."""
    key = {"tenant": tenant_id, "user": user_id}
    row = (await connection.execute(LOCK, key)).first()
    if row is None or row.digest_due_at is None or row.digest_due_at > now:
        return None
    await connection.execute(NOTHING_DUE, key)
    sender = await digest_sender(connection, tenant_id)
    why_not = ""
    if row.deleted_at is not None:
        why_not = "person-left"
    elif sender is None:
        why_not = "no-sender"
    elif address_key(row.email) in await own_address_keys(connection, tenant_id):
        why_not = "own-address"  # it would come back as mail of a customer
    elif await suppressed_among(connection, tenant_id, [row.email], now=now):
        why_not = "suppressed"
    notices: list[WaitingNotice] = []
    if not why_not:
        found = await connection.execute(
            WAITING,
            {
                **key,
                "since": now - OLDEST,
                "digests": row.pace != "off",
                "sees_all": row.role in ("owner", "admin"),
                "most": MOST,
            },
        )
        notices = [WaitingNotice(**n._asdict()) for n in found]
        why_not = "" if notices else "nothing-waits"
    return Window(
        due_at=row.digest_due_at,
        inbox_id=sender.id if sender else None,
        email=row.email,
        name=row.name,
        org_name=row.org_name,
        snippets=row.snippets,
        notices=notices,
        why_not=why_not,
    )


async def queue_digest(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    user_id: uuid.UUID,
    window: Window,
    *,
    subject: str,
    text_body: str,
    html_body: str,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> uuid.UUID | None:
    """Take the window, then queue its mail; None when the window was taken before. The send flow obeys the row."""
    key = {"tenant": tenant_id, "user": user_id}
    taken = await connection.execute(TAKE_WINDOW, {**key, "due": window.due_at, "count": len(window.notices)})
    digest_id = taken.scalar_one_or_none()
    if digest_id is None:
        return None
    inserted = await connection.execute(
        INSERT_MESSAGE,
        {
            "tenant": tenant_id,
            "inbox": window.inbox_id,
            "kind": MessageKind.NOTIFICATION.value,
            "subject": subject,
            "now": now,
            "text": text_body,
            "html": html_body,
            "status": SendStatus.QUEUED.value,
        },
    )
    message_id: uuid.UUID = inserted.scalar_one()
    await freeze_recipients(connection, tenant_id, message_id, (Recipient("to", window.email, window.name),))
    await connection.execute(NAME_MESSAGE, {"tenant": tenant_id, "id": digest_id, "message": message_id})
    await connection.execute(
        MAILED, {"tenant": tenant_id, "ids": [str(n.id) for n in window.notices], "now": now}
    )
    await append_events(
        connection,
        [
            NewEvent(
                "message.queued",
                tenant_id,
                window.inbox_id,
                None,
                message_id,
                payload={"kind": MessageKind.NOTIFICATION.value, "send_status": SendStatus.QUEUED.value},
            )
        ],
    )
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="queued",
        detail=f"digest of {len(window.notices)} notices",
        workflow_run=workflow_run,
    )
    return message_id
