"""What was read here becomes read at the server: once, whoever dies, and never against what was changed there since."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import write_back as step
from providers.errors import Refused, Unreachable
from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor
from store.conversations import mark_read
from store.inbox_state import LeaseLost
from store.intents import intend_read, withdraw
from store.timeline import read_timeline
from store.visibility import Viewer
from tests.activities.mail_room import LOCAL, MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]
SEEN = "\\Seen"


async def tells(room: MailRoom, *words: str) -> None:
    """The inbox writes these back; an empty word is none."""
    chosen = json.dumps([word for word in words if word])
    await room.rows("update inboxes set settings = settings || jsonb_build_object('write_back', cast(:w as jsonb))", w=chosen)


async def ready(room: MailRoom, deliver: Deliver, mails: int = 3, *, policy: str = "read") -> None:
    """An inbox in step that writes back, with that many unread mails, each of its own conversation."""
    await tells(room, policy)
    await room.connect()
    for n in range(mails):
        deliver(letter(n))
    await room.sync()


async def read_here(room: MailRoom, number: int) -> bool:
    """A person opens the conversation of the mail with this UID. True when the server is to be told."""
    conversation = await room.one(
        "select m.conversation_id from messages m join ledger l on l.message_id = m.id where l.uid = :n", n=number
    )
    viewer = Viewer(room.tenant_id, None, sees_all=True)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await mark_read(connection, viewer, conversation)
        return await intend_read(connection, viewer, conversation) is not None


async def states(room: MailRoom) -> list[str]:
    return [r["state"] for r in await room.rows("select state from intents order by id")]


@asynccontextmanager
async def elsewhere(room: MailRoom) -> AsyncIterator[ImapSource]:
    """Another mail program of the same person, with the inbox open."""
    row = await room.accounts.inbox(room.ref.tenant_id, room.ref.inbox_id)
    async with ImapSource(room.accounts.imap(row), LOCAL) as other:
        await other.select("INBOX")
        yield other


async def seen_at_server(room: MailRoom) -> set[int]:
    async with elsewhere(room) as other:
        await other.examine("INBOX")
        told = await other.flag_changes(FlagCursor(None, 1, 100))
        return {uid for uid, flags in told.flags.items() if SEEN in flags}


async def test_read_here_is_read_there(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    assert await read_here(room, 2)
    assert not await read_here(room, 2)  # one intent, told once
    assert await states(room) == ["open"]
    await room.fetch()
    assert await seen_at_server(room) == {2}
    assert await states(room) == ["done"]
    assert await room.one("select '\\Seen' = any(flags) from ledger where uid = 2")


async def test_our_change_coming_back_is_no_news(room: MailRoom, deliver: Deliver) -> None:
    """The echo: the server tells everybody that the flag changed, us too."""
    await ready(room, deliver)
    await read_here(room, 1)
    await room.fetch()
    before = await room.events()
    assert (await room.fetch(flags=True)).flags_changed == 0
    assert await room.events() == before
    assert not await read_here(room, 1)


async def test_nothing_is_written_unless_the_inbox_says_so(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver, policy="")
    assert not await read_here(room, 1)
    await room.fetch()
    assert await seen_at_server(room) == set()
    assert await states(room) == []


async def test_what_was_switched_off_meanwhile_is_not_written(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await read_here(room, 1)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await withdraw(connection, room.tenant_id, room.inbox_id)
    await room.fetch()
    assert (await states(room), await seen_at_server(room)) == (["withdrawn"], set())


@pytest.mark.parametrize("where", ["store_flags", "mirror_flags"])
async def test_dying_around_the_store_repeats_harmlessly(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before the server was told, and between the server and our rows."""
    await ready(room, deliver)
    await read_here(room, 3)

    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("dies here")

    with monkeypatch.context() as dying:
        dying.setattr(*((ImapSource, where, die) if where == "store_flags" else (step, where, die)))
        with pytest.raises(ApplicationError, match="RuntimeError"):
            await room.fetch()
    assert await states(room) == ["open"]
    assert await seen_at_server(room) == ({3} if where == "mirror_flags" else set())
    assert (await room.fetch()).failure is None
    assert (await states(room), await seen_at_server(room)) == (["done"], {3})
    assert await room.one("select count(*) from messages where is_read") == 1


