"""Sheets and gaps of a mailbox behind a web API: an expired history, a lockout, a lost row, a death in between."""

import time
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import api_take
from contracts.inbound import ResyncScope
from tests.activities.api_room import ApiRoom, between
from tests.activities.mail_room import letter
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer

DAY = 86_400.0


@pytest.fixture
def room(gmail_room: ApiRoom) -> ApiRoom:
    return gmail_room


@pytest.fixture
def box(gmail_box: GmailMailbox) -> GmailMailbox:
    return gmail_box


class Boom(Exception):
    """A process that dies here."""


async def test_an_expired_history_opens_a_gap_and_closes_it_with_counts(
    room: ApiRoom, box: GmailMailbox, google: GmailServer
) -> None:
    for n in range(12):
        box.deliver(letter(n, subject=f"before {n}"))
    old = box.deliver(letter(99, subject="beyond"), at=time.time() - 90 * DAY)
    await room.settle()
    rows = await room.ledger()
    lost, kept = [one for one, row in rows.items() if row["state"] == "ingested"][:2]
    missed = [box.deliver(letter(n, subject=f"missed {n}")) for n in range(50, 57)]
    draft = box.create_draft(letter(70), None)
    box.delete(lost)
    box.modify(kept, remove=["UNREAD"])
    box.forget_history()
    await room.settle()
    (gap,) = await room.gaps()
    assert gap["cause"] == "history_404"
    assert gap["closed_at"] is not None
    assert gap["since"] is not None
    assert gap["folder_id"] == (await room.folder("all"))["id"]
    assert (gap["missing"], gap["refilled"], gap["quarantined"]) == (7, 7, 0)
    rows = await room.ledger()
    assert {rows[one]["state"] for one in missed} == {"ingested"}
    assert rows[lost]["gone_at"] is not None
    assert old not in rows
    assert "\\Seen" in rows[kept]["flags"]
    assert rows[box.drafts[draft]]["state"] == "skipped"  # so that the next sheet need not ask for it again
    sheet = await room.one(
        "select * from audits where inbox_id = :i order by id desc limit 1", i=room.inbox_id
    )
    assert (sheet["reason"], sheet["missing"], sheet["extra"], sheet["not_asked_for"]) == (
        "refilled",
        0,
        0,
        1,
    )
    events = await room.events()
    assert events.count("gap.opened") == events.count("gap.closed") == 1
    box.deliver(letter(80, subject="after"))
    await room.settle()
    assert (await room.message("after"))["historical"] is False
    assert await room.one("select count(*) from gaps where inbox_id = :i", i=room.inbox_id) == 1


async def test_the_nightly_sheet_balances_and_finds_what_is_missing(room: ApiRoom, box: GmailMailbox) -> None:
    now = time.time()
    box.deliver(letter(1, subject="beyond"), at=now - 90 * DAY)
    for n in range(2, 9):
        box.deliver(letter(n), at=now - n * DAY)
    await room.settle()
    await room.rows("update inboxes set audit_due_at = now() where id = :i", i=room.inbox_id)
    await room.settle()
    sheet = await room.one("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert (sheet["reason"], sheet["ingested"], sheet["missing"], sheet["beyond_horizon"]) == (
        "nightly",
        7,
        0,
        1,
    )
    one = next(iter(await room.ledger()))
    await room.rows("delete from ledger where provider_message_id = :one", one=one)
    await room.fetch(ResyncScope.ALL)
    (gap,) = await room.gaps()
    assert (gap["cause"], gap["missing"], gap["refilled"]) == ("audit", 1, 1)
    assert gap["closed_at"] is not None
    assert one in await room.ledger()


async def test_a_mail_that_comes_while_the_sheet_is_drawn_is_on_its_way(
    room: ApiRoom, box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.deliver(letter(1))
    await room.settle()
    between(monkeypatch, lambda: box.deliver(letter(2, subject="just now")))
    await room.fetch(ResyncScope.ALL)
    sheet = await room.one("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert (sheet["at_provider"], sheet["ahead"], sheet["missing"]) == (2, 1, 0)
    assert await room.gaps() == []
    await room.settle()
    assert (await room.message("just now"))["historical"] is False


async def test_a_long_lockout_leaves_a_gap_that_the_next_pass_fills(room: ApiRoom, box: GmailMailbox) -> None:
    await room.settle()
    room.tokens.ended = True
    refused = await room.fetch()
    assert (refused.failure, refused.health) == ("AuthFailed", "auth_failed")
    await room.rows(
        "update inboxes set refused_since = now() - interval '2 hours' where id = :i", i=room.inbox_id
    )
    box.deliver(letter(1))
    room.tokens.ended = False
    assert (await room.fetch()).more
    await room.settle()
    (gap,) = await room.gaps()
    assert gap["cause"] == "reauth"
    assert gap["closed_at"] is not None


async def test_what_was_not_wanted_becomes_mail_while_nobody_could_tell(
    room: ApiRoom, box: GmailMailbox
) -> None:
    thrown = box.deliver(letter(1, subject="taken out of the bin"), ("TRASH",))
    draft = box.create_draft(letter(2, subject="draft"), None)
    await room.settle()
    assert {row["state"] for row in (await room.ledger()).values()} == {"skipped"}
    await room.fetch(ResyncScope.ALL)
    (sheet,) = await room.rows("select * from audits where inbox_id = :i", i=room.inbox_id)
    assert (sheet["at_provider"], sheet["not_asked_for"], sheet["missing"]) == (2, 2, 0)
    box.modify(thrown, add=["INBOX"], remove=["TRASH"])
    box.forget_history()
    await room.settle()
    (gap,) = await room.gaps()
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is None) == (1, 1, False)
    assert await room.subjects() == ["taken out of the bin"]
    assert (await room.ledger())[box.drafts[draft]]["reason"] == "draft"


async def test_dying_while_a_gap_is_filled_goes_on_with_what_is_missing(
    room: ApiRoom, box: GmailMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.settle()
    for n in range(7):
        box.deliver(letter(n))
    box.forget_history()
    real = api_take.ApiTaker._packed

    async def die(*_: Any) -> None:
        raise Boom

    monkeypatch.setattr(api_take.ApiTaker, "_packed", die)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.fetch()
    (gap,) = await room.gaps()
    assert (gap["refilled"], gap["closed_at"]) == (0, None)
    monkeypatch.setattr(api_take.ApiTaker, "_packed", real)
    await room.settle()
    (gap,) = await room.gaps()
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is None) == (7, 7, False)
    assert await room.states() == {"ingested": 7}
