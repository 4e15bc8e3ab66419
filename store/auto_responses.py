"""The automatic answer to a conversation: the facts, the claim that makes it at most one, and its queued message.

The claim row is inserted before the message and in the same transaction (integrity L-3). A conversation that must stay
silent gets a claim too, with the reason, so that nobody asks again.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import MessageKind, SendStatus
from store.addresses import address_key
from store.event_log import NewEvent, append_events
from store.outbound import freeze_recipients
from store.outbound_recipients import Recipient, own_address_keys
from store.send_steps import append_step

SINCE = (
    "auto_response_since"  # in the inbox's settings: the instant at which automatic answers were switched on
)

# The conversation's lock makes rivals wait; the claim's key makes the second one find the first.
FACTS = text(
    """
    select c.id, c.number, c.subject, c.historical, c.merged_into, c.inbox_id,
           i.auto_response_enabled, i.auto_response_subject, i.auto_response_body, i.auto_response_html,
           i.email_address, coalesce(nullif(i.display_name, ''), d.from_name, '') as display_name, i.name as inbox_name, i.created_at as inbox_created_at,
           i.settings ->> :since_key as enabled_since, i.deleted_at, i.settings as inbox_settings, i.signature_html,
           t.name as org_name, p.id as template_id, p.subject as template_subject, p.body_text as template_text,
           p.body_html as template_html, w.conversation_id is not null as wished, k.company, k.name as contact_name
    from conversations c
    join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    join tenants t on t.id = c.tenant_id
    left join domains d on d.tenant_id = i.tenant_id and d.id = i.domain_id
    left join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    left join rule_answers w on w.tenant_id = c.tenant_id and w.conversation_id = c.id
    left join templates p on p.tenant_id = w.tenant_id and p.id = w.template_id and p.user_id is null and p.deleted_at is null
    where c.tenant_id = :tenant and c.id = :id and c.deleted_at is null
    for no key update of c
    """
)
FIRST_MAIL = text(
    """
    select id, from_address, from_name, return_path, subject, received_at, created_at, historical, may_answer, silence_reason, is_auto
    from messages
    where tenant_id = :tenant and conversation_id = :id and direction = 'inbound'
    order by received_at, id limit 1
    """
)
ANSWERED = text(
    """
    select exists (select from messages
      where tenant_id = :tenant and conversation_id = :id and direction = 'outbound' and kind = 'message'
        and send_status is distinct from 'cancelled')
    """
)
SUPPRESSED = text(
    """
    select exists (select from suppressed_addresses
      where tenant_id = :tenant and address_key = any(:keys) and (expires_at is null or expires_at > :now))
    """
)
CLAIMED = text(
    "select message_id, outcome from auto_response_claims where tenant_id = :tenant and conversation_id = :id"
)
CLAIM = text(
    """
    insert into auto_response_claims (tenant_id, conversation_id, message_id, about_message_id, outcome, workflow_run)
    values (:tenant, :id, :message, :about, :outcome, :run) on conflict do nothing returning conversation_id
    """
)
INSERT_MESSAGE = text(
    """
    insert into messages (tenant_id, conversation_id, inbox_id, direction, kind, sender_type, from_address, from_name,
      subject, sent_at, received_at, body_text, body_html, body_visible, is_read, at_version, send_status, undo_until)
    values (:tenant, :conversation, :inbox, 'outbound', :kind, 'system', :from_address, :from_name,
      :subject, :now, :now, :text, :html, :text, true, :version, :status, :now)
    returning id
    """
)
COUNT_MESSAGE = text(
    """
    update conversations set message_count = message_count + 1
    where tenant_id = :tenant and id = :id returning version
    """
)


@dataclass(frozen=True, slots=True)
class ConversationFacts:
    """What there is to know before answering automatically. The customer's words are not among it. `first_id` is the mail
    that would be answered, `return_path` its envelope sender where a server wrote it down. `by_rule`: a routing rule wishes
    for the answer, and the template is the one it names (empty where that is gone).
    """

    conversation_id: uuid.UUID
    inbox_id: uuid.UUID
    number: int
    subject: str
    historical: bool
    merged: bool
    enabled: bool
    template_subject: str
    template_text: str
    template_html: str | None
    inbox_address: str
    inbox_display_name: str
    inbox_name: str
    org_name: str
    since: dt.datetime
    sender: str
    sender_name: str
    return_path: str | None
    sender_is_ours: bool
    suppressed: bool
    answered: bool
    first_id: uuid.UUID | None
    first_subject: str
    first_received_at: dt.datetime | None
    first_stored_at: dt.datetime | None
    first_historical: bool
    may_answer: bool
    silence_reason: str | None
    is_auto: str | None
    by_rule: bool = False
    customer_name: str = ""
    customer_company: str = ""
    inbox_settings: Mapping[str, Any] = field(default_factory=dict)
    inbox_signature: str | None = None


@dataclass(frozen=True, slots=True)
class AutomaticMail:
    to_address: str
    to_name: str
    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """`message_id` of the queued answer, or None with the reason for silence."""

    message_id: uuid.UUID | None
    outcome: str


async def read_claim(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> Claimed | None:
    """What was decided before, if anything was."""
    row = (await connection.execute(CLAIMED, {"tenant": tenant_id, "id": conversation_id})).first()
    return None if row is None else Claimed(row.message_id, row.outcome)


async def lock_facts(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, conversation_id: uuid.UUID, now: dt.datetime
) -> ConversationFacts | None:
    """The facts, with the conversation locked until commit. None when it is gone."""
    key = {"tenant": tenant_id, "id": conversation_id}
    desk = (await connection.execute(FACTS, {**key, "since_key": SINCE})).first()
    if desk is None:
        return None
    first = (await connection.execute(FIRST_MAIL, key)).first()
    sender = first.from_address if first is not None else ""
    return_path = first.return_path if first is not None else None
    # Both who wrote and whom an answer would go to.
    places = sorted({address_key(a) for a in (sender, return_path) if a})
    suppressed = await connection.execute(SUPPRESSED, {"tenant": tenant_id, "keys": places, "now": now})
    since = desk.inbox_created_at
    if desk.enabled_since and not desk.wished:
        since = max(since, dt.datetime.fromisoformat(desk.enabled_since))
    return ConversationFacts(
        conversation_id=desk.id,
        inbox_id=desk.inbox_id,
        number=desk.number,
        subject=desk.subject,
        historical=desk.historical,
        merged=desk.merged_into is not None,
        enabled=(desk.auto_response_enabled or desk.wished) and desk.deleted_at is None,
        template_subject=(desk.template_subject or "") if desk.wished else desk.auto_response_subject,
        template_text=(desk.template_text or "") if desk.wished else desk.auto_response_body,
        template_html=desk.template_html if desk.wished else desk.auto_response_html,
        inbox_address=desk.email_address,
        inbox_display_name=desk.display_name or desk.inbox_name,
        inbox_name=desk.inbox_name,
        org_name=desk.org_name,
        since=since,
        sender=sender,
        sender_name=first.from_name if first is not None else "",
        return_path=return_path,
        sender_is_ours=not (await own_address_keys(connection, tenant_id)).isdisjoint(places),
        suppressed=suppressed.scalar_one(),
        answered=(await connection.execute(ANSWERED, key)).scalar_one(),
        first_id=first.id if first is not None else None,
        first_subject=first.subject if first is not None else "",
        first_received_at=first.received_at if first is not None else None,
        first_stored_at=first.created_at if first is not None else None,
        first_historical=first is not None and first.historical,
        may_answer=first is not None and first.may_answer,
        silence_reason=first.silence_reason if first is not None else None,
        is_auto=first.is_auto if first is not None else None,
        by_rule=desk.wished,
        customer_name=desk.contact_name or (first.from_name if first is not None else ""),
        customer_company=desk.company or "",
        inbox_settings=desk.inbox_settings,
        inbox_signature=desk.signature_html,
    )


async def stay_silent(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    facts: ConversationFacts,
    reason: str,
    workflow_run: str | None = None,
) -> None:
    """Note why this conversation gets no automatic answer. Twice: the first reason stands."""
    await connection.execute(CLAIM, _claim(tenant_id, facts, None, reason, workflow_run))


async def queue_answer(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    facts: ConversationFacts,
    mail: AutomaticMail,
    now: dt.datetime,
    note: str = "",
    workflow_run: str | None = None,
) -> uuid.UUID:
    """Claim row and queued message. The caller holds the conversation (`lock_facts`) and has found no claim.

    The list of conversations goes on showing the customer's words: an automatic answer is nobody's last word.
    """
    counted = await connection.execute(COUNT_MESSAGE, {"tenant": tenant_id, "id": facts.conversation_id})
    version = int(counted.scalar_one())
    inserted = await connection.execute(
        INSERT_MESSAGE,
        {
            "tenant": tenant_id,
            "conversation": facts.conversation_id,
            "inbox": facts.inbox_id,
            "kind": MessageKind.AUTO_RESPONSE.value,
            "from_address": facts.inbox_address,
            "from_name": facts.inbox_display_name,
            "subject": mail.subject,
            "now": now,
            "text": mail.text,
            "html": mail.html,
            "version": version,
            "status": SendStatus.QUEUED.value,
        },
    )
    message_id: uuid.UUID = inserted.scalar_one()
    recipient = Recipient("to", mail.to_address, mail.to_name)
    await freeze_recipients(connection, tenant_id, message_id, (recipient,))
    (await connection.execute(CLAIM, _claim(tenant_id, facts, message_id, "answered", workflow_run))).one()
    place = (tenant_id, facts.inbox_id, facts.conversation_id)
    queued = {"kind": "auto_response", "send_status": "queued", "version": version}
    await append_events(
        connection,
        [
            NewEvent("message.queued", *place, message_id, payload=queued),
            NewEvent("conversation.updated", *place, payload={"version": version}),
        ],
    )
    await append_step(connection, tenant_id=tenant_id, message_id=message_id, step="queued", detail=note)
    return message_id


def _claim(
    tenant_id: uuid.UUID,
    facts: ConversationFacts,
    message_id: uuid.UUID | None,
    outcome: str,
    workflow_run: str | None,
) -> dict[str, object]:
    return {
        "tenant": tenant_id,
        "id": facts.conversation_id,
        "message": message_id,
        "about": facts.first_id,
        "outcome": outcome,
        "run": workflow_run,
    }
