"""A Microsoft 365 mailbox kept in step, folder by folder: a mail that moves is one mail, and gone only where no folder has it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from activities import api_listing
from contracts.inbound import ResyncScope
from providers.egress import tls_context
from store.quarantine import retry
from tests.activities.api_room import ApiRoom, between
from tests.activities.mail_room import letter
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_server import GraphServer

TLS = tls_context()  # loaded once; the stand-in speaks plain http


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest.fixture
def box(graph: GraphServer) -> GraphMailbox:
    return graph.mailbox("desk@example.org")


@pytest_asyncio.fixture
async def room(
    mail_database: Any, blobs: Any, parsers: Any, graph: GraphServer, box: GraphMailbox
) -> AsyncIterator[ApiRoom]:
    made = await ApiRoom(
        mail_database, blobs, parsers, port=1, user="", password="",
        provider="graph", root=graph.root, tls=TLS, page=5,
        make_token=lambda: graph.login.access_token(box.address),
    ).open()  # fmt: skip
    yield made
    await made.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One page of a listing for each pass."""
    monkeypatch.setattr(api_listing.ApiListing.__init__, "__kwdefaults__", {"seconds": 0.0})


async def test_the_first_listing_leaves_what_is_older_than_the_horizon(
    room: ApiRoom, box: GraphMailbox
) -> None:
    box.deliver(letter(1, subject="too old"), received_at=ago(60))
    for n in range(2, 10):
        box.deliver(letter(n, subject=f"history {n}"), received_at=ago(n))
    box.deliver(letter(20, subject="ours", sender="desk@example.org"), "sentitems", received_at=ago(1))
    box.deliver(letter(21, subject="filed"), "archive")
    await room.settle()
    assert sorted(await room.subjects()) == sorted([*(f"history {n}" for n in range(2, 10)), "ours"])
    assert (await room.message("ours"))["direction"] == "outbound"
    assert all(row["historical"] for row in (await room.ledger()).values())
    for role in ("inbox", "sent"):
        folder = await room.folder(role)
        assert (folder["backfill_state"], folder["listing_after"]) == ("done", None)
        assert folder["graph_delta_link"]
    box.deliver(letter(30, subject="news"), categories=["Red"])
    report = await room.fetch()
    assert report.stored == 1
    await room.ingest()
    news = await room.message("news")
    assert (news["historical"], news["is_read"], news["flags"]) == (False, False, ["Red"])


@pytest.mark.usefixtures("at_once")
async def test_live_mail_does_not_wait_for_the_listing(room: ApiRoom, box: GraphMailbox) -> None:
    for n in range(1, 13):
        box.deliver(letter(n, subject=f"history {n}"), received_at=ago(n))
    first = await room.fetch()
    assert (first.stored, first.more) == (5, True)
    folder = await room.folder()
    assert (folder["backfill_state"], folder["backfill_done"], folder["backfill_total"]) == ("running", 5, 12)
    box.deliver(letter(50, subject="news"))
    await room.fetch()
    await room.ingest()
    assert (await room.message("news"))["historical"] is False
    await room.settle()
    assert len(await room.ledger()) == 13


async def test_a_move_between_folders_is_one_mail_and_never_gone(room: ApiRoom, box: GraphMailbox) -> None:
    await room.settle()
    folder = box.add_folder("Cases")
    room.fetching._api_pass._listed_at.clear()
    await room.fetch()
    await room.rows(
        "update folders set synced = true where inbox_id = :i and name = 'Cases'", i=room.inbox_id
    )
    one = box.deliver(letter(1, subject="one")).immutable_id
    two = box.deliver(letter(2, subject="two")).immutable_id
    await room.settle()
    box.move(one, folder)
    box.move(two, "archive")  # not synced
    await room.settle()
    rows = await room.ledger()
    assert rows[one]["gone_at"] is None
    assert rows[one]["folder_id"] == (await room.rows("select id from folders where name = 'Cases'"))[0]["id"]
    assert rows[two]["gone_at"] is not None
    gone = await room.rows(
        "select payload, message_id from events where type = 'message.updated' order by id"
    )
    assert [e["payload"].get("gone") for e in gone if e["message_id"] == rows[one]["message_id"]] == []
    box.move(one, "inbox")
    box.move(two, "inbox")
    await room.settle()
    rows = await room.ledger()
    assert [rows[i]["gone_at"] for i in (one, two)] == [None, None]
    assert sorted(await room.subjects()) == ["one", "two"]


