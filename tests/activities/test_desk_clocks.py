"""Clocks by what happens in a conversation: when they start, pause, end, and that reading late or twice makes no difference."""

import datetime as dt
import random

import pytest
import pytest_asyncio

from contracts.desk import FollowupKind
from store.unit_of_work import Database
from tests.activities.clock_room import HOUR, TUESDAY, ClockRoom, after, kinds
from tests.store.desk import open_desk


@pytest_asyncio.fixture
async def room(mail_database: Database) -> ClockRoom:
    return ClockRoom(await open_desk(mail_database))


async def test_without_policies_and_hours_nothing_is_written(room) -> None:
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.status("pending", after(1), of=one)
    assert await room.react() == []
    assert await room.clocks(one) == []
    assert await room.desk.rows("select * from conversation_statuses") == []


async def test_a_mail_starts_the_clocks_and_an_answer_ends_the_first(room) -> None:
    policy = await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    assert [f.kind for f in await room.react()] == [FollowupKind.SLA]
    first, resolution = await room.clock(one), await room.clock(one, "resolution")
    assert (first["started_at"], first["due_at"], first["warn_at"], first["next_at"]) == (TUESDAY, after(1), after(0.8), after(0.8))
    assert resolution["due_at"] == after(10)
    row = await room.row(one)
    assert (row["sla_policy_id"], row["sla_due_at"], row["sla_warn_at"], row["sla_breached"]) == (policy, after(1), after(0.8), False)

    answer = await room.answer(after(0.5), to=one)
    assert await room.react() == []  # nothing is due earlier than the timer knows
    first = await room.clock(one)
    assert (first["met_at"], first["met_by"], first["ended_by"], first["next_at"]) == (after(0.5), answer, "answer", None)
    assert kinds(first) == [("running", 30)]
    assert (await room.row(one))["sla_due_at"] == after(10)


