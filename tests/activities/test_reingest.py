"""Re-ingest on real rows: what an older parser left behind is found, told and mended; nobody hears of it; twice is once."""

import uuid
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import reingest as steps
from contracts.reingest import ReingestProgress
from providers.errors import Unreachable
from store import incoming
from store.incoming import PARSER_VERSION
from store.timeline import read_timeline
from store.visibility import Viewer
from tests.activities.mail_room import MailRoom, letter
from tests.activities.reingest_office import OLDER, Deliver, count_all, filled, lies

pytestmark = pytest.mark.dovecot
M1 = "<m1@customer.example.com>"
SPOIL = "update messages set body_text = 'x', body_visible = 'x', parser_version = 0"
BODIES = "select body_visible from messages order by id"


class Boom(Exception):
    """A process that dies here."""


async def test_what_an_older_parser_left_is_found_and_mended(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1, body="It burns.", files=(("a.bin", b"one"), ("b.bin", b"two"))), letter(2))
    assert await count_all(room) == (2, 0)
    before = await room.rows("select * from messages order by id")
    await room.rows(OLDER)
    await room.rows("update messages set body_text = 'It b?rns.', body_visible = 'It b?rns.', subject = 'Pr?nter' where message_id_header = :m", m=M1)
    await room.rows("update attachments set filename = 'old' where filename = 'a.bin'")
    await room.rows("delete from attachments where filename = 'b.bin'")
    await room.rows("update conversations set subject = 'Pr?nter', snippet = 'It b?rns.' where snippet = 'It burns.'")
    kept = await room.one("select id from attachments where filename = 'old'")
    told, conversations = len(await room.events()), await room.rows("select id, unread_count, message_count, status from conversations order by id")

    ref = await office.ask(older_parser=True)
    planned = await office.plan(ref)
    assert (planned.state, planned.total, planned.done, planned.changed, planned.to_apply) == ("planned", 2, 2, 1, 2)
    assert await room.one("select body_text from messages where message_id_header = :m", m=M1) == "It b?rns."  # a dry run is dry
    first, second = await office.changes(ref)
    assert (first["kinds"], second["kinds"]) == (["body", "parts", "headers"], [])
    body = first["detail"]["body"]["body_visible"]
    assert (body["old_length"], body["new_length"]) == (9, 9)
    assert body["diff"].splitlines()[1:] == ["-It b?rns.", "+It burns."]
    parts = first["detail"]["parts"]
    assert [p["filename"] for p in parts["added"]] == ["b.bin"]
    assert [(r["old"]["filename"], r["new"]["filename"]) for r in parts["renamed"]] == [("old", "a.bin")]
    assert first["detail"]["headers"] == [{"field": "subject", "old": "Pr?nter", "new": "Printer on fire"}]
    assert first["detail"]["parser_version"] == {"old": 0, "new": PARSER_VERSION}

    applied = await office.apply(ref)
    assert (applied.state, applied.applied, applied.failed) == ("applied", 2, 0)
    after = await room.rows("select * from messages order by id")
    ignored = {"indexed_at"}
    assert [{k: v for k, v in m.items() if k not in ignored} for m in after] == [
        {k: v for k, v in m.items() if k not in ignored} for m in before
    ]
    assert all(m["indexed_at"] is not None for m in after)
    assert await room.one("select id from attachments where filename = 'a.bin'") == kept  # a link to it still works
    assert await room.one("select subject || '|' || snippet from conversations where snippet = 'It burns.'") == "Printer on fire|It burns."
    assert await room.rows("select id, unread_count, message_count, status from conversations order by id") == conversations
    news = (await room.events())[told:]
    assert set(news) == {"reingest.progress", "message.updated", "conversation.updated"}
    assert news.count("message.updated") == 1
    assert await story(room, before[0]["id"]) == ["read again: body, parts, headers"]
    assert await count_all(room) == (2, 0)
    assert await lies(room) == []


async def story(room: MailRoom, message_id: uuid.UUID) -> list[str]:
    """What the timeline tells of it."""
    viewer = Viewer(room.tenant_id, None, sees_all=True)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        timeline = await read_timeline(connection, viewer, message_id)
    assert timeline
    return [f"{s.step}: {s.detail}" for s in timeline.steps if s.step == "read again"]


async def test_what_changed_since_the_plan_is_left_alone(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2), letter(3))
    await room.rows(SPOIL)
    ref = await office.ask(everything=True)
    await office.plan(ref)
    await room.rows("update messages set subject = 'edited' where message_id_header = :m", m=M1)
    await room.rows("update messages set parser_version = 0")  # no reason: nothing was planned from it
    applied = await office.apply(ref)
    assert (applied.state, applied.applied, applied.failed) == ("applied", 2, 1)
    assert await room.one("select failures from reingests") == {"changed_since": 1}
    assert [r["body_visible"] for r in await room.rows(BODIES)] == ["x", "Please help.", "Please help."]
    assert await office.order(ref, "apply") is None  # a run is applied once
    again = await office.ask(older_parser=True)
    planned = await office.plan(again)
    assert (planned.total, planned.changed) == (1, 1)  # and what was left alone is planned anew
    assert (await office.apply(again)).applied == 1


async def test_a_mail_that_reads_otherwise_by_now_is_left_alone(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1, files=(("a.bin", b"one"),)))
    await room.rows(SPOIL)
    ref = await office.ask(everything=True)
    await office.plan(ref)
    await room.rows("update reingest_changes set after = 'another'")
    assert (await office.apply(ref)).failed == 1
    assert (await office.change(ref))["reason"] == "reads_otherwise"


