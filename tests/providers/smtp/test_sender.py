"""Every phase of a submission against every fault: what may be called sent, unsent or unknown."""

import asyncio
import hashlib
import time

import pytest

from providers.smtp.account import SmtpAccount
from providers.smtp.outcome import Stage
from providers.smtp.sender import SmtpSender
from tests.providers.smtp.attempts import POLICY, RAW, TO, Stages, account_for, eventually, submit
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
    "silence": Silence(20.0),
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
    # Only the wait that the silence falls into is short, so that a busy machine changes no outcome.
    waits = {"banner": "connect_timeout", "body": "dot_timeout", "dot": "dot_timeout"}
    short = {waits.get(phase, "command_timeout"): 0.3} if fault == "silence" else {}
    outcome = await submit(scripted_smtp, stages, **short)

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
