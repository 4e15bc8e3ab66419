"""Listing a mailbox again takes as many passes as it needs: live mail comes first in each, nothing is lost or begun anew between them."""

from collections.abc import Callable

import pytest

from activities.api_listing import ApiListing
from contracts.failpoints import Failpoint
from contracts.inbound import ResyncScope
from tests.activities.api_room import ApiRoom
from tests.activities.dying import Died
from tests.activities.mail_room import letter
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer

PAGE = 5  # mails, in the room's source


@pytest.fixture
def room(gmail_room: ApiRoom) -> ApiRoom:
    return gmail_room


@pytest.fixture
def short_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pass has time for one page of a listing and one of a sheet."""
    monkeypatch.setitem(ApiListing.__init__.__kwdefaults__, "seconds", 0.0)
    monkeypatch.setattr("activities.api_pass.BALANCE_SECONDS", 0.0)


async def one_pass(room: ApiRoom) -> bool:
    report = await room.fetch()
    assert report.failure is None
    while (await room.ingest()).remaining:
        pass
    return report.more


@pytest.mark.usefixtures("short_passes")
async def test_after_an_expired_history_live_mail_comes_between_the_pages(
    room: ApiRoom, gmail_box: GmailMailbox, google: GmailServer
) -> None:
    for n in range(4 * PAGE):
        gmail_box.deliver(letter(n, subject=f"old {n}"))
    await room.settle()
    for n in range(100, 100 + 3 * PAGE):
        gmail_box.deliver(letter(n, subject=f"missed {n}"))
    gmail_box.forget_history()
    assert await one_pass(room)
    folder = await room.folder("all")
    assert folder["backfill_state"] == "running"  # people see it under way
    assert folder["listing_after"] is not None
    gmail_box.deliver(letter(200, subject="live"))
    assert await one_pass(room)
    assert "live" in await room.subjects()
    assert (await room.folder("all"))["backfill_state"] == "running"
    (gap,) = await room.gaps()
    assert gap["closed_at"] is None

    asked = google.calls("messages.list")
    await room.settle()
    (gap,) = await room.gaps()
    came = 3 * PAGE + 1  # the live one too came while the gap was open
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is None) == (came, came, False)
    assert len(await room.subjects()) == len(set(await room.subjects())) == 7 * PAGE + 1
    # Six pages of the listing that were left, eight of the sheet, which asks no page twice: nothing begins anew.
    assert google.calls("messages.list") - asked <= 6 + 8


@pytest.mark.usefixtures("short_passes")
async def test_a_sheet_of_many_pages_waits_for_its_end_and_takes_nobody_for_gone(
    room: ApiRoom, gmail_box: GmailMailbox
) -> None:
    ids = [gmail_box.deliver(letter(n, subject=f"mail {n}")) for n in range(4 * PAGE)]
    await room.settle()
    deleted = ids[0]
    report = await room.fetch(ResyncScope.ALL)
    assert report.more
    assert await room.rows("select * from audits where inbox_id = :i", i=room.inbox_id) == []
    assert await room.one(
        "select audit_due_at <= now() and audit_asked from inboxes where id = :i", i=room.inbox_id
    )
    came = gmail_box.deliver(letter(99, subject="while it was listed"))
    gmail_box.delete(deleted)
    await room.settle()
    (sheet,) = await room.rows("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert (sheet["reason"], sheet["missing"], sheet["extra"]) == ("asked", 0, 0)
    rows = await room.ledger()
    assert rows[came]["gone_at"] is None
    assert rows[deleted]["gone_at"] is not None
    assert not await room.one("select audit_asked from inboxes where id = :i", i=room.inbox_id)
    assert await room.gaps() == []


async def test_a_sheet_that_another_process_goes_on_with_is_listed_anew(
    room: ApiRoom, gmail_box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3 * PAGE):
        gmail_box.deliver(letter(n))
    await room.settle()
    monkeypatch.setattr("activities.api_pass.BALANCE_SECONDS", 0.0)
    assert (await room.fetch(ResyncScope.ALL)).more
    monkeypatch.setattr("activities.api_pass.BALANCE_SECONDS", 20.0)
    room.__post_init__()  # a new worker, which remembers nothing
    await room.settle()
    (sheet,) = await room.rows("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert (sheet["at_provider"], sheet["missing"], sheet["extra"]) == (3 * PAGE, 0, 0)


@pytest.mark.parametrize(
    "place",
    [
        Failpoint.FETCH_LEASED,
        Failpoint.FETCH_BEFORE_COMMIT,
        Failpoint.FETCH_AFTER_COMMIT,
        Failpoint.GAP_REFILLED,
        Failpoint.GAP_CLOSED,
        Failpoint.FETCH_RECORDED,
    ],
)
async def test_dying_while_a_mailbox_is_listed_again_loses_and_doubles_nothing(
    room: ApiRoom, gmail_box: GmailMailbox, die_at: Callable[[Failpoint], None], place: Failpoint
) -> None:
    for n in range(PAGE):
        gmail_box.deliver(letter(n, subject=f"old {n}"))
    await room.settle()
    for n in range(50, 50 + 2 * PAGE):
        gmail_box.deliver(letter(n, subject=f"missed {n}"))
    gmail_box.forget_history()
    die_at(place)
    with pytest.raises(Died):
        await room.fetch()
    await room.settle()
    (gap,) = await room.gaps()
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is None) == (2 * PAGE, 2 * PAGE, False)
    assert len(await room.subjects()) == len(set(await room.subjects())) == 3 * PAGE
    sheets = await room.rows("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert all((sheet["missing"], sheet["extra"]) == (0, 0) for sheet in sheets)
