"""Decides on the automatic answer to one conversation and queues it, in one transaction.

If it dies, nothing was decided; run twice, the first decision is found and named again.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities._edges import edges
from contracts.auto_response import AutoResponseClaim, AutoResponseSteps
from contracts.refs import ConversationRef
from mail.outgoing_addresses import checked
from mail.outgoing_errors import ComposeError
from mail.subjects import reply_subject, with_ticket_number
from mail.values import Address
from rules.auto_reply import (
    CORRESPONDENT_CAPS,
    INBOX_CAPS,
    TENANT_CAPS,
    AutoReplyFacts,
    answer_to,
    silence,
)
from rules.templates import fill, fill_html, fill_line
from store import loop_budgets
from store.addresses import address_key
from store.auto_responses import (
    AutomaticMail,
    ConversationFacts,
    lock_facts,
    queue_answer,
    read_claim,
    stay_silent,
    tell_paused,
)
from store.unit_of_work import Database

LONGEST_SUBJECT = 200


class AutoResponseClaiming(AutoResponseSteps):
    """`clock` gives aware instants."""

    def __init__(
        self, database: Database, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    @activity.defn(name="auto_response.claim")
    async def claim(self, ref: ConversationRef) -> AutoResponseClaim:
        with edges():
            tenant_id, conversation_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.conversation_id)
            key = {"tenant_id": tenant_id, "conversation_id": conversation_id}
            now = self._clock()
            async with self._database.unit_of_work(tenant_id) as connection:
                facts = await lock_facts(connection, **key, now=now)
                if facts is None:
                    return AutoResponseClaim(None, "gone")
                known = await read_claim(connection, **key)
                if known is not None:
                    return AutoResponseClaim(
                        str(known.message_id) if known.message_id else None, known.outcome
                    )
                reason = silence(_asked(facts), now)
                mail, note = (None, "") if reason is not None else _mail(facts)
                if reason is None and mail is None:
                    reason = "sender-cannot-be-written-to"
                if reason is None:
                    spent = await loop_budgets.take(
                        connection,
                        tenant_id=tenant_id,
                        inbox_id=facts.inbox_id,
                        correspondent_key=address_key(facts.sender),
                        now=now,
                        correspondent_caps=CORRESPONDENT_CAPS,
                        inbox_caps=INBOX_CAPS,
                        tenant_caps=TENANT_CAPS,
                    )
                    if spent is not None:
                        reason = f"budget-{spent}"
                        await _tell_once(connection, tenant_id, facts.inbox_id, spent, now)
                if reason is not None or mail is None:
                    await stay_silent(connection, **key, reason=reason or "silent")
                    return AutoResponseClaim(None, reason or "silent")
                message_id = await queue_answer(
                    connection, tenant_id=tenant_id, facts=facts, mail=mail, now=now, note=note
                )
            return AutoResponseClaim(str(message_id), "answered")


async def _tell_once(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, budget: str, now: dt.datetime
) -> None:
    if await loop_budgets.first_notice(
        connection, tenant_id=tenant_id, inbox_id=inbox_id, budget=budget, now=now
    ):
        await tell_paused(connection, tenant_id=tenant_id, inbox_id=inbox_id, budget=budget)


def _asked(facts: ConversationFacts) -> AutoReplyFacts:
    return AutoReplyFacts(
        enabled=facts.enabled,
        has_template=bool(facts.template_text.strip() or (facts.template_html or "").strip()),
        conversation_historical=facts.historical,
        first_received_at=facts.first_received_at,
        first_historical=facts.first_historical,
        may_answer=facts.may_answer,
        silence_reason=facts.silence_reason,
        is_auto=facts.is_auto,
        sender=facts.sender,
        sender_is_ours=facts.sender_is_ours,
        suppressed=facts.suppressed,
        answered_by_us=facts.answered,
        since=facts.since,
        merged=facts.merged,
    )


def _mail(facts: ConversationFacts) -> tuple[AutomaticMail | None, str]:
    """The answer, and what its template asks for in vain; None when the sender's address cannot be written to."""
    values = {
        "ticket_number": str(facts.number),
        "org_name": facts.org_name,
        "inbox_name": facts.inbox_name,
        "sender_name": facts.sender_name or facts.sender,
    }
    # The Return-Path is not kept with the message; RFC 3834 §4 falls back to the address of the author.
    address = answer_to(return_path=None, sender=facts.sender)
    try:
        to = checked(Address(address, facts.sender_name), "to[0]")
    except ComposeError:
        return None, ""
    subject = fill_line(facts.template_subject, values)
    text = fill(facts.template_text, values)
    html = (
        fill_html(facts.template_html, values)
        if facts.template_html and facts.template_html.strip()
        else None
    )
    missing = dict.fromkeys([*subject.missing, *text.missing, *(html.missing if html else ())])
    chosen = subject.text[:LONGEST_SUBJECT]
    mail = AutomaticMail(
        to_address=address,
        to_name=to.name,
        subject=with_ticket_number(chosen, facts.number)
        if chosen
        else reply_subject(facts.subject, facts.number),
        text=text.text,
        html=html.text if html is not None else None,
    )
    return mail, f"the template names unknown placeholders: {', '.join(missing)}" if missing else ""