async def test_read_there_before_we_could_is_done(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready(room, deliver)
    await read_here(room, 1)
    async with elsewhere(room) as other:
        await other.store_flags([1], add=[SEEN])

    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is left to write")

    monkeypatch.setattr(ImapSource, "store_flags", never)
    await room.fetch(flags=True)
    assert await states(room) == ["done"]


async def test_the_servers_later_change_wins_and_is_told(room: MailRoom, deliver: Deliver) -> None:
    """Read here; while the server is away from us a colleague reads it and marks it unread again."""
    await ready(room, deliver)
    await read_here(room, 2)
    await tells(room)  # our own write has to wait
    async with elsewhere(room) as other:
        await other.store_flags([2], add=[SEEN])
        await room.fetch(flags=True)
        await other.select("INBOX")
        await other.store_flags([2], remove=[SEEN])
        await tells(room, "read")
        await room.fetch(flags=True)
    assert (await states(room), await seen_at_server(room)) == (["superseded"], set())
    (message,) = await room.rows("select m.id, m.is_read from messages m join ledger l on l.message_id = m.id where l.uid = 2")
    assert message["is_read"] is False
    async with room.database.unit_of_work(room.tenant_id) as connection:
        timeline = await read_timeline(connection, Viewer(room.tenant_id, None, sees_all=True), message["id"])
    assert timeline is not None
    told = [s.detail for s in timeline.steps if s.step == "not marked as read at the server"]
    assert told == ["it was marked as unread in another program since"]
    # Read here once more: the person's newer choice is written.
    assert await read_here(room, 2)
    await room.fetch()
    assert (await states(room), await seen_at_server(room)) == (["done"], {2})


async def test_a_mail_that_is_gone_closes_its_intent(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await read_here(room, 1)
    async with elsewhere(room) as other:
        await other.store_flags([1], add=["\\Deleted"])
    await room.fetch(flags=True)
    assert (await states(room), await seen_at_server(room)) == (["gone"], set())


async def test_a_server_that_refuses_is_not_asked_again_and_mail_still_comes(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(room, deliver)
    await read_here(room, 1)
    asked: list[int] = []

    async def refused(_self: ImapSource, uids: list[int], **_: Any) -> None:
        asked.extend(uids)
        raise Refused

    monkeypatch.setattr(ImapSource, "store_flags", refused)
    deliver(letter(7))
    await room.sync()
    await room.fetch()
    assert (asked, await states(room)) == ([1], ["refused"])
    assert await room.one("select count(*) from messages") == 4


async def test_a_lost_connection_is_tried_again(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready(room, deliver)
    await read_here(room, 1)

    async def away(*_: Any, **__: Any) -> None:
        raise Unreachable

    with monkeypatch.context() as broken:
        broken.setattr(ImapSource, "store_flags", away)
        assert (await room.fetch()).failure == "Unreachable"
    assert await states(room) == ["open"]
    await room.fetch()
    assert (await states(room), await seen_at_server(room)) == (["done"], {1})


async def test_much_is_written_a_batch_at_a_time(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "BATCH", 2)
    await ready(room, deliver, mails=5)
    for uid in range(1, 6):
        await read_here(room, uid)
    sizes = []
    for _ in range(3):
        await room.fetch()
        sizes.append(len(await seen_at_server(room)))
    assert (sizes, await states(room)) == ([2, 4, 5], ["done"] * 5)


async def test_who_lost_the_lease_writes_no_row(room: MailRoom, deliver: Deliver) -> None:
    """A pass that timed out and still runs stores the flag at most: the one that took over recognises it."""
    await ready(room, deliver)
    await read_here(room, 1)
    folder = await room.folder()
    inbox = await room.accounts.inbox(room.ref.tenant_id, room.ref.inbox_id)
    old = await room.overtaken()
    async with elsewhere(room) as source:
        with pytest.raises(LeaseLost):
            await step.write_back(room.database, source, inbox, old, folder["id"])
    assert (await states(room), await seen_at_server(room)) == (["open"], set())
