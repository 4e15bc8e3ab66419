"""The signed Message-ID: read back for its own tenant and secret, and for nothing that differs in a single part."""

import uuid

import pytest

from mail.message_ids import valid_message_id
from mail.reply_token import make_message_id, read_token

SEND = "0190f5e2-7a3b-7c11-8d22-1234567890ab"
SECRET = b"k" * 32


def test_it_is_a_valid_id_and_reads_back():
    made = make_message_id(SEND, 1042, "tenant-a", "desk.example.com", SECRET)
    assert made.startswith("<0190f5e27a3b7c118d221234567890ab.1042.")
    assert made.endswith("@desk.example.com>")
    assert valid_message_id(made)
    assert read_token(made, "tenant-a", SECRET) == 1042
    assert made == make_message_id(SEND.upper(), 1042, "tenant-a", "Desk.Example.com", SECRET)


def test_relays_may_change_case_and_domain():
    made = make_message_id(SEND, 7, "t", "desk.example.com", SECRET)
    assert read_token(made.upper(), "t", SECRET) == 7
    assert read_token(made.replace("desk.example.com", "relay.example.org"), "t", SECRET) == 7


def test_any_other_tenant_secret_number_or_send_is_refused():
    made = make_message_id(SEND, 1042, "tenant-a", "desk.example.com", SECRET)
    assert read_token(made, "tenant-b", SECRET) is None
    assert read_token(made, "tenant-a", b"other" * 8) is None
    assert read_token(made, "tenant-a", b"") is None
    assert read_token(made.replace(".1042.", ".1043."), "tenant-a", SECRET) is None
    assert read_token(made.replace("0190f5e2", "0190f5e3"), "tenant-a", SECRET) is None
    left, _, right = made.partition("@")
    flipped = "a" if left[-1] != "a" else "b"
    assert read_token(f"{left[:-1]}{flipped}@{right}", "tenant-a", SECRET) is None


@pytest.mark.parametrize(
    "other", ["", "<>", "<a@b>", "<CAF=x@mail.gmail.com>", f"<{'a' * 32}.1.short@example.com>"]
)
def test_other_peoples_ids_are_no_tokens(other):
    assert read_token(other, "t", SECRET) is None


def test_tenant_and_number_cannot_be_shifted_into_each_other():
    a = make_message_id(SEND, 23, "1", "example.com", SECRET)
    b = make_message_id(SEND, 3, "12", "example.com", SECRET)
    assert a.split(".")[2] != b.split(".")[2]


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("send_id", ("nonsense", 1, "t", "example.com", SECRET)),
        ("number", (SEND, 0, "t", "example.com", SECRET)),
        ("secret", (SEND, 1, "t", "example.com", b"")),
        ("domain", (SEND, 1, "t", "bücher.example", SECRET)),
        ("domain", (SEND, 1, "t", "exa\r\nmple.com", SECRET)),
        ("domain", (SEND, 1, "t", "", SECRET)),
    ],
)
def test_what_cannot_be_signed_is_refused_by_field(field, arguments):
    with pytest.raises(ValueError, match=f"^{field}:"):
        make_message_id(*arguments)


def test_every_send_has_its_own_id():
    ids = {make_message_id(str(uuid.UUID(int=i)), 1, "t", "example.com", SECRET) for i in range(200)}
    assert len(ids) == 200
