"""Message-IDs: what passes the strict check, and what is read from broken headers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.message_ids import message_ids_in, synthetic_message_id, valid_message_id


@pytest.mark.parametrize("value", ["<a@example.com>", "<no-at-sign>", "<a+b=c/d@[192.0.2.1]>", "<" + "a" * 250 + ">"])
def test_accepts_printable_ids(value: str) -> None:
    assert valid_message_id(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "<>", "<@>", "a@example.com", "<a b@example.com>", '<"a"@example.com>', "<a\\b@example.com>",
        "<a@example.com", "<a@example.com>\n", "<a@example.com>\r\nA1 LOGOUT", "<a\x00@example.com>",
        "<<a@example.com>>", "<a@exämple.com>", "<" + "a" * 251 + ">", " <a@example.com>",
    ],
)  # fmt: skip
def test_refuses_what_could_end_a_command_or_match_everything(value: str) -> None:
    assert not valid_message_id(value)


def test_reads_ids_in_order_and_once() -> None:
    assert message_ids_in("<b@x.test> <a@x.test>\r\n\t<b@x.test>") == ("<b@x.test>", "<a@x.test>")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("<>", ()),
        ("< a@x.test >", ("<a@x.test>",)),
        ("<a@\r\n x.test>", ("<a@x.test>",)),
        ("Your message of Monday <a@x.test>", ("<a@x.test>",)),
        ("a@x.test, b@x.test", ("<a@x.test>", "<b@x.test>")),
        ("<a@x.test><b@x.test>", ("<a@x.test>", "<b@x.test>")),
        ('<"q"@x.test> <a@x.test>', ("<a@x.test>",)),
        ("Monday's mail", ()),
        ("<<a@x.test>>", ("<a@x.test>",)),
    ],
)
def test_reads_leniently(header: str, expected: tuple[str, ...]) -> None:
    assert message_ids_in(header) == expected


@given(st.text(max_size=200))
def test_every_id_read_is_valid(header: str) -> None:
    assert all(valid_message_id(i) for i in message_ids_in(header))


def test_synthetic_id_is_valid() -> None:
    assert valid_message_id(synthetic_message_id("0" * 64))


@pytest.mark.parametrize("hostile", ["<" * 100_000, "<a" * 50_000, "<a b" * 30_000 + ">", "a@b " * 25_000])
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    message_ids_in(hostile)
    assert time.thread_time() - started < 0.2
