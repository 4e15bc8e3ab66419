"""Figures follow what happens: mails by the hour, durations that move with their conversation, a backlog for each hour."""

import datetime as dt
import uuid
from typing import Any

import pytest_asyncio

from activities.desk_rollups import Rollups
from rules.durations import bucket_of
from store.analytics import Range, backlog, durations, loads, mails
from store.desk_cursors import take_events
from store.event_log import NewEvent, append_events
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.store.desk import NOW, Desk, open_desk

HOUR = dt.timedelta(hours=1)
LATER = NOW + dt.timedelta(days=2)


@pytest_asyncio.fixture
async def desk(mail_database: Database) -> Desk:
    return await open_desk(mail_database)


async def happen(desk: Desk, *events: NewEvent) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(connection, events)


def told(desk: Desk, kind: str, message_id: uuid.UUID | None = None) -> NewEvent:
    return NewEvent(kind, desk.tenant_id, desk.inbox_id, desk.conversation_id, message_id)


async def react(desk: Desk, now: dt.datetime = NOW) -> None:
    rollups = Rollups(clock=lambda: now)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        events, _ = await take_events(connection, desk.tenant_id, limit=500, now=now)
        await rollups.react(connection, desk.tenant_id, events)


async def read(desk: Desk, what: Any, *args: Any, viewer: Viewer | None = None, inbox: uuid.UUID | None = None, **more: Any) -> Any:
    asked = Range(NOW - dt.timedelta(days=1), LATER, "UTC", inbox)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await what(connection, viewer or Viewer(desk.tenant_id, None, sees_all=True), asked, *args, **more)


async def answered(desk: Desk, *, after: dt.timedelta, author: uuid.UUID | None = None) -> uuid.UUID:
    """A person's answer that went out, as the sending would leave it."""
    (row,) = await desk.rows(
        "insert into messages (tenant_id, inbox_id, conversation_id, direction, kind, sender_type, author_id, from_address, subject,"
        " sent_at, received_at, send_status, at_version) values (:tenant, :i, :c, 'outbound', 'message', 'agent', :author,"
        " 'desk@example.org', 'Re', :at, :at, 'sent', 1) returning id",
        i=desk.inbox_id, c=desk.conversation_id, author=author or desk.agent_id, at=NOW + after,
    )
    await desk.rows(
        "update conversations set first_response_at = :at, first_response_seconds = :s, responses = 1 where id = :c and first_response_at is null",
        at=NOW + after, s=int(after.total_seconds()), c=desk.conversation_id,
    )
    return row["id"]


def counted(flows: dict[str, dict[str, int]]) -> dict[str, int]:
    return {flow: n for by_flow in flows.values() for flow, n in by_flow.items()}


async def test_mails_count_once_in_the_hour_in_which_they_came(desk: Desk) -> None:
    second = await desk.receive(at=NOW + HOUR)
    old = await desk.receive(at=NOW, historical=True)
    await happen(desk, *(told(desk, "message.received", m) for m in (desk.first_message_id, second, second, old)))
    await react(desk)
    await happen(desk, told(desk, "message.received", second))
    await react(desk)
    rows = await desk.rows("select hour, flow, n from mail_hours order by hour")
    assert [(r["hour"], r["flow"], r["n"]) for r in rows] == [(NOW, "received", 1), (NOW + HOUR, "received", 1)]
    assert await read(desk, mails, by="weekday_hour") == {"2 9": {"received": 1}, "2 10": {"received": 1}}
    assert await read(desk, mails, by="channel") == {"email": {"received": 2}}


async def test_answers_count_for_who_wrote_them(desk: Desk) -> None:
    answer = await answered(desk, after=HOUR)
    await happen(desk, told(desk, "message.sent", answer))
    await react(desk)
    assert await read(desk, mails, by="agent") == {str(desk.agent_id): {"sent": 1}}
    (load,) = await read(desk, loads)
    assert (load.id, load.sent, load.assigned) == (desk.agent_id, 1, 0)
    await desk.rows("update conversations set assigned_to = :a", a=desk.agent_id)
    assert [one.assigned for one in await read(desk, loads)] == [1]


