"""What the status of an inbox tells of its announcements: granted until when, renewed when, how much was lost."""

import datetime as dt

import pytest_asyncio

from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world

NOW = dt.datetime.now(dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest_asyncio.fixture(loop_scope="session")
async def world(house: Database, module_database) -> World:
    return await make_world(make_deps(house, module_database.url))


async def test_the_status_tells_of_announcements(world: World) -> None:
    granted = {"gmail_watch_expires_at": NOW + 6 * DAY, "watch_since": NOW - 9 * DAY, "watch_renewed_at": NOW - HOUR, "watch_due_at": NOW + 12 * HOUR, "poll_seconds": 700}
    inbox = await world.insert("inboxes", name="G", provider="gmail", email_address="g@example.com", connected_at=NOW, **granted)
    for hours, found, missed in ((0, 4, 1), (3, 16, 2), (50, 100, 100)):
        await world.insert("push_hours", inbox_id=inbox, hour=NOW.replace(minute=0, second=0, microsecond=0) - hours * HOUR, found=found, missed=missed)
    await world.insert("push_notices", inbox_id=inbox, event_id="e", kind="changed", news=True, received_at=NOW - HOUR)
    async with world.client("viewer") as client:
        told = (await client.get(f"/v1/inboxes/{inbox}/status")).json()["push"]
    times = {name: dt.datetime.fromisoformat(told.pop(name)) for name in ("expires_at", "since", "renewed_at", "due_at", "last_notice_at")}
    assert told == {"state": "on", "refusal": None, "found": 20, "missed": 3, "poll_seconds": 700}
    offsets = {name: round((at - NOW) / HOUR) for name, at in times.items()}
    assert offsets == {"expires_at": 144, "since": -216, "renewed_at": -1, "due_at": 12, "last_notice_at": -1}


async def test_a_refusal_is_told_and_a_provider_that_announces_nothing_has_none(world: World) -> None:
    refused = {"watch_failures": 3, "watch_refusal": "Google may not publish to the topic.", "watch_due_at": NOW + HOUR}
    inbox = await world.insert("inboxes", name="R", provider="graph", email_address="r@example.com", connected_at=NOW, **refused)
    other = await world.insert("inboxes", name="I", provider="imap", email_address="i@example.com", connected_at=NOW)
    async with world.client("viewer") as client:
        told = (await client.get(f"/v1/inboxes/{inbox}/status")).json()["push"]
        assert (await client.get(f"/v1/inboxes/{other}/status")).json()["push"] is None
    assert (told["state"], told["refusal"], told["expires_at"]) == ("refused", "Google may not publish to the topic.", None)
