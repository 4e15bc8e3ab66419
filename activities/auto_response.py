"""Decides on the automatic answer to one conversation and queues it, in one transaction.

If it dies, nothing was decided; run twice, the first decision is found and named again.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities._edges import edges
from activities.outbound_compose import run_id
from contracts.auto_response import AutoResponseClaim, AutoResponseSteps
from contracts.failpoints import Failpoint, reached
from contracts.refs import ConversationRef
from mail.values import Address
from rules.auto_mail import AutoMail, AutoTemplate, automatic_mail
from rules.auto_reply import (
    CORRESPONDENT_CAPS,
    EVERYWHERE_CAPS,
    INBOX_CAPS,
    TENANT_CAPS,
    AutoReplyFacts,
    answer_to,
    silence,
)
from rules.signatures import automatic_signature
from store import loop_breaches, loop_budgets
from store.addresses import address_key
from store.auto_responses import (
    AutomaticMail,
    ConversationFacts,
    lock_facts,
    queue_answer,
    read_claim,
    stay_silent,
)
from store.unit_of_work import Database


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
                    earlier = str(known.message_id) if known.message_id else None
                    return AutoResponseClaim(earlier, known.outcome, str(facts.inbox_id))
                reason = silence(_asked(facts), now)
                mail = None if reason is not None else _mail(facts)
                if reason is None and mail is None:
                    reason = "sender-cannot-be-written-to"
                if reason is None and mail is not None and facts.by_rule and mail.missing:
                    # Nobody looks at it before it leaves: a hole in it would be the customer's to read.
                    reason = f"template-incomplete: {', '.join(mail.missing)}"[:100]
                if reason is None and mail is not None:
                    to = address_key(mail.to.address)
                    reason = await _over_budget(connection, tenant_id, facts.inbox_id, to, now)
                if reason is not None or mail is None:
                    await stay_silent(
                        connection,
                        tenant_id=tenant_id,
                        facts=facts,
                        reason=reason or "silent",
                        workflow_run=run_id(),
                    )
                    return AutoResponseClaim(None, reason or "silent", str(facts.inbox_id))
                message_id = await queue_answer(
                    connection,
                    tenant_id=tenant_id,
                    facts=facts,
                    mail=_queued(mail),
                    now=now,
                    note=_note(mail.missing),
                    workflow_run=run_id(),
                )
                reached(Failpoint.AUTO_RESPONSE_BEFORE_COMMIT)
            reached(Failpoint.AUTO_RESPONSE_CLAIMED)
            return AutoResponseClaim(str(message_id), "answered", str(facts.inbox_id))


async def _over_budget(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, to: str, now: dt.datetime
) -> str | None:
    """Why this mail must be held back; None when it was counted and may go. A breach pauses the rule for the span of the
    budget that was used up, and is told once.
    """
    place: dict[str, Any] = {
        "tenant_id": tenant_id,
        "inbox_id": inbox_id,
        "correspondent_key": to,
        "now": now,
    }
    paused = await loop_breaches.held_back(connection, **place)
    if paused is not None:
        return f"paused-{paused}"
    spent = await loop_budgets.take(
        connection,
        **place,
        correspondent_caps=CORRESPONDENT_CAPS,
        everywhere_caps=EVERYWHERE_CAPS,
        inbox_caps=INBOX_CAPS,
        tenant_caps=TENANT_CAPS,
    )
    if spent is None:
        return None
    until = now + dt.timedelta(minutes=spent.minutes)
    await loop_breaches.open_breach(connection, **place, budget=spent.budget, until=until)
    return f"budget-{spent.budget}"


def _asked(facts: ConversationFacts) -> AutoReplyFacts:
    return AutoReplyFacts(
        enabled=facts.enabled,
        has_template=bool(facts.template_text.strip() or (facts.template_html or "").strip()),
        conversation_historical=facts.historical,
        first_received_at=facts.first_received_at,
        first_stored_at=facts.first_stored_at,
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


def _mail(facts: ConversationFacts) -> AutoMail | None:
    return automatic_mail(
        AutoTemplate(facts.template_subject, facts.template_text, facts.template_html),
        number=facts.number,
        subject=facts.subject,
        org_name=facts.org_name,
        inbox_name=facts.inbox_name,
        to=Address(answer_to(return_path=facts.return_path, sender=facts.sender), facts.sender_name),
        customer_name=facts.customer_name,
        customer_company=facts.customer_company,
        inbox_email=facts.inbox_address,
        signature=automatic_signature(facts.inbox_settings, facts.inbox_signature),
    )


def _queued(mail: AutoMail) -> AutomaticMail:
    return AutomaticMail(mail.to.address, mail.to.name, mail.subject, mail.text, mail.html)


def _note(missing: tuple[str, ...]) -> str:
    return f"the template names unknown placeholders: {', '.join(missing)}" if missing else ""
