"""History: newest first, in bounded steps, steerable, and told only by its progress."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import backfill, packing
from contracts.refs import FolderRef
from store.backfill import order_backfill
from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


class Boom(Exception):
    """A process that dies here."""


def ago(days: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)


async def folder_ref(room: MailRoom) -> FolderRef:
    return FolderRef(room.ref.tenant_id, room.ref.inbox_id, str((await room.folder())["id"]))


async def test_history_is_read_down_to_the_horizon(room: MailRoom, deliver: Deliver) -> None:
    deliver(letter(0, subject="Too old"), received=ago(90), seen=True)
    for n in range(1, 6):
        deliver(letter(n), received=ago(20 - n))
    await room.connect()
    folder = await room.folder()
    assert (folder["last_uid"], folder["first_uid"], folder["backfill_state"]) == (6, 7, "waiting")
    deliver(letter(9, subject="Live"))
    await room.sync()
    progress = await room.backfill()
    assert (progress.state, progress.done, progress.total) == ("done", 5, 5)
    rows = await room.rows("select uid, historical, state from ledger order by uid")
    assert [(r["uid"], r["historical"], r["state"]) for r in rows] == [
        *((uid, True, "ingested") for uid in range(2, 7)),
        (7, False, "ingested"),
    ]
    history = await room.rows("select * from messages where historical")
    assert all(m["is_read"] and not m["may_answer"] for m in history)
    assert await room.one("select sum(unread_count) from conversations") == 1
    assert (await room.events()).count("message.received") == 1
    assert (await room.events()).count("conversation.created") == 1
    assert "backfill.progress" in await room.events()


async def test_history_and_live_mail_share_their_threads(room: MailRoom, deliver: Deliver) -> None:
    deliver(letter(1), received=ago(3))
    await room.connect()
    deliver(letter(2, parents=("<m1@customer.example.com>",)))
    await room.sync()
    await room.backfill()
    assert len(await room.threads()) == 1
    (conversation,) = await room.rows("select * from conversations")
    assert (conversation["message_count"], conversation["historical"], conversation["last_message_direction"]) == (
        2,
        False,
        "inbound",
    )


async def test_a_step_that_dies_repeats_one_stretch(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(10):
        deliver(letter(n), received=ago(10 - n / 10))
    await room.connect()
    monkeypatch.setattr(packing, "MOST_MAILS", 3)
    ref = await folder_ref(room)
    await ActivityEnvironment().run(room.backfilling.plan, ref)
    real, calls = vars(backfill)["advance_backfill"], []

    async def die(*given: Any, **named: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Boom
        await real(*given, **named)

    monkeypatch.setattr(backfill, "advance_backfill", die)
    with pytest.raises(ApplicationError, match="Boom"):
        await ActivityEnvironment().run(room.backfilling.step, ref)
    folder = await room.folder()
    assert (folder["backfill_uid"], folder["backfill_done"]) == (8, 3)
    monkeypatch.setattr(backfill, "advance_backfill", real)
    progress = await room.backfill()
    assert (progress.state, progress.done) == ("done", 10)
    assert await room.states() == {"ingested": 10}
    assert await room.one("select count(*) from messages") == 10


async def test_people_steer_it(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        deliver(letter(n), received=ago(5))
    await room.connect()
    monkeypatch.setattr(packing, "MOST_MAILS", 2)
    ref = await folder_ref(room)
    real = packing.Packer.pack

    async def pack_and_pause(self: packing.Packer, *given: Any, **named: Any) -> Any:
        await order(room, "pause")
        return await real(self, *given, **named)

    monkeypatch.setattr(packing.Packer, "pack", pack_and_pause)
    await ActivityEnvironment().run(room.backfilling.plan, ref)
    progress = await ActivityEnvironment().run(room.backfilling.step, ref)
    assert (progress.state, progress.done) == ("paused", 0)
    assert await room.states() == {}
    monkeypatch.setattr(packing.Packer, "pack", real)
    assert (await ActivityEnvironment().run(room.backfilling.step, ref)).state == "paused"
    assert len(await order(room, "resume")) == 1
    assert await order(room, "resume") == []
    assert (await room.backfill()).done == 6
    assert len(await order(room, "start")) == 2  # INBOX and Sent
    assert (await room.backfill()).state == "done"
    assert await room.one("select count(*) from messages") == 6
    assert await order(room, "cancel") != []


async def test_an_inbox_without_horizon_reads_no_history(room: MailRoom, deliver: Deliver) -> None:
    await room.rows("update inboxes set backfill_days = 0")
    deliver(letter(1))
    await room.connect()
    assert (await room.folder())["backfill_state"] == "none"
    assert (await room.backfill()).state == "none"
    assert (await room.sync()).ingested == 0


async def order(room: MailRoom, action: str) -> list[Any]:
    async with room.database.unit_of_work(room.tenant_id) as connection:
        return await order_backfill(connection, room.tenant_id, room.inbox_id, action)