async def test_dying_in_a_batch_costs_only_the_batch(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    office = await filled(room, deliver, *(letter(n, files=(("f.txt", b"same"),)) for n in range(4)))
    await room.rows(SPOIL)
    await room.rows("delete from attachments")
    monkeypatch.setattr(steps, "PAGE", 2)
    monkeypatch.setattr(steps, "BATCH", 2)
    ref = await office.ask(everything=True)
    await _dies_once(monkeypatch, "record_changes", office.plan(ref))
    assert await room.one("select done from reingests") == 0
    assert (await office.plan(ref)).changed == 4
    await _dies_once(monkeypatch, "settle_changes", office.apply(ref))
    assert {r["body_visible"] for r in await room.rows(BODIES)} == {"x"}
    progress = ReingestProgress("applying")
    while progress.state == "applying":
        progress = await ActivityEnvironment().run(office.steps.apply, ref)
    assert (progress.applied, progress.failed) == (4, 0)
    assert {r["body_visible"] for r in await room.rows(BODIES)} == {"Please help."}
    assert await room.one("select count(*) from attachments") == 4
    assert await room.one("select count(*) from events where type = 'message.updated'") == 4
    assert await lies(room) == []


async def _dies_once(monkeypatch: pytest.MonkeyPatch, step: str, work: Any) -> None:
    """The transaction in which `step` writes dies after it wrote."""
    real = vars(steps)[step]

    async def die(*given: Any, **named: Any) -> None:
        await real(*given, **named)
        raise Boom

    with monkeypatch.context() as patch:
        patch.setattr(steps, step, die)
        with pytest.raises(ApplicationError, match="Boom"):
            await work


@pytest.mark.parametrize(("order", "left"), [("cancel", "cancelled"), ("pause", "planning")])
async def test_an_order_stops_a_step_at_its_next_write(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, order: str, left: str
) -> None:
    office = await filled(room, deliver, letter(1))
    await room.rows(SPOIL)
    ref = await office.ask(everything=True)
    real = steps.load_stored

    async def order_meanwhile(*given: Any) -> Any:
        await office.order(ref, order)
        return await real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "load_stored", order_meanwhile)
        progress = await ActivityEnvironment().run(office.steps.plan, ref)
    assert (progress.state, progress.paused, progress.done) == (left, order == "pause", 0)
    assert await office.changes(ref) == []
    if order == "pause":
        assert (await ActivityEnvironment().run(office.steps.plan, ref)).paused
        assert await office.order(ref, "resume")
        assert (await office.plan(ref)).changed == 1


async def test_an_attempt_that_was_given_up_writes_nothing(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await filled(room, deliver, letter(1))
    ref = await office.ask(everything=True)
    real = steps.load_stored

    async def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(steps, "load_stored", real)
        assert (await office.plan(ref)).state == "applied"  # nothing differs, so there is nothing to take over
        await room.rows("update reingests set state = 'planning'")
        return await real(*given)

    monkeypatch.setattr(steps, "load_stored", overtaken)
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(office.steps.plan, ref)
    assert caught.value.type == "LeaseLost"
    assert await room.one("select done from reingests") == 1


async def test_a_bucket_that_is_away_is_waited_for(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    office = await filled(room, deliver, letter(1))
    ref = await office.ask(everything=True)

    async def away(*_: Any) -> bytes:
        raise Unreachable("storage_away")

    with monkeypatch.context() as patch:
        patch.setattr(room.blobs, "get", away)
        with pytest.raises(ApplicationError) as caught:
            await office.plan(ref)
    assert caught.value.type == "StorageUnavailable"
    assert (await office.plan(ref)).done == 1


async def test_bytes_that_are_gone_are_that_mails_trouble(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2))
    await room.rows("update ledger set raw_key = 'raw/nothing' where uid = 1")
    planned = await office.plan(await office.ask(everything=True))
    assert (planned.done, planned.failed) == (2, 1)
    assert await room.one("select reason from reingest_changes where state = 'unread'") == "blob_missing"


async def test_a_newer_parser_ends_a_run_that_was_asked_of_an_older_one(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await filled(room, deliver, letter(1))
    await room.rows(SPOIL)
    ref = await office.ask(everything=True)
    await office.plan(ref)
    await room.rows("update reingests set parser_version = :v", v=incoming.PARSER_VERSION - 1)
    applied = await office.apply(ref)
    assert (applied.state, applied.applied) == ("cancelled", 0)
    assert "parser has changed" in await room.one("select error from reingests")


async def test_live_mail_waits_for_one_chunk_at_most(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    office = await filled(room, deliver, *(letter(n) for n in range(20)))
    asked: list[int] = []
    busy = 0
    real = room.parsers.read

    async def counted(orders: Any) -> Any:
        nonlocal busy
        busy += 1
        asked.append(len(orders))
        assert busy == 1
        answers = await real(orders)
        busy -= 1
        return answers

    monkeypatch.setattr(room.parsers, "read", counted)
    await office.plan(await office.ask(everything=True))
    assert asked == [16, 4]


async def test_a_diff_of_a_huge_mail_stays_small(room: MailRoom, deliver: Deliver) -> None:
    words = "\r\n".join(f"line {n} of a long story about very little" for n in range(20_000))
    office = await filled(room, deliver, letter(1, body=words))
    await room.rows("update messages set body_text = 'gone', body_visible = 'gone'")
    await office.plan(await office.ask(everything=True))
    size = await room.one("select octet_length(detail::text) from reingest_changes")
    assert size < 20_000
