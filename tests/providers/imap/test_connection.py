"""Signing in, TLS and injection: one test per protocol rule."""

from dataclasses import replace
from pathlib import Path

import pytest

from providers.egress import EgressPolicy
from providers.errors import (
    AuthFailed,
    AuthUnavailable,
    ProviderError,
    Refused,
    Throttled,
    TlsFailed,
    Unreachable,
)
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from providers.secret import Secret
from tests.providers.imap.scripted_imap import (
    CUT,
    RAW,
    READ_LINE,
    START_TLS,
    Answer,
    ScriptedImap,
)
from tests.servers.certificates import make_certificates


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"[AUTHENTICATIONFAILED] Invalid credentials", AuthFailed),
        (b"[AUTHORIZATIONFAILED] not yours", AuthFailed),
        (b"[EXPIRED] password expired", AuthFailed),
        (b"LOGIN failed.", AuthFailed),  # Microsoft, without a code
        (b"[ALERT] Application-specific password required: see ann@example.com", AuthFailed),
        (b"[UNAVAILABLE] Temporary authentication failure", AuthUnavailable),
        (b"[INUSE] mailbox locked", AuthUnavailable),
        (b"[OVERQUOTA] full", AuthUnavailable),
        (b"Temporary internal error", AuthUnavailable),
        (b"[LIMIT] slow down", Throttled),
        (b"[UNAVAILABLE] Maximum number of connections from user+IP exceeded", Throttled),
        (b"[ALERT] Too many simultaneous connections. (Failure)", Throttled),
    ],
)
async def test_auth_codes(
    scripted_imap: ScriptedImap, source: ImapSource, words: bytes, error: type[ProviderError]
) -> None:
    scripted_imap.on("LOGIN", [b"TAG NO " + words + b"\r\n"])
    with pytest.raises(ProviderError) as caught:
        await source.open()
    assert type(caught.value) is error
    assert "ann@" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        ([b"* BYE Too many connections, try again later\r\n", CUT], Throttled),
        ([b"* BYE going down\r\n", CUT], Unreachable),
        ([CUT], Unreachable),
        ([b"220 smtp.example.com ESMTP\r\n", CUT], ProviderError),
        ([5.0], Unreachable),
    ],
)
async def test_greetings(local_policy: EgressPolicy, greeting: Answer, error: type[ProviderError]) -> None:
    async with ScriptedImap(greeting) as server:
        account = ImapAccount(
            "127.0.0.1", server.port, "plain", "ann", Secret("x"), connect_timeout=0.4, timeout=0.4
        )
        with pytest.raises(error):
            await ImapSource(account, local_policy).open()


async def test_xoauth2_error_challenge_is_answered_with_an_empty_line(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    scripted_imap.on(
        "AUTHENTICATE XOAUTH2",
        [b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", READ_LINE, b"TAG NO AUTHENTICATE failed.\r\n"],
    )
    with pytest.raises(AuthFailed):
        await ImapSource(replace(scripted_account, auth="xoauth2"), local_policy).open()
    assert scripted_imap.commands[-1].startswith("AUTHENTICATE XOAUTH2 ")
    assert scripted_imap.continuations == [b""]


async def test_id_is_sent_after_sign_in(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    async with source:
        pass
    words = [line.split(" ")[0] for line in scripted_imap.commands]
    assert words.index("LOGIN") < words.index("ID")


async def test_passwords_that_are_not_plain_ascii(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    scripted_imap.on("AUTHENTICATE PLAIN", [b"TAG OK done\r\n"])
    async with ImapSource(replace(scripted_account, secret=Secret("pässwört")), local_policy):
        pass
    async with ImapSource(replace(scripted_account, secret=Secret('a"b\\c d')), local_policy):
        pass
    assert 'LOGIN "ann" "a\\"b\\\\c d"' in scripted_imap.commands


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "a\0b"])
async def test_injection_is_refused_at_the_one_wrapper(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy, text: str
) -> None:
    """X-30"""
    with pytest.raises(AuthFailed) as caught:
        await ImapSource(replace(scripted_account, secret=Secret(text)), local_policy).open()
    assert text not in str(caught.value)
    async with ImapSource(scripted_account, local_policy) as source:
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            await source.examine(text)


async def test_no_starttls_no_sign_in(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    """X-23"""
    scripted_imap.on("STARTTLS", [b"TAG NO not here\r\n"])
    with pytest.raises(TlsFailed):
        await ImapSource(replace(scripted_account, security="starttls"), local_policy).open()
    assert not any(line.startswith(("LOGIN", "AUTH")) for line in scripted_imap.commands)


async def test_bytes_before_tls_are_dropped(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy, tmp_path: Path
) -> None:
    """X-23: what somebody on the path slips in behind the answer to STARTTLS is never read as said under TLS."""
    scripted_imap.certificates = make_certificates(tmp_path)
    scripted_imap.on("STARTTLS", [b"TAG OK go\r\n* BYE injected\r\n", START_TLS])
    account = replace(
        scripted_account,
        host="localhost",
        security="starttls",
        ca_file=str(scripted_imap.certificates.authority),
    )
    async with ImapSource(account, local_policy) as source:
        assert (await source.examine("INBOX")).exists == 3
    words = [line.split(" ")[0] for line in scripted_imap.commands]
    assert words[words.index("STARTTLS") : words.index("LOGIN") + 1] == ["STARTTLS", "CAPABILITY", "LOGIN"]


async def test_preauth_in_clear_text_is_refused(local_policy: EgressPolicy) -> None:
    """X-23: a PREAUTH greeting would skip STARTTLS."""
    async with ScriptedImap([b"* PREAUTH welcome\r\n"]) as server:
        account = ImapAccount("127.0.0.1", server.port, "starttls", "ann", Secret("x"))
        with pytest.raises(TlsFailed):
            await ImapSource(account, local_policy).open()


async def test_dovecot_command_errors_keep_the_connection(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("APPEND", [b"TAG NO [OVERQUOTA] full\r\n"])
    async with source:
        with pytest.raises(Refused) as caught:
            await source.append("Sent", RAW)
        assert caught.value.reason == "over_quota"
        await source.check_alive()
