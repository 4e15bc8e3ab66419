"""Calendar parts are text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.invites import read_invite

ICS = (
    "BEGIN:VCALENDAR\r\nMETHOD:request\r\nBEGIN:VTIMEZONE\r\nDTSTART:19700101T000000\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:u1\r\n"
    "SUMMARY:Review <script>\\, part\r\n  two\r\nDTSTART;TZID=Europe/Berlin:20250610T090000\r\nDTEND:20250610T080000Z\r\n"
    'LOCATION:Room\\; 5\r\nORGANIZER;CN="a:b":mailto:jane@example.com\r\nDESCRIPTION:One\\nTwo\\\\n\r\n'
    "BEGIN:VALARM\r\nDESCRIPTION:alarm\r\nSUMMARY:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_reads_an_invitation() -> None:
    invite = read_invite(ICS.encode())
    assert invite is not None
    assert invite.method == "REQUEST"
    assert invite.summary == "Review <script>, part two"
    assert (invite.starts, invite.ends) == ("2025-06-10 09:00 Europe/Berlin", "2025-06-10 08:00 UTC")
    assert invite.location == "Room; 5"
    assert invite.organizer == "jane@example.com"
    assert invite.description == "One\nTwo\\n"
    assert invite.as_text().startswith("Review <script>, part two\n2025-06-10 09:00 Europe/Berlin – ")


def test_a_cancelled_whole_day() -> None:
    invite = read_invite(b"BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VEVENT\nSUMMARY:Off\nDTSTART;VALUE=DATE:20250610\nEND:VEVENT\nEND:VCALENDAR")
    assert invite is not None
    assert invite.as_text() == "[cancelled]\nOff\n2025-06-10"


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    invite = read_invite(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + data)
    assert invite is None or invite.as_text() is not None


@pytest.mark.parametrize("hostile", ["A;" * 50_000, "A;B=" * 25_000, 'A;B="' * 20_000, "BEGIN:VEVENT\n" * 8_000, "\\" * 100_000])
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    read_invite(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:" + hostile.encode() + b"\n" + hostile.encode())
    assert time.thread_time() - started < 0.3
