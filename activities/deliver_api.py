"""One attempt through a mailbox behind a web API: keep a draft, write its id down, commit `dot`, then ask to send it.

Dies before the id is written: a draft lies unsent in the mailbox, and the next attempt makes another. Dies after: the next one
finds that draft and asks after it first. Dies after `dot`: the row stands in doubt, and `outbound.verify` looks for the draft.
Runs twice or late: the id and `dot` are fenced by the attempt's number, and a draft that was sent cannot be sent again.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.failpoints import Failpoint, reached
from mail.outgoing_addresses import checked
from mail.values import Address
from providers.errors import AuthFailed, ProviderError, Refused, Throttled, TooLarge, Unreachable
from providers.mail_api import MailApiSender, SentMail
from providers.smtp.outcome import Kind, RecipientOutcome, Stage, SubmitOutcome
from store.api_drafts import ApiDraft, keep_draft, note_submitting, read_draft
from store.outbound_attempts import StageLost
from store.outbound_frozen import Envelope
from store.unit_of_work import Database

# Seconds for the one request that sends. `outbound.verify` relies on it: longer ago, no request of a living process runs.
SUBMIT_SECONDS = 100.0
# What an answered request proves: the mail was not taken.
NOT_TAKEN = (Throttled, AuthFailed, Refused, TooLarge)
OnStage = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What is known afterwards. `mail` is what the provider says it sent, where it says so."""

    outcome: SubmitOutcome
    mail: SentMail | None = None


class ApiRoute:
    """`clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        tenant_id: uuid.UUID,
        sender: MailApiSender,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._sender = sender
        self._clock = clock

    async def hand_over(self, raw: bytes, envelope: Envelope, attempt: int, on_stage: OnStage) -> HandedOver:
        """Try once. `on_stage` commits `connect` and `dot` before they are entered, and raises when the row is another's by now:
        then nothing is asked for. Raises nothing itself; what went wrong stands in the outcome.
        """
        people = tuple(r.address for r in envelope.open_recipients)
        try:
            await on_stage(Stage.CONNECT)
            known = await self._known(envelope)
            draft, sent = await self._earlier_draft(known, envelope)
            if sent is not None:
                # Another attempt's request did it after all; nothing is asked for again.
                return HandedOver(_outcome("accepted", Stage.DOT, people), sent)
            if draft is None and known.submitted_at is not None:
                # It was to be sent in this round, and lies nowhere now: from here on only looking helps, never another draft.
                await self._enter_dot(envelope, attempt, on_stage)
                return HandedOver(_outcome("unknown", Stage.DOT, people, Unreachable("draft_gone")))
            if draft is None:
                draft = await self._prepared(raw, envelope, attempt, known.thread)
            await self._enter_dot(envelope, attempt, on_stage)
        except ProviderError as error:
            return HandedOver(
                _outcome("not_sent" if error.transient else "rejected", Stage.CONNECT, people, error)
            )
        except Exception as error:  # whatever keeps us from committing a stage keeps us from entering it
            return HandedOver(_outcome("not_sent", Stage.CONNECT, people, error))
        return await self._submitted(draft, people)

    async def close(self) -> None:
        await self._sender.close()

    async def _known(self, envelope: Envelope) -> ApiDraft:
        async with self._database.unit_of_work(self._tenant_id) as connection:
            known = await read_draft(connection, tenant_id=self._tenant_id, message_id=envelope.id)
        if known is None:
            raise StageLost
        return known

    async def _earlier_draft(self, known: ApiDraft, envelope: Envelope) -> tuple[str | None, SentMail | None]:
        """The draft of an earlier attempt or round, if it lies there still; or the mail that it became."""
        if known.draft_id is None:
            return None, None
        trace = await self._sender.trace(known.draft_id, envelope.message_id)
        reached(Failpoint.DELIVER_DRAFT_TRACED)
        if trace.state == "sent":
            return None, trace.mail or SentMail(known.draft_id, None, None)
        return (known.draft_id, None) if trace.state == "draft" else (None, None)

    async def _prepared(self, raw: bytes, envelope: Envelope, attempt: int, thread: str | None) -> str:
        draft = await self._sender.prepare(with_bcc(raw, envelope), thread_id=thread)
        reached(Failpoint.DELIVER_DRAFT_PREPARED)
        try:
            async with self._database.unit_of_work(self._tenant_id) as connection:
                await keep_draft(
                    connection,
                    tenant_id=self._tenant_id,
                    message_id=envelope.id,
                    attempt=attempt,
                    draft_id=draft,
                )
        except StageLost:
            await self._sender.discard(draft)
            raise
        reached(Failpoint.DELIVER_DRAFT_KEPT)
        return draft

    async def _enter_dot(self, envelope: Envelope, attempt: int, on_stage: OnStage) -> None:
        """The time first, then the stage: one that stands there without `dot` only forbids another draft."""
        async with self._database.unit_of_work(self._tenant_id) as connection:
            await note_submitting(
                connection,
                tenant_id=self._tenant_id,
                message_id=envelope.id,
                attempt=attempt,
                now=self._clock(),
            )
        await on_stage(Stage.DOT)

    async def _submitted(self, draft: str, people: tuple[str, ...]) -> HandedOver:
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                mail = await self._sender.submit(draft)
        except NOT_TAKEN as error:
            kind: Kind = "deferred" if error.transient else "rejected"
            return HandedOver(_outcome(kind, Stage.DOT, people, error))
        except ProviderError as error:
            return HandedOver(_outcome("unknown", Stage.DOT, people, error))
        except Exception:  # whatever it was, the request may have left
            return HandedOver(_outcome("unknown", Stage.DOT, people, Unreachable("answer_lost")))
        return HandedOver(_outcome("accepted", Stage.DOT, people), mail)


def with_bcc(raw: bytes, envelope: Envelope) -> bytes:
    """The frozen bytes, with a Bcc line above them where somebody is to get the mail unseen: such a provider has no envelope and
    sends to whom the draft's To, Cc and Bcc name, and takes the line out of what it sends. The frozen bytes stay without it.
    """
    hidden = [checked(Address(r.address), "bcc").address for r in envelope.recipients if r.type == "bcc"]
    return b"Bcc: " + ",\r\n ".join(hidden).encode() + b"\r\n" + raw if hidden else raw


def _outcome(
    kind: Kind, stage: Stage, people: tuple[str, ...], error: Exception | None = None
) -> SubmitOutcome:
    """One end for all: such a provider takes a mail for everybody or for nobody."""
    reason = (
        error.reason if isinstance(error, ProviderError) else kind if error is None else "stage_not_committed"
    )
    return SubmitOutcome(
        kind, stage, reason, tuple(RecipientOutcome(address, kind) for address in people), error=error
    )
