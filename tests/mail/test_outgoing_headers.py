"""Hand-written folding: what is decoded at the far end is what was meant, and words that must stay whole do."""

from email import message_from_string, policy
from email.header import decode_header, make_header

from hypothesis import given, settings
from hypothesis import strategies as st

from mail.display_text import displayable
from mail.outgoing_addresses import address_header
from mail.outgoing_headers import text_header
from mail.values import Address

_TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=300)


def unfolded(header):
    return header.replace("\r\n", "").partition(":")[2].strip()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_TEXT)
def test_any_subject_reads_back_as_written(value):
    header = text_header("Subject", value)
    assert header.isascii()
    assert all(len(line) <= 998 for line in header.split("\r\n"))
    assert all(line.startswith(" ") and line.strip() for line in header.split("\r\n")[1:])
    assert str(make_header(decode_header(unfolded(header)))) == displayable(value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_TEXT)
def test_any_display_name_reads_back_as_written(value):
    name = displayable(value)
    header = address_header("To", (Address("ann@example.com", name), Address("bob@example.com", name)))
    message = message_from_string(f"{header}\r\n\r\n", policy=policy.compat32)
    assert header.isascii()
    assert list(message) == ["To"]
    first = unfolded(header).rpartition(" <ann@example.com>")[0] if name else ""
    shown = str(make_header(decode_header(first.replace('\\"', '"').replace("\\\\", "\\")))) if first else ""
    assert shown.strip('"') == name.strip('"')


def test_many_recipients_are_folded_between_mailboxes():
    people = tuple(Address(f"person{i}@example.com", f"Person Number {i}") for i in range(50))
    header = address_header("To", people)
    assert all(len(line) <= 78 for line in header.split("\r\n"))
    assert header.count("@") == 50


def test_a_long_ascii_word_keeps_its_line():
    url = "https://example.com/" + "a" * 200
    header = text_header("X-Link", f"see {url} now")
    assert url in header.split("\r\n")[1]


def test_text_that_looks_encoded_is_encoded():
    header = text_header("Subject", "=?utf-8?q?hidden?= sense")
    assert str(make_header(decode_header(unfolded(header)))) == "=?utf-8?q?hidden?= sense"
