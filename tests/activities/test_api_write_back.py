"""What was chosen here is so in a Gmail and in a Microsoft 365 mailbox: once, whoever dies, and never against others' later choice."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities import api_write_back
from contracts.failpoints import Failpoint
from providers.egress import tls_context
from store.conversation_tags import set_tags
from store.conversations import change_conversation, mark_read
from store.intents import intend_labels, intend_place, intend_read
from store.timeline import read_timeline
from store.visibility import Viewer
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import letter
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.graph_server import GraphServer

TLS = tls_context()
ALL = ("archive", "closed", "labels", "read", "spam", "trash")


class Box:
    """A mailbox of either provider, in words that both have: `inbox`, `archive`, `junk`, `trash`."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.gmail = isinstance(real, GmailMailbox)

    def deliver(self, number: int) -> str:
        raw = letter(number, subject=f"letter {number}")
        return str(self.real.deliver(raw)) if self.gmail else str(self.real.deliver(raw).immutable_id)

    def place(self, mail: str) -> str:
        if self.gmail:
            held = self.real.mails[mail].labels
            return next((word for label, word in LABELS.items() if label in held), "archive")
        names = {"inbox": "inbox", "archive": "archive", "junkemail": "junk", "deleteditems": "trash"}
        return next(word for name, word in names.items() if mail in [i.immutable_id for i in self.real.in_folder(name)])

    def move(self, mail: str, place: str) -> None:
        """By another program."""
        if self.gmail:
            add = [label for label, word in LABELS.items() if word == place]
            self.real.modify(mail, add=add, remove=[label for label in LABELS if label not in add])
        else:
            self.real.move(mail, {"junk": "junkemail", "trash": "deleteditems"}.get(place, place))

    def delete(self, mail: str) -> None:
        self.real.delete(mail)

    def is_read(self, mail: str) -> bool:
        return "UNREAD" not in self.real.mails[mail].labels if self.gmail else bool(self.real.find(mail).is_read)

    def labels(self, mail: str) -> set[str]:
        if self.gmail:
            return {self.real.labels[label] for label in self.real.mails[mail].labels if label in self.real.labels}
        return set(self.real.find(mail).categories)


LABELS = {"TRASH": "trash", "SPAM": "junk", "INBOX": "inbox"}


@dataclass
class Desk:
    room: ApiRoom
    box: Box
    mails: list[str]

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.room.tenant_id, None, sees_all=True)

    async def conversation(self, number: int) -> Any:
        return (await self.room.message(f"letter {number}"))["conversation_id"]

    async def chooses(self, number: int, status: str) -> bool:
        conversation = await self.conversation(number)
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            assert await change_conversation(connection, self.viewer, conversation, {"status": status})
            return await intend_place(connection, self.viewer, conversation, status) is not None

    async def reads(self, number: int) -> bool:
        conversation = await self.conversation(number)
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            assert await mark_read(connection, self.viewer, conversation)
            return await intend_read(connection, self.viewer, conversation) is not None

    async def tags(self, number: int, *names: str) -> None:
        conversation = await self.conversation(number)
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            changed = await set_tags(connection, self.viewer, conversation, names)
            await intend_labels(connection, self.viewer, conversation, added=changed.added, removed=changed.removed)

    async def intents(self) -> list[tuple[str, str, str]]:
        found = await self.room.rows("select kind, state, reason from intents order by id")
        return [(r["kind"], r["state"], r["reason"]) for r in found]

    async def told(self, number: int) -> list[tuple[str, str]]:
        message = await self.room.message(f"letter {number}")
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            timeline = await read_timeline(connection, self.viewer, message["id"])
        assert timeline is not None
        return [(s.step, s.detail) for s in timeline.steps if s.step.endswith("at the server")]

    async def quiet(self) -> bool:
        """Whether the next passes tell nobody anything: our own changes coming back."""
        before = await self.room.events()
        await self.room.settle()
        await self.room.settle()
        return await self.room.events() == before


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest_asyncio.fixture(params=["gmail", "graph"])
async def desk(request: Any, mail_database: Any, blobs: Any, parsers: Any) -> AsyncIterator[Desk]:
    """An inbox in step that writes everything back, with two unread mails."""
    if request.param == "gmail":
        box = request.getfixturevalue("gmail_box")
        google = request.getfixturevalue("google")
        root, tls = google.url, request.getfixturevalue("gmail_tls")
        make_token = lambda: google.oauth.access_token(box.address)  # noqa: E731
    else:
        server = request.getfixturevalue("graph")
        box, root, tls = server.mailbox("desk@example.org"), server.root, TLS
        make_token = lambda: server.login.access_token(box.address)  # noqa: E731
    room = await ApiRoom(
        mail_database, blobs, parsers, port=1, user="", password="",
        provider=request.param, root=root, tls=tls, page=5, make_token=make_token,
    ).open()  # fmt: skip
    await room.rows(
        "update inboxes set settings = jsonb_build_object('write_back', cast(:w as jsonb))", w=json.dumps(ALL)
    )
    await room.settle()
    kept = Box(box)
    made = Desk(room, kept, [kept.deliver(n) for n in range(2)])
    await room.settle()
    yield made
    await room.close()


