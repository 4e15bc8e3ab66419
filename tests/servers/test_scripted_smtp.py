"""The scripted SMTP server keeps its word, seen through the standard library's client."""

import asyncio
import gc
import hashlib
import smtplib
import socket
import warnings

import pytest

from tests.servers.scripted_smtp import Close, Garbage, Reply, Reset, ScriptedSmtp, Silence, Slow

MAIL = b"From: a@example.com\r\nMessage-ID: <one@example.com>\r\n\r\n.hidden dot\r\nline\r\n"


def _client(server: ScriptedSmtp, timeout: float = 5) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, local_hostname="client.example.com", timeout=timeout)


def _send(server: ScriptedSmtp, recipients: list[str]) -> dict[str, tuple[int, bytes]]:
    with _client(server) as client:
        return client.sendmail("a@example.com", recipients, MAIL)


async def test_unscripted_it_takes_the_very_bytes(scripted_smtp: ScriptedSmtp) -> None:
    await asyncio.to_thread(_send, scripted_smtp, ["b@example.com"])
    (mail,) = scripted_smtp.accepted
    assert mail.raw == MAIL
    assert mail.sha256 == hashlib.sha256(MAIL).hexdigest()
    assert (mail.message_id, mail.mail_from, mail.rcpt_tos) == ("<one@example.com>", "a@example.com", ("b@example.com",))


def test_a_blocking_client_on_the_test_thread_is_served(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("rcpt", Reply("550 5.1.1 no"), nth=2)
    refused = _send(scripted_smtp, ["b@example.com", "c@example.com", "d@example.com"])
    assert refused == {"c@example.com": (550, b"5.1.1 no")}
    assert scripted_smtp.accepted[0].rcpt_tos == ("b@example.com", "d@example.com")


@pytest.mark.parametrize(("stored", "count"), [(True, 1), (False, 0)])
def test_reply_to_the_dot_can_get_lost_with_or_without_the_mail(
    scripted_smtp: ScriptedSmtp, stored: bool, count: int
) -> None:
    scripted_smtp.on("dot", Close(), stored=stored)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        _send(scripted_smtp, ["b@example.com"])
    assert len(scripted_smtp.accepted) == count


def test_reset_inside_the_body(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("body", Reset(), after_bytes=20, times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        _send(scripted_smtp, ["b@example.com"])
    _send(scripted_smtp, ["b@example.com"])
    assert len(scripted_smtp.accepted) == 1


@pytest.mark.parametrize("phase", ["connect", "banner", "ehlo", "mail", "rcpt", "data"])
def test_hanging_up_before_the_dot_accepts_nothing(scripted_smtp: ScriptedSmtp, phase: str) -> None:
    scripted_smtp.on(phase, Close())  # type: ignore[arg-type]
    with pytest.raises(smtplib.SMTPServerDisconnected):
        _send(scripted_smtp, ["b@example.com"])
    assert scripted_smtp.accepted == []


def test_silence_lasts_until_the_client_gives_up(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("banner", Silence())
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        _client(scripted_smtp, timeout=0.3)


def test_garbage_and_slow_answers(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("mail", Slow(seconds=0.2), times=1)
    _send(scripted_smtp, ["b@example.com"])
    scripted_smtp.on("mail", Garbage(b"nonsense\r\n"))
    with pytest.raises(smtplib.SMTPException):
        _send(scripted_smtp, ["b@example.com"])
    assert len(scripted_smtp.accepted) == 1


def test_login_over_starttls(scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.offer_starttls = True
    scripted_smtp.users = {"agent": "secret"}
    client = smtplib.SMTP("localhost", scripted_smtp.port, local_hostname="client.example.com", timeout=5)
    with client:
        client.starttls(context=scripted_smtp.certificates.client_context())
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("agent", "wrong")
        client.login("agent", "secret")
        client.sendmail("a@example.com", ["b@example.com"], MAIL)
    assert scripted_smtp.accepted[0].user == "agent"
    assert all("secret" not in command for command in scripted_smtp.commands)


def test_implicit_tls(scripted_smtp: ScriptedSmtp) -> None:
    context = scripted_smtp.certificates.client_context()
    with smtplib.SMTP_SSL("localhost", scripted_smtp.tls_port, local_hostname="c.example.com", context=context) as client:
        client.sendmail("a@example.com", ["b@example.com"], MAIL)
    assert len(scripted_smtp.accepted) == 1


async def test_a_handshake_under_way_leaves_no_socket_behind(scripted_smtp: ScriptedSmtp) -> None:
    """A socket that is left open is found by the garbage collector, in the middle of whichever test runs then."""
    with socket.create_connection((scripted_smtp.host, scripted_smtp.tls_port)):
        await asyncio.sleep(0.1)  # accepted, and waiting for a greeting that never comes
        await scripted_smtp.stop()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
    assert not told
