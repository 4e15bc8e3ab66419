"""A Gmail mailbox kept in step: one row for each mail, whatever happens to it, to the cursor, and to us."""

import time
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import api_listing, api_take
from activities.accounts import Accounts
from activities.inbound_fetch import InboundFetch
from contracts.inbound import WakeReason, WatchOrder
from store.quarantine import retry
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import SEALER, letter
from tests.servers.gmail_mailbox import GmailMailbox, SendAs
from tests.servers.gmail_server import GmailServer

DAY = 86_400.0


@pytest.fixture
def room(gmail_room: ApiRoom) -> ApiRoom:
    return gmail_room


@pytest.fixture
def box(gmail_box: GmailMailbox) -> GmailMailbox:
    return gmail_box


async def test_the_first_listing_goes_down_to_the_horizon_and_then_follows(
    room: ApiRoom, box: GmailMailbox
) -> None:
    now = time.time()
    box.deliver(letter(1, subject="too old"), at=now - 60 * DAY)
    for n in range(2, 14):
        box.deliver(letter(n, subject=f"history {n}"), at=now - (20 - n) * DAY)
    await room.settle()
    assert sorted(await room.subjects()) == sorted(f"history {n}" for n in range(2, 14))
    rows = await room.ledger()
    assert all(row["historical"] for row in rows.values())
    folder = await room.folder("all")
    assert (folder["backfill_state"], folder["listing_after"]) == ("done", None)
    box.deliver(letter(20, subject="news"))
    report = await room.fetch()
    assert (report.stored, report.more) == (1, False)
    await room.ingest()
    assert not (await room.message("news"))["historical"]
    assert await room.gaps() == []


async def test_its_aliases_are_ours_too(room: ApiRoom, box: GmailMailbox) -> None:
    others = [SendAs("Sales@Example.com"), SendAs("new@example.com", verified=False), SendAs("list@example.com", alias=False)]
    box.send_as += others
    box.deliver(letter(1, subject="from ourselves", sender="sales@example.com"))
    await room.settle()
    (inbox,) = await room.rows("select aliases from inboxes")
    assert inbox["aliases"] == ["sales@example.com"]
    (row,) = await room.rows("select may_answer from messages")
    assert not row["may_answer"]


async def test_live_mail_does_not_wait_for_the_listing(
    room: ApiRoom, box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_listing.ApiListing.__init__, "__kwdefaults__", {"seconds": 0.0})
    now = time.time()
    for n in range(1, 13):
        box.deliver(letter(n, subject=f"history {n}"), at=now - n * DAY)
    first = await room.fetch()
    assert (first.stored, first.more) == (5, True)
    folder = await room.folder("all")
    assert (folder["backfill_state"], folder["backfill_done"], folder["backfill_total"]) == ("running", 5, 12)
    box.deliver(letter(20, subject="news"))
    second = await room.fetch()
    assert (second.stored, second.more) == (6, True)
    await room.ingest()
    assert (await room.message("news"))["historical"] is False
    await room.settle()
    assert len(await room.ledger()) == 13
    assert (await room.folder("all"))["backfill_done"] == 12


async def test_a_page_token_that_expires_begins_the_listing_again(
    room: ApiRoom, box: GmailMailbox, google: GmailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_listing.ApiListing.__init__, "__kwdefaults__", {"seconds": 0.0})
    for n in range(8):
        box.deliver(letter(n))
    await room.fetch()
    google.faults.plan("messages.list", status=400)
    assert (await room.fetch()).more
    assert (await room.folder("all"))["listing_after"] is None
    await room.settle()
    assert len(await room.ledger()) == 8


async def test_history_starts_nothing_and_mail_since_the_inbox_was_made_is_live(
    room: ApiRoom, box: GmailMailbox
) -> None:
    await room.aged(2)
    box.deliver(letter(1, subject="before"), at=time.time() - 3 * DAY)
    box.deliver(letter(2, subject="since"), at=time.time() - DAY)
    await room.settle()
    assert (await room.message("before"))["historical"]
    assert not (await room.message("since"))["historical"]


