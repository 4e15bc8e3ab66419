"""The timer's steps: warn and breach once, never early, by the facts; what a policy orders; recounts that excuse and never forget."""

import asyncio
import datetime as dt
import uuid

import pytest
import pytest_asyncio

from contracts.desk import FollowupKind
from contracts.sla import SlaRef
from store.sla_recounts import begin_recount, newest_recount
from store.sla_settings import list_hours, list_policies, save_hours, save_policy
from store.unit_of_work import Database
from tests.activities.clock_room import OFFICE, TUESDAY, ClockRoom, after
from tests.store.desk import open_desk


@pytest_asyncio.fixture
async def room(mail_database: Database) -> ClockRoom:
    return ClockRoom(await open_desk(mail_database))


@pytest_asyncio.fixture
async def waiting(room: ClockRoom) -> uuid.UUID:
    """A conversation whose first answer is due after an hour."""
    await room.policy(targets={"first_response": {"minutes": 60, "time": "calendar"}})
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.react()
    return one


async def recount(room: ClockRoom, at: dt.datetime) -> None:
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        await begin_recount(connection, room.desk.tenant_id, why="test", actor="test")
    room.now = at
    while (await room.timing().recount(SlaRef(str(room.desk.tenant_id)))).more:
        pass


async def test_warns_then_breaches_each_once_and_never_early(room, waiting) -> None:
    early = await room.act(after(0.8) - dt.timedelta(milliseconds=1))
    assert (early.warned, early.breached) == (0, 0)
    assert early.wait_seconds == pytest.approx(0.001)
    warned = await room.act(after(0.8))
    assert (warned.warned, warned.breached, warned.wait_seconds) == (1, 0, pytest.approx(720))
    assert (await room.act(after(0.9))).warned == 0
    broke = await room.act(after(1))
    assert (broke.warned, broke.breached, broke.wait_seconds) == (0, 1, None)
    assert (await room.act(after(2))).breached == 0
    assert (len(await room.events("sla.warned")), len(await room.events("sla.breached"))) == (1, 1)
    clock = await room.clock(waiting)
    assert (clock["warned_at"], clock["breached_at"], clock["due_at"]) == (after(0.8), after(1), after(1))
    row = await room.row(waiting)
    assert (row["sla_breached"], row["sla_due_at"]) == (True, after(1))


async def test_after_an_outage_it_breaches_late_and_does_not_warn_of_what_is_over(room, waiting) -> None:
    report = await room.act(after(30))
    assert (report.warned, report.breached) == (0, 1)
    assert (await room.clock(waiting))["breached_at"] == after(30)
    assert await room.events("sla.warned") == []


async def test_two_timers_at_once_act_once(room, waiting) -> None:
    room.now = after(1)
    ref = SlaRef(str(room.desk.tenant_id))
    reports = await asyncio.gather(*(room.timing().act(ref) for _ in range(4)))
    assert sum(r.breached for r in reports) == 1
    assert len(await room.events("sla.breached")) == 1


async def test_an_answer_that_the_desk_has_not_read_of_keeps_the_clock_from_acting(room, waiting) -> None:
    await room.answer(after(0.95), to=waiting)
    report = await room.act(after(1))
    assert (report.breached, (await room.clock(waiting))["met_at"]) == (0, after(0.95))


async def test_a_status_that_the_desk_has_not_read_of_is_believed(room, waiting) -> None:
    await room.desk.rows("update conversations set status = 'closed' where id = :id", id=waiting)
    report = await room.act(after(1))
    # The row changed today by the clock of this machine, which is after the due instant: late is what it is.
    assert report.breached == 1
    room.tell("conversation.updated", after(0.5), waiting, {"status": "closed", "changed": ["status"]})
    await room.react()
    clock = await room.clock(waiting)
    assert (clock["ended_at"], clock["excuse"]) == (after(0.5), "answered in time; this was learned later")
    assert (await room.row(waiting))["sla_breached"] is False


async def test_an_answer_in_time_that_is_learned_of_late_excuses_the_breach_and_says_so(room, waiting) -> None:
    await room.act(after(1))
    await room.sent_elsewhere(after(0.9), to=waiting, stored=after(1.2))
    await room.react()
    clock = await room.clock(waiting)
    assert (clock["breached_at"], clock["met_at"]) == (after(1), after(0.9))
    assert clock["excuse"] == "answered in time; this was learned later"
    assert (await room.row(waiting))["sla_breached"] is False


async def test_a_late_answer_before_the_timer_came_is_a_breach_all_the_same(room, waiting) -> None:
    """The worker was away from before the due instant until after the answer."""
    await room.answer(after(1.5), to=waiting)
    await room.react()
    report = await room.act(after(3))
    assert report.breached == 1
    assert (await room.events("sla.breached"))[0]["payload"]["ended"] is True
    assert (await room.row(waiting))["sla_breached"] is True