async def test_a_second_mail_does_not_start_a_running_clock_again(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.answer(after(0.5), to=one)
    await room.mail(after(1), to=one)
    await room.mail(after(1.5), to=one)
    await room.react()
    following = [c for c in await room.clocks(one) if c["target"] == "next_response"]
    assert [(c["started_at"], c["due_at"]) for c in following] == [(after(1), after(3))]


async def test_what_is_no_answer_and_what_waits_for_none(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one, is_auto="auto-submitted")
    await room.mail(TUESDAY, to=one, silence_reason="incoming-flood")
    await room.mail(TUESDAY, to=one, historical=True)
    await room.react()
    assert await room.clocks(one) == []
    await room.mail(after(1), to=one)
    forwarded = (await room.desk.rows("select id from messages where conversation_id = :c limit 1", c=one))[0]["id"]
    await room.answer(after(1.1), to=one, kind="auto_response", sender_type="system", author_id=None)
    await room.answer(after(1.2), to=one, forward_of=forwarded)
    await room.answer(after(1.3), to=one, send_status="scheduled", scheduled_at=after(5))
    await room.react()
    assert (await room.clock(one))["ended_at"] is None


async def test_an_answer_that_is_taken_back_or_fails_was_none_and_one_tried_again_is_one(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    answer = await room.answer(after(0.2), to=one)
    await room.react()
    assert (await room.clock(one))["met_at"] == after(0.2)
    await room.becomes("cancelled", answer, after(0.21))
    assert [f.kind for f in await room.react()] == [FollowupKind.SLA]
    assert ((await room.clock(one))["met_at"], (await room.clock(one))["next_at"]) == (None, after(0.8))

    again = await room.answer(after(0.3), to=one)
    await room.becomes("failed", again, after(0.4))
    await room.react()
    assert (await room.clock(one))["met_at"] is None
    await room.desk.rows("update messages set send_round = 1, undo_until = :at where id = :id", at=after(0.5), id=again)
    await room.becomes("queued", again, after(0.5))
    await room.react()
    assert (await room.clock(one))["met_at"] == after(0.5)


async def test_an_answer_for_later_counts_when_it_leaves(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    later = await room.answer(after(0.1), to=one, send_status="scheduled", scheduled_at=after(0.75))
    await room.becomes("sent", later, after(0.76))
    await room.react()
    assert (await room.clock(one))["met_at"] == after(0.75)


async def test_pending_pauses_and_a_mail_goes_on(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.status("pending", after(0.5), of=one)
    await room.react()
    first = await room.clock(one)
    assert (first["due_at"], first["next_at"], first["paused_at"]) == (None, None, after(0.5))
    row = await room.row(one)
    assert (row["sla_due_at"], row["sla_paused"]) == (None, True)
    await room.mail(after(3), to=one)
    await room.react()
    first = await room.clock(one)
    assert (first["due_at"], first["paused_at"]) == (after(3.5), None)
    await room.answer(after(3.25), to=one)
    await room.react()
    assert kinds(await room.clock(one)) == [("running", 30), ("pending", 150), ("running", 15)]
    assert (await room.row(one))["sla_paused"] is False


async def test_closing_resolves_and_opening_again_starts_a_new_clock(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.status("closed", after(2), of=one)
    await room.react()
    resolution = await room.clock(one, "resolution")
    assert (resolution["met_at"], resolution["ended_by"]) == (after(2), "closed")
    assert ((await room.clock(one))["met_at"], (await room.clock(one))["ended_by"]) == (None, "closed")
    assert (await room.row(one))["sla_due_at"] is None
    await room.status("open", after(5), of=one)
    await room.react()
    assert (await room.clock(one, "resolution"))["started_at"] == after(5)
    await room.status("closed", after(6), of=one)
    await room.mail(after(7), to=one)
    await room.react()
    assert [c["started_at"] for c in await room.clocks(one) if c["target"] == "resolution"] == [TUESDAY, after(5), after(7)]


async def test_spam_ends_all_and_resolves_nothing(room) -> None:
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.status("spam", after(0.1), of=one)
    await room.mail(after(0.2), to=one)
    await room.react()
    assert {(c["met_at"], c["ended_by"], c["next_at"]) for c in await room.clocks(one)} == {(None, "spam", None)}


async def test_business_time_and_response_times_in_it(room) -> None:
    hours = await room.hours(is_default=True)
    targets = {"first_response": {"minutes": 240, "time": "business"}}
    await room.policy(business_hours_id=hours, targets=targets)
    one = await room.conversation()
    await room.mail(after(2), to=one)  # 11:00, an hour before lunch
    await room.react()
    assert (await room.clock(one))["due_at"] == after(7)  # 16:00: an hour, lunch, three more
    await room.answer(after(24), to=one)  # the next morning at nine
    await room.react()
    first = await room.clock(one)
    assert kinds(first) == [("running", 60), ("outside", 60), ("running", 240), ("outside", 960)]
    assert first["next_at"] == after(7)  # late: to be told of yet
    row = await room.row(one)
    assert (row["first_response_business_seconds"], row["avg_response_business_seconds"]) == (5 * 3600, 5 * 3600)


async def test_the_first_policy_that_fits_applies_and_follows_what_changes(room) -> None:
    urgent = await room.policy(name="Urgent", conditions={"priority": ["urgent"]}, targets={"first_response": {"minutes": 10, "time": "calendar"}})
    every = await room.policy(name="Rest")
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.react()
    assert (await room.row(one))["sla_policy_id"] == every
    await room.change(after(0.01), of=one, priority="urgent")
    await room.react()
    assert (await room.row(one))["sla_policy_id"] == urgent
    assert ((await room.clock(one))["due_at"], len(await room.clocks(one))) == (TUESDAY + HOUR / 6, 1)
    await room.change(after(0.02), of=one, priority="low")
    await room.react()
    assert (await room.clock(one))["due_at"] == after(1)


async def test_vip_tag_and_inbox_choose_too(room) -> None:
    tag, contact = (await room.desk.rows("insert into tags (tenant_id, name) values (:tenant, 'gold') returning id"))[0]["id"], None
    contact = (await room.desk.rows("insert into contacts (tenant_id, name) values (:tenant, 'Carla') returning id"))[0]["id"]
    vip = await room.policy(name="VIP", conditions={"vip": True})
    gold = await room.policy(name="Gold", conditions={"tag": [str(tag)], "inbox": [str(room.desk.inbox_id)]})
    one = await room.conversation()
    await room.desk.rows("update conversations set contact_id = :p where id = :c", p=contact, c=one)
    await room.mail(TUESDAY, to=one)
    await room.react()
    assert await room.clocks(one) == []
    await room.desk.rows("insert into conversation_tags (tenant_id, conversation_id, tag_id) values (:tenant, :c, :t)", c=one, t=tag)
    room.tell("conversation.updated", after(0.1), one, {"changed": ["tags"]})
    await room.react()
    assert (await room.row(one))["sla_policy_id"] == gold
    await room.desk.rows("update contacts set vip = true where id = :p", p=contact)
    room.tell("contact.updated", after(0.2), None, {"contact_id": str(contact)})
    await room.react()
    assert (await room.row(one))["sla_policy_id"] == vip


async def test_mail_that_was_learned_of_late_waits_since_it_came(room) -> None:
    """Read from the mailbox at half past what came at ten: not answered by the desk's answer of between."""
    await room.policy()
    one = await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.answer(after(0.75), to=one)
    await room.mail(after(0.5), to=one, stored=after(1.5))
    await room.react()
    following = await room.clock(one, "next_response")
    assert (following["started_at"], following["due_at"], following["ended_at"]) == (after(0.5), after(2.5), None)


async def test_an_answer_from_another_mail_program_counts_whichever_folder_is_read_first(room) -> None:
    await room.policy()
    one, two, three = [await room.conversation() for _ in range(3)]
    await room.mail(TUESDAY, to=one)
    await room.sent_elsewhere(after(0.5), to=one, stored=after(0.9))
    await room.sent_elsewhere(after(0.5), to=two, stored=after(0.9))
    await room.mail(TUESDAY, to=two, stored=after(1))
    await room.mail(TUESDAY, to=three)
    await room.mail(after(0.7), to=three)
    await room.sent_elsewhere(after(0.5), to=three, stored=after(0.9))
    await room.react()
    assert (await room.clock(one))["met_at"] == after(0.5)
    assert [c["target"] for c in await room.clocks(two)] == ["resolution"]
    assert (await room.clock(three))["met_at"] == after(0.5)
    assert (await room.clock(three, "next_response"))["started_at"] == after(0.7)


async def test_a_merge_takes_clocks_along_with_what_they_did(room) -> None:
    await room.policy()
    one, two = await room.conversation(), await room.conversation()
    await room.mail(TUESDAY, to=one)
    await room.mail(after(3), to=two)
    await room.react()
    await room.act(after(1.5))
    assert (await room.clock(one))["breached_at"] == after(1.5)
    breaches = len(await room.events("sla.breached"))
    await room.desk.rows("update messages set conversation_id = :two where conversation_id = :one", one=one, two=two)
    await room.desk.rows("update conversations set merged_into = :two where id = :one", one=one, two=two)
    room.tell("conversation.merged", after(4), one, {"into": str(two)})
    await room.react()
    assert await room.clocks(one) == []
    assert ((await room.clock(two))["started_at"], (await room.clock(two))["breached_at"]) == (TUESDAY, after(1.5))
    assert (await room.row(two))["sla_breached"] is True
    await room.act(after(4))
    assert len(await room.events("sla.breached")) == breaches
    await room.desk.rows("update conversations set merged_into = null where id = :one", one=one)
    await room.desk.rows("update messages set conversation_id = :one where conversation_id = :two and received_at = :at", one=one, two=two, at=TUESDAY)
    room.tell("conversation.unmerged", after(5), one, {"from": str(two)})
    await room.react()
    assert (await room.clock(one))["breached_at"] == after(1.5)
    assert [c["started_at"] for c in await room.clocks(two) if c["target"] == "first_response"] == [after(3)]


@pytest.mark.parametrize("seed", range(4))
async def test_reading_late_in_any_batches_and_twice_comes_to_the_same_clocks(room, seed) -> None:
    """One desk reads each event as it comes, another all of them at the end, a third in batches, some of them twice."""
    await room.policy()
    chance = random.Random(seed)
    conversations = [await room.conversation() for _ in range(3)]
    read = {c: n for n, c in enumerate(conversations)}
    at = TUESDAY
    log = []
    for _ in range(24):
        at += dt.timedelta(minutes=chance.randint(1, 45))
        act = chance.choice(("mail", "mail", "answer", "pending", "open", "closed"))
        for one in conversations:
            if act == "mail":
                await room.mail(at, to=one, stored=at + dt.timedelta(minutes=5))
            elif act == "answer":
                await room.answer(at, to=one)
            else:
                await room.status(act, at, of=one)
        happened, room.waiting = room.waiting, []
        log += happened
        room.waiting = [e for e in happened if read[e.conversation_id] == 0]
        await room.react()
    room.waiting = [e for e in log if read[e.conversation_id] == 1]
    await room.react()
    rest = [e for e in log if read[e.conversation_id] == 2]
    while rest:
        size = chance.randint(1, 6)
        room.waiting, rest = rest[:size], rest[size:] if chance.random() < 0.7 else rest[min(size, 1) :]
        await room.react()

    def told(clocks):
        leave_out = ("id", "conversation_id", "created_at", "met_by")
        return [{k: v for k, v in c.items() if k not in leave_out} for c in clocks]

    first, second, third = [told(await room.clocks(c)) for c in conversations]
    assert first
    assert first == second == third
