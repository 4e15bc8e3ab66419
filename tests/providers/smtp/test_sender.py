"""Every phase of a submission against every fault: what may be called sent, unsent or unknown."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from providers.egress import EgressPolicy
from providers.errors import (
    AuthFailed,
    AuthUnavailable,
    EgressBlocked,
    Refused,
    Throttled,
    TlsFailed,
    TooLarge,
)
from providers.secret import Secret
from providers.smtp.account import SmtpAccount
from providers.smtp.outcome import Stage, SubmitOutcome
from providers.smtp.sender import SmtpSender
from tests.servers.scripted_smtp import (
    Action,
    Close,
    Garbage,
    Phase,
    Reply,
    Reset,
    ScriptedSmtp,
    Silence,
    Slow,
)

POLICY = EgressPolicy(allow=(ip_network("127.0.0.0/8"),), check_ports=False)
RAW = (
    b"From: support@example.com\r\nTo: ann@example.org\r\nMessage-ID: <one@example.com>\r\n\r\n"
    b"Hello\r\n.\r\n..two dots\r\n.leading\r\nend\r\n"
)
TO = ("ann@example.org", "bob@example.org")


def account_for(server: ScriptedSmtp, **changes: Any) -> SmtpAccount:
    server.users = {"agent": "right"}
    account = SmtpAccount(
        server.host,
        server.port,
        "plain",
        "agent",
        Secret("right"),
        command_timeout=0.5,
        connect_timeout=0.5,
        dot_timeout=0.5,
    )
    return replace(account, **changes)


class Stages:
    """Records what was committed before each stage, and fails where a test wants it to."""

    def __init__(
        self,
        fail_at: Stage | None = None,
        error: BaseException | None = None,
        *,
        pause_before_dot: float = 0.0,
    ) -> None:
        self._pause = pause_before_dot
        self.seen: list[Stage] = []
        self._fail_at = fail_at
        self._error = error or RuntimeError("the stage could not be committed")

    async def __call__(self, stage: Stage) -> None:
        if stage is self._fail_at:
            raise self._error
        if stage is Stage.DOT:
            await asyncio.sleep(self._pause)  # a commit takes its time, and the server may speak meanwhile
        self.seen.append(stage)


async def submit(server: ScriptedSmtp, stages: Stages | None = None, **changes: Any) -> SubmitOutcome:
    sender = SmtpSender(account_for(server, **changes), POLICY)
    return await sender.submit(RAW, "support@example.com", TO, stages or Stages())


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in two seconds")


async def test_accepted_mail_arrives_byte_for_byte(scripted_smtp: ScriptedSmtp) -> None:
    stages = Stages()
    outcome = await submit(scripted_smtp, stages)
    assert (outcome.kind, outcome.stage, outcome.code) == ("accepted", Stage.DOT, 250)
    assert [one.kind for one in outcome.recipients] == ["accepted", "accepted"]
    assert stages.seen == list(Stage)
    [mail] = scripted_smtp.accepted
    assert hashlib.sha256(mail.raw).digest() == hashlib.sha256(RAW).digest()
    assert mail.rcpt_tos == TO
    assert mail.user == "agent"
    assert f"SIZE={len(RAW)}" in mail.mail_options
    await eventually(lambda: "QUIT" in scripted_smtp.commands)


FAULTS: dict[str, Action] = {
    "421": Reply("421 4.3.2 closing down, ann@example.org"),
    "450": Reply("450 4.2.0 greylisted"),
    "550": Reply("550 5.7.1 no <ann@example.org> here"),
    "close": Close(),
    "reset": Reset(),
    "silence": Silence(3.0),
    "garbage": Garbage(),
}
BEFORE_THE_DOT = {"421": "deferred", "450": "deferred", "550": "rejected"}
AT_THE_DOT = BEFORE_THE_DOT | dict.fromkeys(("close", "reset", "silence", "garbage"), "unknown")
STAGE_OF = {
    "banner": Stage.CONNECT,
    "ehlo": Stage.CONNECT,
    "auth": Stage.AUTH,
    "mail": Stage.MAIL,
    "rcpt": Stage.RCPT,
    "data": Stage.BODY,
    "body": Stage.BODY,
    "dot": Stage.DOT,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("phase", STAGE_OF)
async def test_lost_connection_and_codes_in_every_phase(
    scripted_smtp: ScriptedSmtp, phase: Phase, fault: str
) -> None:
    """S-2, S-3, S-6: a code decides; without one it is `not_sent` before the dot and `unknown` from the dot on."""
    scripted_smtp.on(phase, FAULTS[fault], stored=(phase == "dot" and fault not in BEFORE_THE_DOT) or None)
    stages = Stages(pause_before_dot=0.15 if phase == "body" else 0.0)
    outcome = await submit(scripted_smtp, stages)

    expected = (AT_THE_DOT if phase == "dot" else BEFORE_THE_DOT).get(fault, "not_sent")
    if (phase, fault) == ("body", "silence"):
        expected = "unknown"  # a server that stops reading shows only when the dot is not answered
    assert outcome.kind == expected
    if fault in BEFORE_THE_DOT:
        assert outcome.code == int(fault)
        assert "@" not in outcome.reply_text
    assert {one.kind for one in outcome.recipients} == {expected}
    if expected == "not_sent":
        assert scripted_smtp.accepted == []
    if expected == "unknown" and phase == "dot":
        assert len(scripted_smtp.accepted) == 1  # it was taken, and we may not claim that it was not
        assert stages.seen[-1] is Stage.DOT
    if fault in BEFORE_THE_DOT and phase not in ("body", "rcpt"):
        assert outcome.stage is STAGE_OF[phase]


async def test_recipients_refused_singly_are_reported_and_the_rest_sent(scripted_smtp: ScriptedSmtp) -> None:
    """S-7"""
    scripted_smtp.on("rcpt", Reply("550 5.1.1 <bob@example.org> unknown"), nth=2)
    scripted_smtp.on("rcpt", Reply("450 4.2.1 try later"), nth=3)
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    outcome = await sender.submit(RAW, "support@example.com", (*TO, "cy@example.org"), Stages())
    assert outcome.kind == "accepted"
    told = {one.address: (one.kind, one.code, one.enhanced) for one in outcome.recipients}
    assert told == {
        "ann@example.org": ("accepted", 250, "2.0.0"),
        "bob@example.org": ("rejected", 550, "5.1.1"),
        "cy@example.org": ("deferred", 450, "4.2.1"),
    }
    assert scripted_smtp.accepted[0].rcpt_tos == ("ann@example.org",)


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (("550 5.1.1 no", "551 5.1.1 no"), "rejected"),
        (("550 5.1.1 no", "450 4.2.1 later"), "deferred"),
        (("450 4.2.1 later", "450 4.2.1 later"), "deferred"),
    ],
)
async def test_all_recipients_refused_means_no_data(
    scripted_smtp: ScriptedSmtp, replies: tuple[str, str], kind: str
) -> None:
    for nth, reply in enumerate(replies, 1):
        scripted_smtp.on("rcpt", Reply(reply), nth=nth)
    stages = Stages()
    outcome = await submit(scripted_smtp, stages)
    assert (outcome.kind, outcome.stage, outcome.reason) == (kind, Stage.RCPT, "recipients_refused")
    assert [one.code for one in outcome.recipients] == [int(reply[:3]) for reply in replies]
    assert "DATA" not in scripted_smtp.commands
    assert Stage.BODY not in stages.seen


async def test_421_at_rcpt_ends_the_session_and_defers_all(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("rcpt", Reply("421 4.7.0 too fast"), nth=2)
    outcome = await submit(scripted_smtp)
    assert (outcome.kind, outcome.reason) == ("deferred", "server_closing")
    assert {one.kind for one in outcome.recipients} == {"deferred"}


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_stage_that_is_not_committed_is_not_entered(
    scripted_smtp: ScriptedSmtp, stage: Stage
) -> None:
    """S-2: above all, a dot that was not committed never goes out."""
    error = RuntimeError("the database is down")
    stages = Stages(stage, error)
    outcome = await submit(scripted_smtp, stages)
    assert (outcome.kind, outcome.reason, outcome.error) == ("not_sent", "stage_not_committed", error)
    assert stages.seen == list(Stage)[: list(Stage).index(stage)]
    await asyncio.sleep(0.1)
    assert scripted_smtp.accepted == []
    assert "QUIT" not in scripted_smtp.commands
    if stage is Stage.CONNECT:
        assert scripted_smtp.connections == 0


async def test_cancelled_before_the_dot_nothing_is_sent(scripted_smtp: ScriptedSmtp) -> None:
    with pytest.raises(asyncio.CancelledError):
        await submit(scripted_smtp, Stages(Stage.DOT, asyncio.CancelledError()))
    await asyncio.sleep(0.1)
    assert scripted_smtp.accepted == []


async def test_cancelled_while_waiting_frees_its_thread_at_once(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("dot", Silence(30.0), stored=True)
    stages = Stages()
    task = asyncio.create_task(submit(scripted_smtp, stages, dot_timeout=30.0))
    await eventually(lambda: bool(scripted_smtp.accepted))
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 2
    assert stages.seen[-1] is Stage.DOT


async def test_errors_at_quit_are_ignored(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("accepted", Reset())
    outcome = await submit(scripted_smtp)
    assert outcome.kind == "accepted"


async def test_slow_answer_to_the_dot_is_waited_for(scripted_smtp: ScriptedSmtp) -> None:
    """S-4: the dot has a time-out of its own, ten minutes and more unless a test shortens it."""
    assert SmtpAccount("mail.example.com", 587, "starttls").dot_timeout >= 600
    assert SmtpAccount("mail.example.com", 587, "starttls").command_timeout >= 300
    scripted_smtp.on("dot", Slow(0.8))
    outcome = await submit(scripted_smtp, dot_timeout=5.0)
    assert outcome.kind == "accepted"


async def test_positive_reply_cut_in_the_middle_is_unknown(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("dot", Close(b"250-2.0.0 que"), stored=True)
    outcome = await submit(scripted_smtp)
    assert (outcome.kind, outcome.code) == ("unknown", None)


async def test_354_again_at_the_dot_is_unknown(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("dot", Reply("354 go on"), stored=True)
    outcome = await submit(scripted_smtp)
    assert (outcome.kind, outcome.reason) == ("unknown", "reply_unreadable")


async def test_refusal_in_the_middle_of_the_body_is_heard(scripted_smtp: ScriptedSmtp) -> None:
    """A library that sends body and dot in one go would report this as a lost connection."""
    scripted_smtp.on("body", Reply("552 5.3.4 too much"), times=1)
    outcome = await submit(scripted_smtp, Stages(pause_before_dot=0.2))
    assert (outcome.kind, outcome.code, outcome.enhanced) == ("rejected", 552, "5.3.4")
    assert scripted_smtp.accepted == []


# -- what the server offers ---------------------------------------------------------------------------------------


async def test_size_limit_is_respected_before_sending(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.extensions = ["SIZE 100"]
    outcome = await submit(scripted_smtp)
    assert (outcome.kind, outcome.stage, type(outcome.error)) == ("rejected", Stage.MAIL, TooLarge)
    assert not any(line.startswith("MAIL") for line in scripted_smtp.commands)


async def test_internationalised_addresses_smtputf8_or_refused_clearly(scripted_smtp: ScriptedSmtp) -> None:
    account = account_for(scripted_smtp)
    recipients = ("zoë@example.org",)
    scripted_smtp.extensions = ["8BITMIME"]
    refused = await SmtpSender(account, POLICY).submit(RAW, "support@example.com", recipients, Stages())
    assert (refused.kind, refused.reason, type(refused.error)) == (
        "rejected",
        "smtputf8_unavailable",
        Refused,
    )
    scripted_smtp.extensions = ["8BITMIME", "SMTPUTF8"]
    sent = await SmtpSender(account, POLICY).submit(RAW, "support@example.com", recipients, Stages())
    assert sent.kind == "accepted"
    assert scripted_smtp.accepted[0].rcpt_tos == recipients
    assert "SMTPUTF8" in scripted_smtp.accepted[0].mail_options


async def test_international_domain_goes_out_as_a_labels(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.extensions = []
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    outcome = await sender.submit(RAW, "support@example.com", ("ann@bücher.example",), Stages())
    assert outcome.kind == "accepted"
    assert outcome.recipients[0].address == "ann@bücher.example"
    assert scripted_smtp.accepted[0].rcpt_tos == ("ann@xn--bcher-kva.example",)


async def test_eight_bit_mail_needs_8bitmime(scripted_smtp: ScriptedSmtp) -> None:
    raw = "Subject: x\r\n\r\nGrüße\r\n".encode()
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    assert (await sender.submit(raw, "a@example.com", TO, Stages())).kind == "accepted"
    assert "BODY=8BITMIME" in scripted_smtp.accepted[0].mail_options
    scripted_smtp.extensions = []
    assert (await sender.submit(raw, "a@example.com", TO, Stages())).reason == "eightbit_unavailable"


async def test_null_sender(scripted_smtp: ScriptedSmtp) -> None:
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    assert (await sender.submit(RAW, "", TO, Stages())).kind == "accepted"
    assert any(line.startswith("MAIL FROM:<>") for line in scripted_smtp.commands)


async def test_mail_without_last_line_end_gets_one(scripted_smtp: ScriptedSmtp) -> None:
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    await sender.submit(b"Subject: x\r\n\r\nlast", "a@example.com", TO, Stages())
    assert scripted_smtp.accepted[0].raw == b"Subject: x\r\n\r\nlast\r\n"


@pytest.mark.parametrize("raw", [b"", b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n\r\n", b"a\r\r\n", b"a\r\n\r"])
async def test_bare_cr_or_lf_is_refused(scripted_smtp: ScriptedSmtp, raw: bytes) -> None:
    """SMTP smuggling lives on bare line feeds."""
    with pytest.raises(ValueError, match="mail to send"):
        await SmtpSender(account_for(scripted_smtp), POLICY).submit(raw, "a@example.com", TO, Stages())
    assert scripted_smtp.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "a@example.com\r\nRCPT TO:<x@example.com>",
        "a\0@example.com",
        "a@example.com> SIZE=1",
        "a b@example.com",
        "",
        "a",
    ],
)
async def test_injection_in_an_address_is_refused_without_repeating_it(
    scripted_smtp: ScriptedSmtp, address: str
) -> None:
    """X-30"""
    sender = SmtpSender(account_for(scripted_smtp), POLICY)
    with pytest.raises(ValueError, match=r"recipients\[1\]") as caught:
        await sender.submit(RAW, "a@example.com", ("ann@example.org", address), Stages())
    assert "example.com" not in str(caught.value).replace("name@example.com", "")
    assert scripted_smtp.connections == 0


# -- sign-in and TLS ----------------------------------------------------------------------------------------------


async def test_wrong_password_is_rejected_at_auth(scripted_smtp: ScriptedSmtp) -> None:
    outcome = await submit(scripted_smtp, secret=Secret("wrong"))
    assert (outcome.kind, outcome.stage, outcome.code) == ("rejected", Stage.AUTH, 535)
    assert isinstance(outcome.error, AuthFailed)
    assert "wrong" not in repr(outcome)


async def test_login_mechanism_where_plain_is_missing(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.extensions = ["AUTH LOGIN"]
    account = account_for(scripted_smtp)
    scripted_smtp.users, scripted_smtp.tokens = {}, {}
    outcome = await SmtpSender(account, POLICY).submit(RAW, "a@example.com", TO, Stages())
    assert (outcome.kind, outcome.stage) == (
        "rejected",
        Stage.AUTH,
    )  # the script knows no users; LOGIN was tried
    assert scripted_smtp.commands.count("AUTH") == 1


@pytest.mark.parametrize("token", ["good", "stale"])
async def test_xoauth2(scripted_smtp: ScriptedSmtp, token: str) -> None:
    account = account_for(scripted_smtp, auth="xoauth2", secret=Secret(token))
    scripted_smtp.tokens = {"agent": "good"}
    outcome = await SmtpSender(account, POLICY).submit(RAW, "a@example.com", TO, Stages())
    assert outcome.kind == ("accepted" if token == "good" else "rejected")


async def test_xoauth2_error_arrives_as_challenge_answer_empty_line(scripted_smtp: ScriptedSmtp) -> None:
    account = account_for(scripted_smtp, auth="xoauth2", secret=Secret("stale"))
    scripted_smtp.tokens = {"agent": "good"}
    scripted_smtp.on("auth", Reply("334 eyJzdGF0dXMiOiI0MDEifQ=="))
    with pytest.raises(AuthFailed):
        await SmtpSender(account, POLICY).verify()
    assert scripted_smtp.commands[-1] == ""


async def test_starttls_then_auth(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.offer_starttls = True
    authority = str(scripted_smtp.certificates.authority)
    outcome = await submit(scripted_smtp, security="starttls", host="localhost", ca_file=authority)
    assert outcome.kind == "accepted"
    verbs = [line.split(" ")[0] for line in scripted_smtp.commands]
    assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_bytes_before_tls_are_dropped(scripted_smtp: ScriptedSmtp) -> None:
    """X-23"""
    scripted_smtp.offer_starttls = True
    scripted_smtp.on("starttls", Reply("220 go\r\n554 injected"))
    authority = str(scripted_smtp.certificates.authority)
    outcome = await submit(scripted_smtp, security="starttls", host="localhost", ca_file=authority)
    assert outcome.kind == "accepted"


async def test_implicit_tls(scripted_smtp: ScriptedSmtp) -> None:
    authority = str(scripted_smtp.certificates.authority)
    outcome = await submit(
        scripted_smtp, security="tls", host="localhost", port=scripted_smtp.tls_port, ca_file=authority
    )
    assert outcome.kind == "accepted"


async def test_unknown_certificate_is_not_trusted(scripted_smtp: ScriptedSmtp) -> None:
    """X-23"""
    outcome = await submit(scripted_smtp, security="tls", host="localhost", port=scripted_smtp.tls_port)
    assert (outcome.kind, outcome.reason) == ("rejected", "certificate_invalid")
    assert isinstance(outcome.error, TlsFailed)


async def test_no_downgrade_where_starttls_is_missing(scripted_smtp: ScriptedSmtp) -> None:
    """X-23"""
    outcome = await submit(scripted_smtp, security="starttls", host="localhost")
    assert (outcome.kind, outcome.reason) == ("rejected", "starttls_missing")
    assert "AUTH" not in scripted_smtp.commands


async def test_blocked_destination_is_final(scripted_smtp: ScriptedSmtp) -> None:
    outcome = await SmtpSender(account_for(scripted_smtp), EgressPolicy(check_ports=False)).submit(
        RAW, "a@example.com", TO, Stages()
    )
    assert (outcome.kind, outcome.stage, type(outcome.error)) == ("rejected", Stage.CONNECT, EgressBlocked)
    assert scripted_smtp.connections == 0


async def test_nothing_listens(scripted_smtp: ScriptedSmtp, closed_port: int) -> None:
    outcome = await submit(scripted_smtp, port=closed_port)
    assert (outcome.kind, outcome.stage, outcome.reason) == ("not_sent", Stage.CONNECT, "connection_refused")


# -- verify -------------------------------------------------------------------------------------------------------


async def test_verify_signs_in_without_sending(scripted_smtp: ScriptedSmtp) -> None:
    await SmtpSender(account_for(scripted_smtp), POLICY).verify()
    assert [line.split(" ")[0] for line in scripted_smtp.commands] == ["EHLO", "AUTH", "QUIT"]


@pytest.mark.parametrize(
    ("phase", "reply", "error"),
    [
        ("auth", Reply("535 5.7.8 no"), AuthFailed),
        ("auth", Reply("454 4.7.0 later"), AuthUnavailable),
        ("banner", Reply("421 4.7.0 too many connections"), Throttled),
        ("ehlo", Reply("554 5.7.1 go away"), Refused),
    ],
)
async def test_verify_tells_what_is_wrong(
    scripted_smtp: ScriptedSmtp, phase: Phase, reply: Reply, error: type[Exception]
) -> None:
    scripted_smtp.on(phase, reply)
    with pytest.raises(error):
        await SmtpSender(account_for(scripted_smtp), POLICY).verify()