async def test_read_here_is_read_there_and_the_echo_is_no_news(desk: Desk) -> None:
    assert await desk.reads(0)
    assert not await desk.reads(0)
    await desk.room.settle()
    assert [desk.box.is_read(mail) for mail in desk.mails] == [True, False]
    assert await desk.intents() == [("read", "done", "")]
    assert await desk.quiet()


@pytest.mark.parametrize(("status", "place"), [("archived", "archive"), ("closed", "archive"), ("spam", "junk"), ("trash", "trash")])
async def test_a_choice_moves_the_mail_and_back(desk: Desk, status: str, place: str) -> None:
    assert await desk.chooses(0, status)
    assert not await desk.chooses(0, status)
    await desk.room.settle()
    assert [desk.box.place(mail) for mail in desk.mails] == [place, "inbox"]
    assert await desk.intents() == [("place", "done", "")]
    assert len(await desk.told(0)) == 1
    assert await desk.quiet()
    assert await desk.chooses(0, "open")
    await desk.room.settle()
    assert desk.box.place(desk.mails[0]) == "inbox"
    assert await desk.quiet()
    assert (await desk.room.ledger())[desk.mails[0]]["role"] == "inbox"
    assert await desk.room.one("select count(*) from messages") == await desk.room.one("select count(*) from conversations") == 2
    assert await desk.room.gaps() == []


async def test_tags_are_labels_and_others_stay(desk: Desk) -> None:
    await desk.tags(0, "Billing", "very late")
    await desk.room.settle()
    assert desk.box.labels(desk.mails[0]) == {"Billing", "very late"}
    assert await desk.quiet()
    await desk.tags(0, "very late")
    await desk.room.settle()
    assert desk.box.labels(desk.mails[0]) == {"very late"}
    assert {state for _, state, _ in await desk.intents()} == {"done"}


async def test_what_somebody_else_moved_meanwhile_stays_and_is_told(desk: Desk) -> None:
    await desk.chooses(0, "archived")
    desk.box.move(desk.mails[0], "junk")
    await desk.room.settle()
    assert await desk.intents() == [("place", "conflict", "junk")]
    assert desk.box.place(desk.mails[0]) == "junk"
    assert (await desk.room.ledger())[desk.mails[0]]["role"] == "junk"
    assert await desk.told(0) == [("not archived at the server", "in another program it was moved to spam since; that stays")]
    assert await desk.quiet()


async def test_what_somebody_else_did_already_is_done(desk: Desk) -> None:
    await desk.chooses(0, "archived")
    desk.box.move(desk.mails[0], "archive")
    await desk.room.settle()
    assert await desk.intents() == [("place", "done", "")]
    assert desk.box.place(desk.mails[0]) == "archive"


async def test_a_mail_that_is_gone_closes_its_intents(desk: Desk) -> None:
    await desk.reads(0)
    await desk.chooses(0, "archived")
    desk.box.delete(desk.mails[0])
    await desk.room.settle()
    assert sorted(await desk.intents()) == [("place", "gone", ""), ("read", "gone", "")]


@pytest.mark.parametrize("point", [point for point in Failpoint if point.startswith("write_back.")])
async def test_dying_around_the_call_repeats_or_recognises_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, point: Failpoint
) -> None:
    """Before the mailbox was told, between the mailbox and our rows, and before Temporal knows."""
    await desk.reads(0)
    await desk.chooses(0, "trash")

    def die(here: Failpoint) -> None:
        if here is point:
            raise RuntimeError("dies here")

    with monkeypatch.context() as dying:
        dying.setattr(api_write_back, "reached", die)
        with pytest.raises(ApplicationError, match="RuntimeError"):
            await desk.room.fetch()
    assert desk.box.place(desk.mails[0]) == ("inbox" if point is Failpoint.WRITE_BACK_FOUND else "trash")
    assert {state for _, state, _ in await desk.intents()} == {"done" if point is Failpoint.WRITE_BACK_RECORDED else "open"}
    await desk.room.settle()
    assert desk.box.place(desk.mails[0]) == "trash"
    assert desk.box.is_read(desk.mails[0])
    read, place = await desk.intents()
    assert place == ("place", "done", "")
    assert read[1] in {"done", "gone"}  # what lies in the bin is gone when it is asked whether it was read
    assert not await desk.room.rows("select 1 from events where payload ->> 'gone' = 'true'")


async def test_an_overtaken_pass_tells_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.chooses(0, "archived")
    real = api_write_back.ApiWriteBack._one

    async def overtaken(self: Any, *arguments: Any) -> Any:
        await desk.room.rows("update inboxes set lease_epoch = lease_epoch + 1")
        return await real(self, *arguments)

    monkeypatch.setattr(api_write_back.ApiWriteBack, "_one", overtaken)
    with pytest.raises(ApplicationError) as error:
        await desk.room.fetch()
    assert error.value.type == "LeaseLost"
    assert (desk.box.place(desk.mails[0]), await desk.intents()) == ("inbox", [("place", "open", "")])


async def test_nothing_is_written_unless_the_inbox_says_so(desk: Desk) -> None:
    await desk.room.rows("update inboxes set settings = '{\"write_back\": [\"read\"]}'")
    assert not await desk.chooses(0, "archived")
    assert await desk.reads(0)
    await desk.room.rows("update inboxes set settings = '{}'")
    await desk.room.settle()
    assert not desk.box.is_read(desk.mails[0])
    assert desk.box.place(desk.mails[0]) == "inbox"
