"""The envelope: what may be sent, and how a body is made safe for the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Refused
from providers.smtp.envelope import check_bytes, check_recipients, mail_parameters, stuffed_body, wire_path

LINES = st.lists(
    st.binary(max_size=20).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), min_size=1
)


@given(LINES)
def test_stuffing_is_undone_by_any_server(lines: list[bytes]) -> None:
    raw = b"\r\n".join(lines) + b"\r\n"
    check_bytes(raw)
    wire = stuffed_body(raw) + b"\r\n.\r\n"
    received: list[bytes] = []
    rest = wire
    while True:
        line, _break, rest = rest.partition(b"\r\n")
        if line == b".":
            break
        received.append(line[1:] if line.startswith(b".") else line)
    assert rest == b""  # nothing after the first lone dot: no line of the mail could end it early
    assert b"\r\n".join(received) + b"\r\n" == raw


def test_an_address_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        check_recipients(["a@example.com", "a@example.com"])


def test_no_recipients() -> None:
    with pytest.raises(ValueError, match="at least one"):
        check_recipients([])


def test_domain_that_is_no_name() -> None:
    with pytest.raises(Refused):
        wire_path("a@\u2603\ufe0f..example")


def test_size_without_a_number_is_no_limit() -> None:
    assert mail_parameters(b"x", ["a@example.com"], {"SIZE": ""}, smtputf8=False) == ["SIZE=1"]
    assert mail_parameters(b"x", ["a@example.com"], {"SIZE": "0"}, smtputf8=False) == ["SIZE=1"]
