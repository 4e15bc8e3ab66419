"""Floods of incoming mail: everything is stored, what is beyond the caps starts nothing, and it is told once (L-9)."""

from collections.abc import Callable
from typing import Any

import pytest

from activities import ingestion
from store.inbound_flood import IncomingCaps
from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


async def answerable(room: MailRoom) -> list[tuple[str, bool, str | None]]:
    rows = await room.rows("select from_address, may_answer, silence_reason from messages order by id")
    return [(r["from_address"].partition("@")[0], r["may_answer"], r["silence_reason"]) for r in rows]


async def notices(room: MailRoom) -> list[dict[str, Any]]:
    rows = await room.rows("select payload from events where type = 'inbox.updated' order by id")
    return [r["payload"] for r in rows if r["payload"].get("notice") == "incoming_flood"]


async def test_beyond_the_senders_cap_mail_is_stored_and_starts_nothing(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "CAPS", IncomingCaps(sender=3, inbox=100))
    await room.connect()
    for number in range(5):
        deliver(letter(number))
    deliver(letter(50, sender="Dora <dora@customer.example.com>"))
    report = await room.sync()
    assert (report.ingested, report.answerable) == (6, 4)
    flood = ("carla", False, "incoming-flood")
    assert await answerable(room) == [("carla", True, None)] * 3 + [flood] * 2 + [("dora", True, None)]
    quiet = await room.rows("select payload from events where type = 'message.received' order by id")
    assert [q["payload"].get("quiet", False) for q in quiet] == [False, False, False, True, True, False]
    # Another batch within the same minutes goes on counting, and is not told again.
    deliver(letter(6))
    assert (await room.sync()).answerable == 0
    (told,) = await notices(room)
    assert told["budget"] == "incoming-sender"
    (breach,) = await room.rows("select * from loop_breaches")
    assert (breach["correspondent_key"], breach["held_back"]) == ("carla@customer.example.com", 3)
    assert await room.states() == {"ingested": 7}


async def test_an_inbox_has_a_cap_of_its_own_and_history_is_no_flood(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "CAPS", IncomingCaps(sender=100, inbox=2))
    for number in range(3):
        deliver(letter(number))
    await room.connect()
    await room.backfill()
    assert await notices(room) == []
    for number in range(10, 14):
        deliver(letter(number, sender=f"Customer <c{number}@customer.example.com>"))
    assert (await room.sync()).answerable == 2
    (told,) = await notices(room)
    assert told["budget"] == "incoming-inbox"
    (breach,) = await room.rows("select * from loop_breaches")
    assert (breach["correspondent_key"], breach["held_back"]) == ("", 2)