class Boom(Exception):
    """A process that dies here."""


async def test_dying_before_the_rows_repeats_the_work_and_doubles_nothing(
    room: ApiRoom, box: GmailMailbox, google: GmailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.settle()
    for n in range(3):
        box.deliver(letter(n))
    before = await room.one("select gmail_history_id from inboxes where id = :i", i=room.inbox_id)
    real = api_take.write_api_rows

    async def die(*_: Any, **__: Any) -> None:
        raise Boom

    monkeypatch.setattr(api_take, "write_api_rows", die)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.fetch()
    assert await room.ledger() == {}
    assert await room.one("select gmail_history_id from inboxes where id = :i", i=room.inbox_id) == before
    monkeypatch.setattr(api_take, "write_api_rows", real)
    await room.settle()
    await room.settle()
    assert len(await room.subjects()) == len(await room.ledger()) == 3
    assert await room.one("select gmail_history_id from inboxes where id = :i", i=room.inbox_id) == str(
        box.history_id
    )


async def test_an_overtaken_pass_writes_nothing(
    room: ApiRoom, box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.settle()
    box.deliver(letter(1))
    real = api_take.ApiTaker._packed

    async def overtaken(self: Any, pack: Any) -> Any:
        await room.rows("update inboxes set lease_epoch = lease_epoch + 1 where id = :i", i=room.inbox_id)
        return await real(self, pack)

    monkeypatch.setattr(api_take.ApiTaker, "_packed", overtaken)
    with pytest.raises(ApplicationError) as error:
        await room.fetch()
    assert error.value.type == "LeaseLost"
    assert await room.ledger() == {}


async def test_labels_say_what_a_mail_is(room: ApiRoom, box: GmailMailbox) -> None:
    await room.settle()
    ours = letter(1, subject="ours", sender="desk@example.org", to="carla@customer.example.com")
    found = {
        "sent": box.deliver(ours, ("SENT",)),
        "junk": box.deliver(letter(2, subject="junk"), ("SPAM", "UNREAD")),
        "inbox": box.deliver(letter(3, subject="inbox"), ("INBOX", "UNREAD", "Label_9")),
        "all": box.deliver(letter(4, subject="archived"), ("IMPORTANT",)),
    }
    draft = box.create_draft(letter(5, subject="half-written"), None)
    thrown = box.deliver(letter(6, subject="thrown away"), ("TRASH",))
    await room.settle()
    rows = await room.ledger()
    assert {role: rows[one]["role"] for role, one in found.items()} == {role: role for role in found}
    assert rows[found["junk"]]["classification"] == "spam"
    assert (await room.message("ours"))["direction"] == "outbound"
    assert "Label_9" in (await room.message("inbox"))["flags"]
    assert not (await room.message("inbox"))["is_read"]
    assert (await room.message("archived"))["is_read"]
    row = rows[thrown]
    assert (row["state"], row["reason"], row["raw_key"]) == ("skipped", "trash", None)
    assert box.drafts[draft] not in rows
    assert "half-written" not in await room.subjects()
    box.send_draft(draft)
    box.modify(thrown, add=["INBOX"], remove=["TRASH"])
    await room.settle()
    assert (await room.message("half-written"))["direction"] == "outbound"
    assert (await room.message("thrown away"))["direction"] == "inbound"


async def test_flags_labels_and_deletions_are_mirrored(room: ApiRoom, box: GmailMailbox) -> None:
    await room.settle()
    one, two = box.deliver(letter(1, subject="one")), box.deliver(letter(2, subject="two"))
    junk = box.deliver(letter(3, subject="not junk after all"), ("SPAM", "UNREAD"))
    await room.settle()
    assert (await room.message("not junk after all"))["conversation_id"] is None
    box.modify(one, remove=["UNREAD"], add=["STARRED"])
    box.trash(two)
    box.modify(junk, remove=["SPAM"], add=["INBOX"])
    report = await room.fetch()
    assert report.flags_changed == 3
    message = await room.message("one")
    assert message["is_read"]
    assert "\\Flagged" in message["flags"]
    assert (await room.message("not junk after all"))["conversation_id"] is not None
    rows = await room.ledger()
    assert rows[two]["gone_at"] is not None
    assert rows[one]["gone_at"] is None
    box.modify(two, remove=["TRASH"], add=["INBOX"])
    box.delete(one)
    await room.fetch()
    rows = await room.ledger()
    assert rows[two]["gone_at"] is None
    assert rows[one]["gone_at"] is not None
    assert (await room.fetch()).flags_changed == 0
    assert len(await room.subjects()) == 3


async def test_a_history_entry_of_a_mail_that_is_gone_is_a_row(
    room: ApiRoom, box: GmailMailbox, google: GmailServer
) -> None:
    await room.settle()
    one = box.deliver(letter(1))
    google.faults.plan("messages.get", status=404, item=one)
    await room.settle()
    assert (await room.ledger())[one]["state"] == "vanished"
    box.modify(one, add=["STARRED"])
    await room.settle()
    assert (await room.ledger())[one]["state"] == "ingested"


async def test_what_google_cannot_give_is_quarantined_after_three_passes_and_may_be_tried_again(
    room: ApiRoom, box: GmailMailbox, google: GmailServer
) -> None:
    await room.settle()
    bad, good = box.deliver(letter(1, subject="bad")), box.deliver(letter(2, subject="good"))
    google.faults.plan("messages.get", status=500, item=bad, times=100)
    for attempts in (1, 2):
        await room.fetch()
        row = (await room.ledger())[bad]
        assert (row["state"], row["attempts"]) == ("seen", attempts)
    await room.settle()
    rows = await room.ledger()
    assert (rows[bad]["state"], rows[good]["state"]) == ("quarantined", "ingested")
    quarantined = await room.one("select id from quarantine where ledger_id = :id", id=rows[bad]["id"])
    google.faults.clear()
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await retry(connection, room.tenant_id, quarantined) == room.inbox_id
    await room.settle()
    assert (await room.ledger())[bad]["state"] == "ingested"


async def test_an_inbox_whose_tokens_nobody_keeps_is_not_connected(room: ApiRoom) -> None:
    accounts = Accounts(room.database, SEALER)
    room.fetching = InboundFetch(room.database, room.blobs, room.pool, accounts)
    with pytest.raises(ApplicationError) as error:
        await room.fetch()
    assert error.value.type == "NotConnected"


async def test_there_is_nothing_to_watch_so_the_workflow_polls(room: ApiRoom) -> None:
    order = WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 60)
    report = await ActivityEnvironment().run(room.watching.watch, order)
    assert report.reason is WakeReason.UNSUPPORTED
    await room.fetch()
    assert room.pool._seats == {}


async def test_limits_and_outages_are_reported_and_asked_again(
    room: ApiRoom, box: GmailMailbox, google: GmailServer
) -> None:
    await room.settle()
    box.deliver(letter(1))
    google.faults.plan("history.list", status=429, retry_after=90, times=5)
    report = await room.fetch()
    assert report.failure == "Throttled"
    assert (report.retry_seconds or 0) >= 90
    google.faults.clear()


async def test_the_cursor_stands_before_the_first_mail_so_nothing_that_changes_meanwhile_is_missed(
    room: ApiRoom, box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [box.deliver(letter(n, subject=f"{n}")) for n in range(3)]
    real, before = api_take.ApiTaker._fetched, str(box.history_id)

    async def die(*_: Any, **__: Any) -> None:
        raise Boom

    monkeypatch.setattr(api_take.ApiTaker, "_fetched", die)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.fetch()
    assert await room.one("select gmail_history_id from inboxes where id = :i", i=room.inbox_id) == before
    box.delete(ids[0])
    box.modify(ids[1], remove=["UNREAD"])
    monkeypatch.setattr(api_take.ApiTaker, "_fetched", real)
    await room.settle()
    rows = await room.ledger()
    assert sorted(await room.subjects()) == ["1", "2"]
    assert ids[0] not in rows
    assert "\\Seen" in rows[ids[1]]["flags"]