async def test_escalation_tells_raises_tags_and_gives_on_once(room) -> None:
    desk = room.desk
    lead = (await desk.rows("insert into users (tenant_id, email, email_key, name) values (:tenant, :m, :m, 'Lead') returning id", m=f"{uuid.uuid4().hex}@example.org"))[0]["id"]
    team = (await desk.rows("insert into teams (tenant_id, name) values (:tenant, 'Second line') returning id"))[0]["id"]
    await desk.rows("insert into team_members (tenant_id, team_id, user_id) values (:tenant, :t, :u)", t=team, u=desk.agent_id)
    tag = (await desk.rows("insert into tags (tenant_id, name) values (:tenant, 'late') returning id"))[0]["id"]
    await room.policy(
        targets={"first_response": {"minutes": 60, "time": "calendar"}, "resolution": {"minutes": 60, "time": "calendar"}},
        actions={
            "warn": {"notify_teams": [str(team)]},
            "breach": {"notify_users": [str(lead)], "priority": "urgent", "assign_user": str(lead), "assign_team": str(team), "tags": [str(tag)]},
        },
    )  # fmt: skip
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.react()
    await room.act(after(0.8))
    assert (await room.events("sla.warned"))[0]["payload"]["notify"] == [str(desk.agent_id)]
    await room.act(after(1))
    row = await room.row(one)
    assert (row["priority"], row["assigned_to"], row["team_id"]) == ("urgent", lead, team)
    assert await desk.rows("select tag_id from conversation_tags where conversation_id = :c", c=one) == [{"tag_id": tag}]
    given = await desk.rows("select method, reason from conversation_assignments where conversation_id = :c", c=one)
    assert [g["method"] for g in given] == ["rule"]
    assert "is late" in given[0]["reason"]
    told = await room.events("conversation.updated")
    assert all(e["causality"]["depth"] == 1 for e in told if e["actor"] == "system")
    assert len(await room.events("sla.breached")) == 2  # two clocks, each once; raised, tagged and given on once


async def test_a_priority_is_never_lowered(room) -> None:
    await room.policy(actions={"breach": {"priority": "high"}})
    one = await room.conversation()
    await room.desk.rows("update conversations set priority = 'urgent' where id = :c", c=one)
    await room.mail(TUESDAY, to=one)
    await room.react()
    await room.act(after(1))
    assert (await room.row(one))["priority"] == "urgent"


async def test_changed_hours_move_what_runs_and_excuse_what_breached_but_do_not_forget_it(room) -> None:
    hours = await room.hours()
    await room.policy(business_hours_id=hours, targets={"first_response": {"minutes": 60, "time": "business"}})
    late, running = await room.conversation(), await room.conversation()
    await room.mail(TUESDAY, to=late)
    await room.mail(after(1.5), to=running)
    await room.react()
    await room.act(after(1))
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        row = (await list_hours(connection, room.desk.tenant_id))[0]
        closed = row | {"dates": [{"date": "2025-03-04", "name": "Outing", "intervals": []}]}
        await save_hours(connection, room.desk.tenant_id, closed, actor="test")
    await recount(room, after(2))
    clock = await room.clock(late)
    assert (clock["breached_at"], clock["due_at"]) == (after(1), after(25))
    assert "hours or policy were changed" in clock["excuse"]
    assert (await room.row(late))["sla_breached"] is False
    assert (await room.clock(running))["due_at"] == after(25)
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        done = await newest_recount(connection, room.desk.tenant_id)
    assert (done.state, done.excused, done.total) == ("done", 1, done.done)
    # It is late by the new hours too: the excuse goes, and it does not act again.
    await room.act(after(25))
    assert ((await room.clock(late))["excuse"], (await room.row(late))["sla_breached"]) == (None, True)
    told = [e["conversation_id"] for e in await room.events("sla.breached")]
    assert (told.count(late), told.count(running)) == (1, 1)


async def test_a_first_policy_starts_clocks_of_what_is_open_and_leaves_what_is_over(room) -> None:
    hours = await room.hours(week=OFFICE)
    one, two, three = [await room.conversation() for _ in range(3)]
    for each in (one, two, three):
        await room.mail(TUESDAY, to=each)
    await room.desk.rows("update conversations set status = 'closed' where id = :c", c=two)
    await room.desk.rows("update conversations set status = 'pending' where id = :c", c=three)
    await room.policy(business_hours_id=hours)
    await recount(room, after(0.1))
    assert ((await room.clock(one))["due_at"], await room.clocks(two)) == (after(1), [])
    assert (await room.clock(three))["started_at"] == TUESDAY


async def test_a_policy_that_is_gone_takes_clocks_that_never_acted_and_ends_the_others(room, waiting) -> None:
    other = await room.conversation()
    await room.mail(after(0.5), to=other)
    await room.react()
    await room.act(after(1))
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        (row,) = await list_policies(connection, room.desk.tenant_id)
        await save_policy(connection, room.desk.tenant_id, row | {"enabled": False}, actor="test")
    await recount(room, after(1.1))
    assert await room.clocks(other) == []
    clock = await room.clock(waiting)
    assert (clock["breached_at"], clock["ended_by"], clock["next_at"]) == (after(1), "no policy", None)


async def test_the_desk_wakes_the_timer_for_what_is_due_earlier(room, waiting) -> None:
    later, sooner = await room.conversation(), await room.conversation()
    await room.mail(after(0.5), to=later)
    assert await room.react() == []
    await room.mail(TUESDAY - dt.timedelta(minutes=20), to=sooner)
    assert [f.kind for f in await room.react()] == [FollowupKind.SLA]
