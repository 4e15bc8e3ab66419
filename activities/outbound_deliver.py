"""One submission of a frozen mail, over SMTP, SES or a mailbox's API, recorded stage by stage and ended with what is proven (S-2 to S-7).

If it dies before the stage `dot` is committed, nothing was accepted and the next attempt sends the same bytes. If it
dies after, the row stands at `dot` and nobody submits it again. A copy of this step that wakes up late can commit no
stage and so sends no dot.
"""

import asyncio
import datetime as dt
import hashlib
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from activities._edges import edges, failure
from activities.accounts import API_PROVIDERS, SES, Accounts
from activities.deliver_api import ApiRoute, HandedOver
from activities.deliver_ses import SesPost, SesRoute
from activities.heartbeat import heartbeats
from activities.outbound_compose import run_id
from activities.turns import FairTurns
from contracts.failpoints import Failpoint, reached
from contracts.outbound import DeliverOutcome, DeliverReport, OutboundSteps
from contracts.refs import MessageRef
from contracts.timing import DEFERRED_FIRST, DEFERRED_LAST, GIVE_UP_AFTER
from mail.outgoing_addresses import checked
from mail.values import Address
from providers.errors import ProviderError
from providers.mail_api import SentMail
from providers.s3.blobs import BlobStore
from providers.smtp.account import SmtpAccount
from providers.smtp.outcome import RecipientOutcome, Stage, SubmitOutcome
from rules.send_retry import next_wait
from store.api_drafts import note_sent
from store.outbound_attempts import Claim, claim, commit_stage
from store.outbound_frozen import Envelope, read_envelope
from store.outbound_outcomes import AttemptEnd, End, RecipientEnd, end_attempt
from store.unit_of_work import Database

log = logging.getLogger(__name__)

SEATS, OF_ONE_TENANT = 128, 48  # submissions at a time; a server that is silent at the dot holds one for ten minutes
SEAT_SECONDS = 300.0  # waiting longer would leave too little of the step's time for the dot (integrity S-4)
# Seconds between tries to record an outcome. An outcome that is not recorded becomes a doubt, so we are stubborn.
RECORD_AGAIN_AFTER = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0, 60.0, 60.0)
OUTCOMES = {
    End.SENT: DeliverOutcome.SENT,
    End.DEFERRED: DeliverOutcome.DEFERRED,
    End.FAILED: DeliverOutcome.FAILED,
    End.UNKNOWN: DeliverOutcome.UNKNOWN,
    End.STALE: DeliverOutcome.STALE,
}
COMMITTED = {stage: Failpoint[f"DELIVER_STAGE_{stage.name}"] for stage in Stage}
ENDED = {
    "cancelled": DeliverOutcome.CANCELLED,
    "sent": DeliverOutcome.SENT,
    "failed": DeliverOutcome.FAILED,
    "unknown": DeliverOutcome.UNKNOWN,
}

OnStage = Callable[[Stage], Awaitable[None]]
HandOver = Callable[[Envelope, OnStage, int], Awaitable[HandedOver]]


class Submitter(Protocol):
    """What `providers.smtp.sender.SmtpSender` offers."""

    async def submit(
        self,
        raw: bytes,
        mail_from: str,
        recipients: Sequence[str],
        on_stage: Callable[[Stage], Awaitable[None]],
        smtputf8: bool = False,
    ) -> SubmitOutcome: ...