async def test_a_move_while_the_folders_are_read_is_not_a_deletion(
    room: ApiRoom, box: GraphMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail goes to a folder that was read already: only a second look finds it there."""
    await room.settle()
    one = box.deliver(letter(1), "sentitems").immutable_id
    await room.settle()
    real, moved = ApiRoom._graph, []

    def watched(self: ApiRoom, inbox: Any, token: Any) -> Any:
        source = real(self, inbox, token)
        changes = source.changes

        async def then_move(folder: str | None, cursor: str) -> Any:
            told = await changes(folder, cursor)
            if not moved:
                moved.append(box.move(one, "inbox"))
            return told

        source.changes = then_move  # type: ignore[method-assign]
        return source

    room.accounts._sources = {"graph": lambda inbox, token: watched(room, inbox, token)}
    await room.fetch()
    assert moved
    row = (await room.ledger())[one]
    assert (row["gone_at"], row["role"]) == (None, "inbox")


async def test_drafts_are_never_ingested_and_are_mail_once_sent(room: ApiRoom, box: GraphMailbox) -> None:
    await room.settle()
    item = box.deliver(letter(1, subject="half-written"), "sentitems", draft=True)
    await room.settle()
    assert await room.ledger() == {}
    box.update(item.immutable_id, is_draft=False)
    await room.settle()
    assert (await room.ledger())[item.immutable_id]["state"] == "ingested"
    assert (await room.message("half-written"))["direction"] == "outbound"


async def test_flags_and_deletions_are_mirrored_through_replays_and_duplicates(
    room: ApiRoom, box: GraphMailbox
) -> None:
    box.quirks.duplicates, box.quirks.shuffled, box.quirks.replayed, box.quirks.empty_pages = True, True, 3, 2
    await room.settle()
    one, two = (box.deliver(letter(n, subject=f"{n}")).immutable_id for n in (1, 2))
    await room.settle()
    box.update(one, is_read=True, flag="flagged", categories=["Blue"])
    box.delete(two)
    await room.settle()
    message = await room.message("1")
    assert (message["is_read"], sorted(message["flags"])) == (True, ["Blue", "\\Flagged", "\\Seen"])
    rows = await room.ledger()
    assert (rows[one]["gone_at"], rows[two]["gone_at"] is None) == (None, False)
    await room.settle()
    assert sorted(await room.subjects()) == ["1", "2"]


async def test_what_graph_cannot_give_waits_and_is_quarantined_after_three_passes(
    room: ApiRoom, box: GraphMailbox
) -> None:
    await room.settle()
    bad = box.deliver(letter(1, subject="bad"), read=True).immutable_id
    good = box.deliver(letter(2, subject="good")).immutable_id
    box.unreadable.add(bad)
    for attempts in (1, 2):
        await room.fetch()
        row = (await room.ledger())[bad]
        assert (row["state"], row["attempts"], row["flags"]) == ("seen", attempts, ["\\Seen"])
    await room.settle()
    rows = await room.ledger()
    assert (rows[bad]["state"], rows[good]["state"]) == ("quarantined", "ingested")
    box.unreadable.clear()
    entry = await room.one("select id from quarantine where ledger_id = :id", id=rows[bad]["id"])
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await retry(connection, room.tenant_id, entry) == room.inbox_id
    await room.settle()
    row = (await room.ledger())[bad]
    assert (row["state"], row["role"], row["flags"]) == ("ingested", "inbox", ["\\Seen"])


async def test_an_expired_delta_opens_a_gap_for_its_folder_and_closes_it_with_counts(
    room: ApiRoom, box: GraphMailbox, graph: GraphServer
) -> None:
    ids = [box.deliver(letter(n, subject=f"before {n}")).immutable_id for n in range(7)]
    await room.settle()
    box.deliver(letter(60, subject="beyond"), received_at=ago(80))
    missed = [box.deliver(letter(n, subject=f"missed {n}")).immutable_id for n in range(20, 26)]
    box.delete(ids[0])
    box.update(ids[1], is_read=True)
    graph.faults.plan("messages.delta", 410, code="syncStateNotFound")
    await room.settle()
    (gap,) = await room.gaps()
    assert gap["cause"] == "delta_410"
    assert gap["closed_at"] is not None
    assert gap["folder_id"] == (await room.folder())["id"]
    assert (gap["missing"], gap["refilled"], gap["quarantined"]) == (6, 6, 0)
    rows = await room.ledger()
    assert {rows[i]["state"] for i in missed} == {"ingested"}
    assert rows[ids[0]]["gone_at"] is not None
    assert (await room.message("before 1"))["is_read"]
    sheet = await room.one(
        "select * from audits where inbox_id = :i order by id desc limit 1", i=room.inbox_id
    )
    assert (sheet["missing"], sheet["extra"], sheet["beyond_horizon"]) == (0, 0, 1)
    box.deliver(letter(40, subject="after"))
    await room.settle()
    assert "after" in await room.subjects()
    assert len(await room.gaps()) == 1


async def test_a_folder_that_is_gone_is_parked_and_comes_back_with_a_gap(
    room: ApiRoom, box: GraphMailbox
) -> None:
    folder = box.add_folder("Cases")
    await room.settle()
    await room.rows(
        "update folders set synced = true where inbox_id = :i and name = 'Cases'", i=room.inbox_id
    )
    box.deliver(letter(1, subject="one"), folder)
    await room.settle()
    box.remove_folder(folder)
    report = await room.fetch()
    assert report.failure is None
    (row,) = await room.rows("select * from folders where inbox_id = :i and name = 'Cases'", i=room.inbox_id)
    assert (row["state"], row["state_reason"]) == ("parked", "gone")
    box.deliver(letter(2, subject="two"))
    await room.settle()
    assert sorted(await room.subjects()) == ["one", "two"]


async def test_the_nightly_sheet_of_each_folder_balances(room: ApiRoom, box: GraphMailbox) -> None:
    for n in range(7):
        box.deliver(letter(n), received_at=ago(n))
    box.deliver(letter(20), received_at=ago(90))
    box.deliver(letter(21), "sentitems")
    await room.settle()
    await room.rows("update inboxes set audit_due_at = now() where id = :i", i=room.inbox_id)
    await room.settle()
    sheets = await room.rows("select * from audits where inbox_id = :i order by at_provider", i=room.inbox_id)
    assert [(s["at_provider"], s["ingested"], s["beyond_horizon"]) for s in sheets] == [(1, 1, 0), (8, 7, 1)]
    assert await room.gaps() == []


async def test_a_mail_that_comes_while_the_sheet_is_drawn_is_on_its_way(
    room: ApiRoom, box: GraphMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.deliver(letter(1), "inbox")
    await room.settle()
    between(monkeypatch, lambda: box.deliver(letter(2, subject="just now"), "inbox"))
    await room.fetch(ResyncScope.ALL)
    sheet = await room.one("select * from audits where inbox_id = :i and at_provider > 0", i=room.inbox_id)
    assert (sheet["at_provider"], sheet["ahead"], sheet["missing"]) == (2, 1, 0)
    assert await room.gaps() == []
    await room.settle()
    assert (await room.message("just now"))["historical"] is False
