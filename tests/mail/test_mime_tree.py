"""Where parts begin and end, compared with the standard library on well-formed mail."""

import email
import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.limits import DEFAULT_LIMITS
from mail.mime_tree import read_tree
from mail.transfer_encodings import decode_transfer


def leaves(raw: bytes) -> list[tuple[str, bytes]]:
    root, _, _ = read_tree(raw, DEFAULT_LIMITS)
    return [(leaf.content_type, decode_transfer(leaf.body, leaf.encoding)[0]) for leaf in root.leaves()]


FILES = st.lists(st.tuples(st.sampled_from(["image/png", "application/pdf", "text/csv"]), st.binary(min_size=1, max_size=200)), max_size=4)


@settings(max_examples=40)
@given(files=FILES, html=st.booleans(), crlf=st.booleans())
def test_agrees_with_the_standard_library(files: list[tuple[str, bytes]], html: bool, crlf: bool) -> None:
    message = EmailMessage()
    message.set_content("Hello\nwörld\n")
    if html:
        message.add_alternative("<p>Hello</p>", subtype="html")
    for kind, data in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename="f")
    raw = message.as_bytes(policy=email.policy.SMTP if crlf else email.policy.default)
    theirs = [(p.get_content_type(), p.get_payload(decode=True)) for p in email.message_from_bytes(raw).walk() if not p.is_multipart()]
    assert leaves(raw) == theirs


def test_a_delimiter_must_stand_alone_on_its_line() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext --b\n--b and more\n--bb\n--b--\n"
    assert leaves(raw) == [("text/plain", b"text --b\n--b and more\n--bb")]


def test_message_rfc822_is_one_leaf() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--i--\n"
    raw = b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n" + inner + b"\n--o--\n"
    assert leaves(raw) == [("message/rfc822", inner)]


@pytest.mark.parametrize(
    "hostile",
    [
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b" * 40_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b x\n" * 20_000,
        b"Content-Type: multipart/mixed\n\n" + b"--" * 50_000,
        b"Content-Type: multipart/mixed\n\n" + b"--x\n" * 25_000,
        b"Content-Type: multipart/mixed\n\n" + b"--x " * 25_000,
    ],
)
def test_stays_linear(hostile: bytes) -> None:
    started = time.thread_time()
    read_tree(hostile, DEFAULT_LIMITS)
    assert time.thread_time() - started < 0.3