class OutboundDeliver(OutboundSteps):
    """`submitter` makes a sender for an account, whose `dot_timeout` is at least 600 seconds outside of tests (S-4).
    `ses` is the operator's own, for inboxes that send through it. `clock` gives aware instants, `chance` numbers in [0, 1)
    for the jitter of retries.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        blobs: BlobStore,
        submitter: Callable[[SmtpAccount], Submitter],
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        chance: Callable[[], float] = random.random,
        turns: FairTurns | None = None,
        ses: SesPost | None = None,
    ) -> None:
        self._ses = ses
        self._turns = turns or FairTurns(SEATS, most_of_one=OF_ONE_TENANT)
        self._database = database
        self._accounts = accounts
        self._blobs = blobs
        self._submitter = submitter
        self._clock = clock
        self._chance = chance

    @activity.defn(name="outbound.deliver")
    async def deliver(self, ref: MessageRef) -> DeliverReport:
        with edges():
            tenant_id, message_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(heartbeats())
                try:
                    await stack.enter_async_context(self._turns.turn(tenant_id, within=SEAT_SECONDS))
                except TimeoutError:
                    raise failure("Unreachable") from None  # too many of our own mails hang at their servers
                return await self._deliver(tenant_id, message_id)

    async def _deliver(self, tenant_id: uuid.UUID, message_id: uuid.UUID) -> DeliverReport:
        async with self._database.unit_of_work(tenant_id) as connection:
            envelope = await read_envelope(connection, tenant_id=tenant_id, message_id=message_id)
        if envelope is None:
            raise failure("NotFound")
        if envelope.send_status in ENDED:
            return DeliverReport(ENDED[envelope.send_status])
        # Everything that may fail without a word to the server comes before the claim.
        raw = await self._frozen_bytes(envelope)
        inbox = await self._accounts.inbox(str(tenant_id), str(envelope.inbox_id))
        if inbox.provider not in API_PROVIDERS:
            sender = self._submitter(self._accounts.smtp(inbox))

            async def by_smtp(mail: Envelope, on_stage: OnStage, _: int) -> HandedOver:
                return HandedOver(await self._submit(sender, raw, mail, on_stage))

            return await self._attempt(tenant_id, message_id, by_smtp)
        if inbox.provider == SES:
            if self._ses is None:
                raise failure("NotConnected")
            ses = SesRoute(self._database, tenant_id, self._ses.sender, self._ses.region, self._clock)

            async def by_ses(mail: Envelope, on_stage: OnStage, _: int) -> HandedOver:
                return HandedOver(await ses.hand_over(raw, mail, on_stage))

            return await self._attempt(tenant_id, message_id, by_ses)
        route = ApiRoute(self._database, tenant_id, self._accounts.mail_api_sender(inbox), self._clock)

        async def by_api(mail: Envelope, on_stage: OnStage, attempt: int) -> HandedOver:
            return await route.hand_over(raw, mail, attempt, on_stage)

        try:
            return await self._attempt(tenant_id, message_id, by_api)
        finally:
            await route.close()

    async def _attempt(
        self, tenant_id: uuid.UUID, message_id: uuid.UUID, hand_over: HandOver
    ) -> DeliverReport:
        """The row is claimed, the mail handed over, the end written; how it is handed over is the provider's affair."""
        reached(Failpoint.DELIVER_BEFORE_CLAIM)
        async with self._database.unit_of_work(tenant_id) as connection:
            mine = await claim(
                connection,
                tenant_id=tenant_id,
                message_id=message_id,
                now=self._clock(),
                workflow_run=run_id(),
            )
            # Read again under the claim: a report or an earlier attempt may have served some meanwhile.
            envelope = await read_envelope(connection, tenant_id=tenant_id, message_id=message_id)
        if envelope is None:
            raise failure("NotFound")
        if mine is None:
            return DeliverReport(_not_claimed(envelope.send_status))
        reached(Failpoint.DELIVER_CLAIMED)
        handed = await hand_over(envelope, self._stages(tenant_id, envelope.id, mine.attempt), mine.attempt)
        reached(Failpoint.DELIVER_REPLIED)
        return await self._record(tenant_id, envelope, mine, handed)

    async def _frozen_bytes(self, envelope: Envelope) -> bytes:
        """The bytes that every attempt sends, or a failure: other bytes are never sent (S-1)."""
        raw = await self._blobs.get(envelope.raw_key)
        if hashlib.sha256(raw).hexdigest() != envelope.raw_sha256:
            raise failure("BlobMissing")
        return raw

    def _stages(self, tenant_id: uuid.UUID, message_id: uuid.UUID, attempt: int) -> OnStage:
        """Commits each stage before it is entered, fenced by the attempt's number."""

        async def on_stage(stage: Stage) -> None:
            if stage is Stage.DOT:
                reached(Failpoint.DELIVER_BEFORE_DOT)
            async with self._database.unit_of_work(tenant_id) as connection:
                await commit_stage(
                    connection,
                    tenant_id=tenant_id,
                    message_id=message_id,
                    attempt=attempt,
                    stage=stage.value,
                    workflow_run=run_id(),
                )
            reached(COMMITTED[stage])

        return on_stage

    async def _submit(
        self, sender: Submitter, raw: bytes, envelope: Envelope, on_stage: OnStage
    ) -> SubmitOutcome:
        recipients = [checked(Address(r.address), "to").address for r in envelope.open_recipients]
        own = checked(Address(envelope.from_address), "from_").address
        back = checked(Address(envelope.bounce_address), "bounce_address").address if envelope.bounce_address else own
        utf8 = not all(address.isascii() for address in (*recipients, own, back))
        # RFC 3834 §3.3: an automatic answer has no return address of its own, so that nothing can answer it.
        mail_from = back if envelope.kind == "message" else ""
        outcome = await sender.submit(raw, mail_from, recipients, on_stage, utf8)
        if mail_from != own and outcome.kind == "rejected" and outcome.stage == Stage.MAIL:
            # Seen in practice: submission servers that let nobody send without an address of his own (553, 550), or with
            # another one than his. The refusal proves that nothing was accepted.
            outcome = await sender.submit(raw, own, recipients, on_stage, utf8)
        return outcome

    async def _record(
        self, tenant_id: uuid.UUID, envelope: Envelope, mine: Claim, handed: HandedOver
    ) -> DeliverReport:
        outcome = handed.outcome
        now = self._clock()
        wait = next_wait(
            waited=(now - mine.first_attempt_at).total_seconds(),
            chance=self._chance(),
            first=DEFERRED_FIRST.total_seconds(),
            last=DEFERRED_LAST.total_seconds(),
            give_up_after=GIVE_UP_AFTER.total_seconds(),
            asked=getattr(outcome.error, "retry_after", None),
        )
        end = AttemptEnd(
            attempt=mine.attempt,
            kind=outcome.kind,
            stage=outcome.stage.value,
            sentence=sentence_of(outcome, give_up=wait is None),
            recipients=tuple(RecipientEnd(r.address, r.kind, _told(r)) for r in outcome.recipients),
            code=outcome.code,
            give_up=wait is None,
            next_at=None if wait is None else now + dt.timedelta(seconds=wait),
        )
        written = await self._record_stubbornly(tenant_id, envelope.id, end, now, handed.mail)
        reached(Failpoint.DELIVER_RECORDED)
        return DeliverReport(
            OUTCOMES[written],
            attempt=mine.attempt,
            stage=outcome.stage.value,
            code=outcome.code,
            retry_after_seconds=wait if written is End.DEFERRED else None,
        )

    async def _record_stubbornly(
        self,
        tenant_id: uuid.UUID,
        message_id: uuid.UUID,
        end: AttemptEnd,
        now: dt.datetime,
        mail: SentMail | None,
    ) -> End:
        for pause in (*RECORD_AGAIN_AFTER, None):
            try:
                async with self._database.unit_of_work(tenant_id) as connection:
                    written = await end_attempt(
                        connection,
                        tenant_id=tenant_id,
                        message_id=message_id,
                        end=end,
                        now=now,
                        workflow_run=run_id(),
                    )
                    if mail is not None:
                        await note_sent(
                            connection,
                            tenant_id=tenant_id,
                            message_id=message_id,
                            provider_id=mail.id,
                            thread_id=mail.thread_id,
                            message_id_header=mail.message_id_header,
                        )
                    return written
            except SQLAlchemyError as error:  # a deadlock's victim, or a database that is away for a moment
                if pause is None:
                    raise
                log.warning("an outcome could not be recorded yet", extra={"kind": type(error).__name__})
                await asyncio.sleep(pause)
        raise AssertionError("the loop above returns or raises")


