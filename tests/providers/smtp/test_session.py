"""What a submission server offers and demands: extensions, sign-in, TLS, addresses."""

import socket
import threading
import time

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
from providers.smtp.outcome import Stage
from providers.smtp.sender import SmtpSender
from providers.smtp.session import SmtpSession
from tests.providers.smtp.attempts import POLICY, RAW, TO, Stages, account_for, submit
from tests.servers.scripted_smtp import (
    Phase,
    Reply,
    ScriptedSmtp,
)

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


def test_a_large_mail_on_a_slow_line_has_no_limit_on_the_whole() -> None:
    """S-4: the time-out is for each block (RFC 5321 §4.5.3.2.5); here the whole takes three times as long."""
    ours, theirs = socket.socketpair()
    for end, option in ((ours, socket.SO_SNDBUF), (theirs, socket.SO_RCVBUF)):
        end.setsockopt(socket.SOL_SOCKET, option, 32 * 1024)
    body, received = b"x" * (1024 * 1024), bytearray()

    def read_slowly() -> None:
        while len(received) < len(body):
            received.extend(theirs.recv(64 * 1024))
            time.sleep(0.02)

    account = SmtpAccount("mail.example.com", 587, "plain", command_timeout=0.25)
    session = SmtpSession(account, POLICY)
    session._use(ours)
    ours.settimeout(account.command_timeout)
    reader = threading.Thread(target=read_slowly)
    reader.start()
    began = time.monotonic()
    assert session.send_body(body) is None
    took = time.monotonic() - began
    reader.join()
    session.drop()
    theirs.close()
    assert bytes(received) == body
    assert took > account.command_timeout