async def test_a_first_response_and_a_resolution_are_counted_and_taken_back(desk: Desk) -> None:
    await answered(desk, after=HOUR)
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk)
    by_agent = await read(desk, durations, measure="first_response", by="agent")
    assert by_agent == {str(desk.agent_id): {bucket_of(3600): 1}}
    await desk.rows("update conversations set status = 'closed', closed_at = created_at + interval '5 hours'")
    await happen(desk, told(desk, "conversation.updated"), told(desk, "conversation.updated"))
    await react(desk)
    assert await read(desk, durations, measure="resolution", by="all") == {"all": {bucket_of(18_000): 1}}
    assert await read(desk, durations, measure="first_response", by="all") == {"all": {bucket_of(3600): 1}}
    await desk.rows("update conversations set status = 'open', closed_at = null")
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk)
    assert await read(desk, durations, measure="resolution", by="all") == {}
    assert await read(desk, durations, measure="first_response", by="all") == {"all": {bucket_of(3600): 1}}


async def test_what_was_merged_away_counts_no_more(desk: Desk) -> None:
    await answered(desk, after=HOUR)
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk)
    (other,) = await desk.rows(
        "insert into conversations (tenant_id, number, inbox_id, subject) values (:tenant, 43, :i, 'Other') returning id", i=desk.inbox_id
    )
    await desk.rows("update conversations set merged_into = :o where id = :c", o=other["id"], c=desk.conversation_id)
    await happen(desk, told(desk, "conversation.merged"))
    await react(desk)
    assert await read(desk, durations, measure="first_response", by="all") == {}


async def test_service_levels_count_as_kept_or_not(desk: Desk) -> None:
    for target, met, breached in (("first_response", NOW + HOUR, None), ("resolution", None, NOW + HOUR), ("next_response", NOW + 2 * HOUR, NOW + HOUR)):
        await desk.rows(
            "insert into sla_clocks (tenant_id, conversation_id, target, target_seconds, business, started_at, met_at, breached_at)"
            " values (:tenant, :c, :t, 3600, false, :s, :m, :b)",
            c=desk.conversation_id, t=target, s=NOW, m=met, b=breached,
        )
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk)
    found = await read(desk, durations, measure="sla.", by="target")
    assert found == {"first_response": {1: 1}, "resolution": {0: 1}, "next_response": {0: 1}}


async def test_the_backlog_of_a_day_stands_until_something_happens(desk: Desk) -> None:
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk, NOW)
    await desk.rows("update conversations set status = 'pending', assigned_to = :a", a=desk.agent_id)
    await happen(desk, told(desk, "conversation.updated"))
    await react(desk, NOW + dt.timedelta(days=2))
    asked = Range(NOW, NOW + dt.timedelta(days=4), "UTC")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        viewer = Viewer(desk.tenant_id, None, sees_all=True)
        days = await backlog(connection, viewer, asked, first=NOW.date(), last=NOW.date() + dt.timedelta(days=3))
    assert [(d.open, d.pending, d.unassigned) for d in days] == [(1, 0, 1), (1, 0, 1), (0, 1, 0), (0, 1, 0)]


async def test_figures_of_an_inbox_are_for_those_who_see_it(desk: Desk) -> None:
    await happen(desk, told(desk, "message.received", desk.first_message_id))
    await react(desk)
    (other,) = await desk.rows(
        "insert into users (tenant_id, email, email_key, name) values (:tenant, 'o@example.org', :k, 'O') returning id", k=uuid.uuid4().hex
    )
    await desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=desk.inbox_id, u=other["id"])
    stranger = Viewer(desk.tenant_id, desk.agent_id, sees_all=False)
    member = Viewer(desk.tenant_id, other["id"], sees_all=False)
    assert counted(await read(desk, mails, by="day", viewer=member)) == {"received": 1}
    assert await read(desk, mails, by="day", viewer=stranger) == {}
    assert await read(desk, mails, by="day", viewer=stranger, inbox=desk.inbox_id) == {}
    assert counted(await read(desk, mails, by="day", viewer=member, inbox=desk.inbox_id)) == {"received": 1}
