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
from contracts.failpoints import Failpoint, reached
from contracts.refs import ConversationRef
from mail.values import Address
from rules.auto_mail import AutoMail, AutoTemplate, automatic_mail
from rules.auto_reply import (
    CORRESPONDENT_CAPS,
    INBOX_CAPS,
    TENANT_CAPS,
    AutoReplyFacts,
    answer_to,
    silence,
)
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
                    return AutoResponseClaim(None, reason or "silent", str(facts.inbox_id))
                message_id = await queue_answer(
                    connection,
                    tenant_id=tenant_id,
                    facts=facts,
                    mail=_queued(mail),
                    now=now,
                    note=_note(mail.missing),
                )
                reached(Failpoint.AUTO_RESPONSE_BEFORE_COMMIT)
            reached(Failpoint.AUTO_RESPONSE_CLAIMED)
            return AutoResponseClaim(str(message_id), "answered", str(facts.inbox_id))


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


def _mail(facts: ConversationFacts) -> AutoMail | None:
    return automatic_mail(
        AutoTemplate(facts.template_subject, facts.template_text, facts.template_html),
        number=facts.number,
        subject=facts.subject,
        org_name=facts.org_name,
        inbox_name=facts.inbox_name,
        # The Return-Path is not kept with the message; RFC 3834 §4 falls back to the address of the author.
        to=Address(answer_to(return_path=None, sender=facts.sender), facts.sender_name),
    )


def _queued(mail: AutoMail) -> AutomaticMail:
    return AutomaticMail(mail.to.address, mail.to.name, mail.subject, mail.text, mail.html)


def _note(missing: tuple[str, ...]) -> str:
    return f"the template names unknown placeholders: {', '.join(missing)}" if missing else ""