def sentence_of(outcome: SubmitOutcome, *, give_up: bool) -> str:
    """What the agent reads of an attempt; "" when all went well."""
    if outcome.reply_text and outcome.code is not None:
        said = f"{outcome.code} {outcome.reply_text}".strip()
    elif isinstance(outcome.error, ProviderError):
        said = outcome.error.sentence
    else:
        said = f"{outcome.stage.value}: {outcome.reason.replace('_', ' ')}"
    match outcome.kind:
        case "rejected":
            return f"The mail server refused it for good. {said}"
        case "deferred" | "not_sent" if give_up:
            return f"Given up after two days. {said}"
        case "deferred":
            return f"The mail server put it off; it is tried again by itself. {said}"
        case "not_sent":
            return f"It could not be handed over; it is tried again by itself. {said}"
        case "unknown":
            return f"No readable answer came after the whole mail was sent. {said}"
        case _:
            return _of_the_others([r.kind for r in outcome.recipients])


def _of_the_others(kinds: Sequence[str]) -> str:
    """What to say of recipients that were not served although the mail was taken for others."""
    refused, put_off = kinds.count("rejected"), kinds.count("deferred")
    parts = [f"The mail server refused it for {refused} of {len(kinds)}."] if refused else []
    parts += [f"It is tried again for {put_off} of {len(kinds)}."] if put_off else []
    return " ".join(parts)


def _told(recipient: RecipientOutcome) -> str:
    return " ".join(str(part) for part in (recipient.code, recipient.enhanced) if part)


def _not_claimed(status: str) -> DeliverOutcome:
    """Not ours to send: at its dot, ended, or not due yet."""
    if status == "sending":
        return DeliverOutcome.UNKNOWN
    return ENDED.get(status, DeliverOutcome.STALE)
