"""Reading SMTP replies: complete or not at all, and fit for people to see."""

import socket

import pytest

from providers.errors import ProtocolBroken, Unreachable
from providers.line_reader import LineReader
from providers.smtp.replies import Reply, read_reply


def reply_to(content: bytes) -> Reply:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.2)
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        return read_reply(LineReader(ours))


@pytest.mark.parametrize(
    ("content", "code", "enhanced"),
    [
        (b"250 2.0.0 OK\r\n", 250, "2.0.0"),
        (b"250-first\r\n250 last\r\n", 250, None),
        (b"250\r\n", 250, None),
        (b"550 5.1.1 x\n", 550, "5.1.1"),
        (b"550 2.1.1 the class does not agree\r\n", 550, None),
        (b"450-4.2.0 a\r\n450 4.2.0 b\r\n", 450, "4.2.0"),
    ],
)
def test_replies(content: bytes, code: int, enhanced: str | None) -> None:
    reply = reply_to(content)
    assert (reply.code, reply.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\r\n",
        b"999 x\r\n",
        b"250-a\r\n550 b\r\n",
        b"250x\r\n",
        b"\r\n",
        b"250-" + b"a" * 9000 + b"\r\n",
        b"250-a\r\n" * 500,
    ],
)
def test_what_is_no_reply(content: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        reply_to(content)


@pytest.mark.parametrize("content", [b"", b"25", b"250-a\r\n", b"250 OK"])
def test_cut_replies_say_nothing(content: bytes) -> None:
    with pytest.raises(Unreachable):
        reply_to(content)


def test_silence_is_a_timeout() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.05)
        with pytest.raises(Unreachable) as caught:
            read_reply(LineReader(ours))
    assert caught.value.reason == "reply_timeout"


def test_text_for_people_has_no_addresses_and_no_control_characters() -> None:
    reply = reply_to(
        b"550-5.1.1 <Ann.Example@example.org>: user\x1b[31m unknown\r\n550 5.1.1 see postmaster@example.com\r\n"
    )
    assert reply.text == "(address): user\N{REPLACEMENT CHARACTER}[31m unknown see (address)"
    assert len(reply_to(b"550 " + b"word " * 800 + b"\r\n").text) <= 400
