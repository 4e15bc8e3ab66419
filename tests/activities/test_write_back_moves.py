"""What was archived, judged spam, thrown away or tagged here is so at the server: the mail stays one mail, and others' moves stand."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import write_back_moves
from activities.write_back import keyword_of, write_back
from providers.errors import Refused
from providers.imap.source import ImapSource
from store.conversation_tags import set_tags
from store.conversations import change_conversation
from store.inbox_state import LeaseLost
from store.intents import intend_labels, intend_place, withdraw
from store.timeline import read_timeline
from store.visibility import Viewer
from tests.activities.mail_room import LOCAL, MailRoom, letter
from tests.activities.test_write_back import tells

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]
ALL = ("archive", "spam", "trash", "labels")


async def ready(room: MailRoom, deliver: Deliver, *, mails: int = 2, words: Sequence[str] = ALL) -> None:
    await tells(room, *words)
    await room.connect()
    for n in range(mails):
        deliver(letter(n, subject=f"letter {n}"))
    await room.sync()


async def chooses(room: MailRoom, number: int, status: str) -> bool:
    """A person sets the status of the conversation with this mail. True when the server is to be told."""
    viewer = Viewer(room.tenant_id, None, sees_all=True)
    conversation = await room.one("select conversation_id from messages where subject = :s", s=f"letter {number}")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await change_conversation(connection, viewer, conversation, {"status": status})
        return await intend_place(connection, viewer, conversation, status) is not None


async def tags(room: MailRoom, number: int, *names: str) -> None:
    viewer = Viewer(room.tenant_id, None, sees_all=True)
    conversation = await room.one("select conversation_id from messages where subject = :s", s=f"letter {number}")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        changed = await set_tags(connection, viewer, conversation, names)
        await intend_labels(connection, viewer, conversation, added=changed.added, removed=changed.removed)


async def intents(room: MailRoom) -> list[tuple[str, str]]:
    return [(r["state"], r["reason"]) for r in await room.rows("select state, reason from intents order by id")]


async def told(room: MailRoom, number: int) -> list[tuple[str, str]]:
    """What the mail's timeline says about the server."""
    message = await room.one("select id from messages where subject = :s", s=f"letter {number}")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        timeline = await read_timeline(connection, Viewer(room.tenant_id, None, sees_all=True), message)
    assert timeline is not None
    return [(s.step, s.detail) for s in timeline.steps if s.step.endswith("at the server")]


@asynccontextmanager
async def elsewhere(room: MailRoom) -> AsyncIterator[ImapSource]:
    row = await room.accounts.inbox(room.ref.tenant_id, room.ref.inbox_id)
    async with ImapSource(room.accounts.imap(row), LOCAL) as other:
        yield other


async def lie(room: MailRoom, *paths: str) -> list[int]:
    """How many mails each folder has."""
    found = []
    async with elsewhere(room) as other:
        for path in paths:
            await other.examine(path)
            found.append(len(await other.uids()))
    return found


@pytest.mark.parametrize(("status", "path", "step"), [
    ("archived", "Archive", "archived at the server"),
    ("spam", "Junk", "moved to spam at the server"),
    ("trash", "Trash", "moved to the bin at the server"),
])  # fmt: skip
async def test_a_choice_moves_the_mail_and_back(room: MailRoom, deliver: Deliver, status: str, path: str, step: str) -> None:
    await ready(room, deliver)
    assert await chooses(room, 0, status)
    assert not await chooses(room, 0, status)  # one intent, told once
    await room.sync()
    assert await lie(room, "INBOX", path) == [1, 1]
    assert await intents(room) == [("done", "")]
    assert await told(room, 0) == [(step, "")]
    before = await room.events()
    await room.sync(flags=True)
    assert await room.events() == before  # the echo is no news: not gone, not new
    assert await room.one("select count(*) from messages") == 2
    assert await chooses(room, 0, "open")
    await room.sync()
    await room.sync()
    assert await lie(room, "INBOX", path) == [2, 0]
    assert await room.one("select count(*) from messages") == await room.one("select count(*) from conversations") == 2
    assert await told(room, 0) == [(step, ""), ("moved to the inbox at the server", "")]


