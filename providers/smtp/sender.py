"""Hands a frozen mail to a submission server and says what is known about the outcome (integrity S-2 to S-7).

Promises never to call something sent or unsent without proof: a reply code decides; without one, everything before
the final dot is `not_sent` and everything from the dot on is `unknown`. Whether to try again is left to the caller.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from providers.egress import EgressPolicy
from providers.errors import ProviderError, Throttled
from providers.executors import Lane, smtp_lane
from providers.smtp.account import SmtpAccount
from providers.smtp.envelope import (
    check_bytes,
    check_path,
    check_recipients,
    mail_parameters,
    stuffed_body,
    wire_path,
)
from providers.smtp.outcome import Kind, RecipientOutcome, Stage, SubmitOutcome
from providers.smtp.replies import Reply
from providers.smtp.session import ReplyRefused, SmtpSession

P = ParamSpec("P")
T = TypeVar("T")
OnStage = Callable[[Stage], Awaitable[None]]


class _Ended(Exception):
    def __init__(self, outcome: SubmitOutcome) -> None:
        super().__init__(outcome.kind)
        self.outcome = outcome


class SmtpSender:
    """Submits mails for one account, one connection per mail. `dot_out` is called when the dot has left and its reply
    was not read yet; a process that dies there leaves a doubt, which is what its caller may want to see.
    """

    def __init__(
        self,
        account: SmtpAccount,
        policy: EgressPolicy,
        *,
        lane: Lane | None = None,
        dot_out: Callable[[], None] = lambda: None,
    ) -> None:
        self._account = account
        self._policy = policy
        self._lane = lane or smtp_lane()
        self._dot_out = dot_out

    async def submit(
        self,
        raw: bytes,
        mail_from: str,
        recipients: Sequence[str],
        on_stage: OnStage,
        smtputf8: bool = False,
    ) -> SubmitOutcome:
        """Try once to hand over `raw` (CRLF lines) from `mail_from` ("" for the null sender) to `recipients`.

        `on_stage` is awaited before each stage is entered; commit it there. If it raises, the connection is dropped
        without entering the stage, and the outcome is `not_sent` with that error: this holds for the dot too, so a
        dot that was not committed never goes out. Raises ValueError for a mail or address that cannot be sent by
        anyone. All else, network and server included, is an outcome. If it dies, or is cancelled, before the dot,
        nothing was accepted; afterwards the outcome is unknown and only the committed stage tells.
        """
        check_bytes(raw)
        check_recipients(recipients)
        if mail_from:
            check_path(mail_from, field="mail_from")
        session = SmtpSession(self._account, self._policy)
        attempt = _Attempt(session, self._lane, recipients, on_stage, self._dot_out)
        return await attempt.run(raw, mail_from, smtputf8=smtputf8)

    async def verify(self) -> None:
        """Connect and sign in without sending. Raises EgressBlocked, Unreachable, TlsFailed, AuthFailed,
        AuthUnavailable, Throttled, Refused, ProtocolBroken.
        """
        session = SmtpSession(self._account, self._policy)
        try:
            await _step(self._lane, session, SmtpSession.open)
            await _step(self._lane, session, SmtpSession.sign_in)
            await _step(self._lane, session, SmtpSession.end)
        except ReplyRefused as refused:
            if refused.reply.code == 421:
                raise Throttled from None
            raise refused.fault from None
        finally:
            session.drop()


class _Attempt:
    """The state of one submission."""

    def __init__(
        self,
        session: SmtpSession,
        lane: Lane,
        recipients: Sequence[str],
        on_stage: OnStage,
        dot_out: Callable[[], None],
    ) -> None:
        self._session = session
        self._lane = lane
        self._on_stage = on_stage
        self._tell_dot_out = dot_out
        self._stage = Stage.CONNECT
        self._dot_is_out = False
        self._leaving = False
        self._last_refusal: Reply | None = None
        self._recipients = {address: RecipientOutcome(address, "not_sent") for address in recipients}

    async def run(self, raw: bytes, mail_from: str, *, smtputf8: bool) -> SubmitOutcome:
        try:
            return await self._talk(raw, mail_from, smtputf8=smtputf8)
        except _Ended as ended:
            return ended.outcome
        except ReplyRefused as refused:
            return self._refused(refused.reply, _REASONS.get(self._stage, "refused"), refused.fault)
        except ProviderError as error:
            return self._failed(error)
        finally:
            if not self._leaving:
                self._session.drop()

    async def _talk(self, raw: bytes, mail_from: str, *, smtputf8: bool) -> SubmitOutcome:
        await self._enter(Stage.CONNECT)
        await self._do(SmtpSession.open)
        await self._enter(Stage.AUTH)
        await self._do(SmtpSession.sign_in)

        await self._enter(Stage.MAIL)
        sender = wire_path(mail_from) if mail_from else ""
        paths = {address: wire_path(address) for address in self._recipients}
        parameters = mail_parameters(
            raw, [sender, *paths.values()], self._session.extensions, smtputf8=smtputf8
        )
        reply = await self._do(SmtpSession.mail_from, sender, parameters)
        if not reply.positive:
            return self._refused(reply, "sender_refused")

        await self._enter(Stage.RCPT)
        for address, path in paths.items():
            await self._ask_recipient(address, path)
        if not any(one.kind == "accepted" for one in self._recipients.values()):
            return self._all_refused()

        await self._enter(Stage.BODY)
        reply = await self._do(SmtpSession.data)
        if reply.code != 354:
            return self._refused(reply, "data_refused")
        early = await self._do(SmtpSession.send_body, stuffed_body(raw))
        if early is not None:
            return self._refused(early, "body_refused")

        await self._enter(Stage.DOT)
        early = await self._do(
            SmtpSession.early_reply
        )  # while the stage was committed the server may have given up
        if early is not None:
            return self._refused(early, "body_refused")
        self._dot_is_out = True
        await self._do(SmtpSession.send_dot)
        self._tell_dot_out()
        reply = await self._do(SmtpSession.dot_reply)
        if reply.positive:
            outcome = self._outcome("accepted", "accepted", reply)
            self._take_leave()
            return outcome
        if reply.code < 400:  # 354 again, or another reply that answers no dot
            return self._outcome("unknown", "reply_unreadable", reply)
        return self._refused(reply, "mail_refused")

    async def _ask_recipient(self, address: str, path: str) -> None:
        reply = await self._do(SmtpSession.rcpt_to, path)
        if reply.code == 421:  # the server is leaving: it is about the session, not about this recipient
            raise _Ended(self._refused(reply, "server_closing"))
        kind: Kind = "accepted" if reply.positive else reply.refusal
        self._recipients[address] = RecipientOutcome(address, kind, reply.code, reply.enhanced)
        self._last_refusal = self._last_refusal if reply.positive else reply

    def _all_refused(self) -> SubmitOutcome:
        """No recipient is left. Those refused for now keep the mail alive; those refused for good are told singly."""
        self._take_leave()
        kind: Kind = (
            "deferred" if any(one.kind == "deferred" for one in self._recipients.values()) else "rejected"
        )
        return self._outcome(kind, "recipients_refused", self._last_refusal, keep=True)

    def _take_leave(self) -> None:
        """QUIT, without anybody waiting for it: it must neither delay nor, by being cancelled, lose the outcome."""
        self._leaving = True
        self._lane.hand_over(self._session.end)

    async def _enter(self, stage: Stage) -> None:
        try:
            await self._on_stage(stage)
        except (
            Exception
        ) as error:  # whatever keeps the caller from committing the stage keeps us from entering it
            raise _Ended(self._outcome("not_sent", "stage_not_committed", error=error)) from None
        self._stage = stage

    async def _do(
        self, work: Callable[Concatenate[SmtpSession, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await _step(self._lane, self._session, work, *args, **kwargs)

    def _refused(self, reply: Reply, reason: str, error: ProviderError | None = None) -> SubmitOutcome:
        return self._outcome(reply.refusal, reason, reply, error=error)

    def _failed(self, error: ProviderError) -> SubmitOutcome:
        if self._dot_is_out:
            return self._outcome("unknown", error.reason, error=error)
        return self._outcome("not_sent" if error.transient else "rejected", error.reason, error=error)

    def _outcome(
        self,
        kind: Kind,
        reason: str,
        reply: Reply | None = None,
        *,
        error: Exception | None = None,
        keep: bool = False,
    ) -> SubmitOutcome:
        """The outcome for all: what a recipient was refused for stays, the accepted ones share the mail's fate."""
        code, enhanced = (reply.code, reply.enhanced) if reply is not None else (None, None)
        told = tuple(
            one
            if keep or one.kind in ("deferred", "rejected")
            else RecipientOutcome(one.address, kind, code, enhanced)
            for one in self._recipients.values()
        )
        text = reply.text if reply is not None else ""
        return SubmitOutcome(kind, self._stage, reason, told, code, enhanced, text, error)


_REASONS = {Stage.CONNECT: "connection_refused", Stage.AUTH: "sign_in_refused"}


async def _step(
    lane: Lane,
    session: SmtpSession,
    work: Callable[Concatenate[SmtpSession, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """One blocking step in the lane. Cancelling breaks the connection, so that its thread comes free at once."""
    job = asyncio.ensure_future(lane.run(work, session, *args, **kwargs))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        session.interrupt()
        await asyncio.wait([job], timeout=5.0)
        if job.done() and not job.cancelled():
            job.exception()  # seen: the attempt was called off
        raise