async def test_a_moved_mail_is_the_same_mail_where_its_new_folder_is_read(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await room.rows("update folders set synced = true where role = 'archive'")
    await room.sync()
    assert await chooses(room, 1, "archived")
    events = (await room.events()).count("message.received")
    await room.sync()
    await room.sync()
    rows = await room.rows("select state, reason, gone_at is null as there from ledger order by id")
    assert [(r["state"], r["there"]) for r in rows] == [("ingested", True), ("ingested", False), ("skipped", True)]
    assert await room.one("select count(*) from messages") == 2
    assert (await room.events()).count("message.received") == events
    assert await room.one("select status from conversations where subject = 'letter 1'") == "archived"
    await room.rows("update inboxes set audit_due_at = now()")
    await room.sync()
    assert len(await room.rows("select 1 from audits")) >= 2
    assert await room.rows("select 1 from gaps") == []


@pytest.mark.parametrize("place", ["before", "after"])
async def test_dying_around_a_move_repeats_or_recognises_it(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    await ready(room, deliver)
    await chooses(room, 0, "archived")

    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("dies here")

    with monkeypatch.context() as dying:
        dying.setattr(*((ImapSource, "move", die) if place == "before" else (write_back_moves, "mirror_moved", die)))
        with pytest.raises(ApplicationError, match="RuntimeError"):
            await room.fetch()
    assert await lie(room, "INBOX", "Archive") == ([2, 0] if place == "before" else [1, 1])
    assert await intents(room) == [("open", "")]
    await room.fetch(flags=True)
    assert await lie(room, "INBOX", "Archive") == [1, 1]
    assert await intents(room) == [("done", "")]
    assert not await room.rows("select 1 from events where payload ? 'gone'")
    assert await told(room, 0) == [("archived at the server", "")]


@pytest.mark.parametrize(("same", "archived"), [(True, 1), (False, 2)])
async def test_dying_between_copy_and_expunge_leaves_no_second_copy_and_takes_no_other_mail_for_one(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, same: bool, archived: int
) -> None:
    """A server with UIDPLUS and without MOVE."""
    capabilities = ImapSource.capabilities.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(ImapSource, "capabilities", property(lambda self: capabilities(self) - {"MOVE"}))
    await ready(room, deliver)
    await chooses(room, 0, "archived")
    await room.rows("update intents set tried_at = now()")
    async with elsewhere(room) as other:
        await other.examine("INBOX")
        raw = (await other.fetch([1])).mails[0].raw
        await other.append("Archive", raw if same else letter(0, subject="another mail under its Message-ID"))
    await room.fetch()
    assert await lie(room, "INBOX", "Archive") == [1, archived]
    assert await intents(room) == [("done", "")]


async def test_what_somebody_else_moved_meanwhile_stays_and_is_told(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await room.rows("update folders set synced = true where role = 'junk'")
    await room.sync()
    await tells(room)
    async with elsewhere(room) as other:
        await other.select("INBOX")
        await other.move([1], "Junk")
    await tells(room, *ALL)
    await chooses(room, 0, "archived")
    await room.sync(flags=True)
    await room.sync(flags=True)
    assert await intents(room) == [("conflict", "junk")]
    assert await lie(room, "INBOX", "Junk", "Archive") == [1, 1, 0]
    assert await told(room, 0) == [("not archived at the server", "in another program it was moved to spam since; that stays")]


async def test_a_mail_that_somebody_deleted_meanwhile_is_gone(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await chooses(room, 0, "archived")
    async with elsewhere(room) as other:
        await other.select("INBOX")
        await other.expunge([1])
    await room.sync(flags=True)
    assert await intents(room) == [("gone", "")]
    assert len(await room.rows("select 1 from events where payload ? 'gone'")) == 1


@pytest.mark.parametrize(("reason", "detail"), [
    ("no_folder", "the mailbox has no folder for it"),
    ("no_safe_move", "the mail server has neither MOVE nor UIDPLUS"),
])  # fmt: skip
async def test_what_the_server_cannot_do_is_refused_and_told(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, reason: str, detail: str
) -> None:
    await ready(room, deliver)
    await chooses(room, 0, "archived")
    if reason == "no_folder":
        await room.rows("update folders set role = 'other' where role = 'archive'")
    else:

        async def refused(*_: Any) -> None:
            raise Refused("no_safe_move", "cannot be moved")

        monkeypatch.setattr(ImapSource, "move", refused)
    await room.fetch()
    monkeypatch.undo()
    assert await intents(room) == [("refused", reason)]
    assert await lie(room, "INBOX", "Archive") == [2, 0]
    assert await told(room, 0) == [("not archived at the server", detail)]


async def test_tags_are_keywords_where_the_folder_keeps_them(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await tags(room, 0, "Billing", "very late", "\N{SNOWMAN}")
    await room.fetch()
    assert sorted(await intents(room)) == [("done", ""), ("done", ""), ("refused", "no_keywords")]
    flags = set(await room.one("select flags from ledger where uid = 1"))
    assert {"Billing", "very_late"} <= flags
    before = await room.events()
    await room.fetch(flags=True)
    assert await room.events() == before
    assert set(await room.one("select flags from ledger where uid = 1")) == flags
    await tags(room, 0, "very late")
    await room.fetch(flags=True)
    assert "Billing" not in await room.one("select flags from ledger where uid = 1")


async def test_nothing_moves_unless_the_inbox_says_so(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver, words=("read", "archive"))
    assert not await chooses(room, 0, "spam")
    assert not await chooses(room, 1, "closed")
    assert await chooses(room, 1, "archived")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await withdraw(connection, room.tenant_id, room.inbox_id, frozenset({"read"}))
    await room.fetch()
    assert await intents(room) == [("withdrawn", "")]
    await tells(room, "closed")
    assert await chooses(room, 1, "closed")
    assert not await chooses(room, 1, "open")  # before it was begun: nothing is left to do
    assert await intents(room) == [("withdrawn", "")]
    await room.fetch()
    assert await lie(room, "INBOX", "Archive", "Junk") == [2, 0, 0]


async def test_who_lost_the_lease_moves_nothing(room: MailRoom, deliver: Deliver) -> None:
    await ready(room, deliver)
    await chooses(room, 0, "archived")
    folder = await room.folder()
    inbox = await room.accounts.inbox(room.ref.tenant_id, room.ref.inbox_id)
    old = await room.overtaken()
    async with elsewhere(room) as source:
        with pytest.raises(LeaseLost):
            await write_back(room.database, source, inbox, old, folder["id"])
    assert (await intents(room), await lie(room, "INBOX")) == ([("open", "")], [2])


def test_a_tag_is_an_atom() -> None:
    assert [keyword_of(name) for name in ("Billing", "a b/c", "2. Mahnung", "\N{SNOWMAN}", "__")] == ["Billing", "a_b_c", "2._Mahnung", None, None]
