"""What stands under the card of an unreadable mail goes over to the mail: rows of the ledger that match it, and its conversation."""

from collections.abc import Callable
from typing import Any

import pytest

from activities.parser_child import ReadOrder, Unread
from activities.parser_pool import ParserPool
from store.quarantine import retry
from tests.activities.mail_room import MailRoom, letter
from tests.faults.row_checks import CHECKS
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]
NO = Unread("parser_error", "a defect", final=True)


class Blindness:
    """Which mails the parsers cannot read: those with this word in them; `wholly` not even their headers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.word, self.wholly = b"unreadable", False
        real_read, real_alone = ParserPool.read, ParserPool.read_alone

        async def read(pool: ParserPool, orders: Any, *given: Any, **named: Any) -> Any:
            answers = await real_read(pool, orders, *given, **named)
            return [NO if self.hides(o) else a for o, a in zip(orders, answers, strict=True)]

        async def read_alone(pool: ParserPool, order: ReadOrder, *given: Any) -> Any:
            return NO if self.hides(order) else await real_alone(pool, order, *given)

        monkeypatch.setattr(ParserPool, "read", read)
        monkeypatch.setattr(ParserPool, "read_alone", read_alone)

    def hides(self, order: ReadOrder) -> bool:
        return bool(self.word) and self.word in bytes(order.raw) and (self.wholly or not order.headers_only)

    def heal(self) -> None:
        self.word = b""


@pytest.fixture
def blindness(monkeypatch: pytest.MonkeyPatch) -> Blindness:
    return Blindness(monkeypatch)


async def retry_all(room: MailRoom) -> None:
    for row in await room.rows("select id from quarantine where resolved_at is null"):
        async with room.database.unit_of_work(room.tenant_id) as connection:
            assert await retry(connection, room.tenant_id, row["id"]) == room.inbox_id
    await room.ingest()


async def carded(room: MailRoom, deliver: Deliver, blindness: Blindness, mail: bytes) -> dict[str, Any]:
    """The conversation that the card of a mail opened of which not even the headers can be read."""
    blindness.wholly = True
    await room.connect()
    deliver(mail)
    await room.sync()
    (opened,) = await room.rows("select id, number from conversations")
    return opened


async def sound(room: MailRoom) -> None:
    """What the fault rig asks of the rows, of this room."""
    for check in CHECKS:
        if check.kind in ("lost", "duplicate", "orphaned"):
            assert await room.rows(check.sql) == [], check.says


async def test_rows_of_a_changed_uidvalidity_follow_the_card_to_its_mail(
    room: MailRoom, deliver: Deliver, dovecot: Dovecot, account: DovecotAccount, blindness: Blindness
) -> None:
    await room.connect()
    deliver(letter(1))
    deliver(letter(2, body="unreadable"))
    await room.sync()
    await room.pool.close()
    dovecot.forget_uids(account)
    deliver(letter(3))
    room.__post_init__()
    await room.sync()
    assert len(await room.rows("select from ledger where reason = 'rematched'")) == 2
    blindness.heal()
    await retry_all(room)
    (mail,) = await room.rows("select id from messages where message_id_header = '<m2@customer.example.com>'")
    rows = await room.rows("select state from ledger where message_id = :id order by state", id=mail["id"])
    assert [r["state"] for r in rows] == ["ingested", "skipped"]
    await sound(room)


async def test_a_card_of_nothing_keeps_its_conversation_and_number_for_the_mail(
    room: MailRoom, deliver: Deliver, blindness: Blindness
) -> None:
    before = await carded(room, deliver, blindness, letter(1, body="unreadable"))
    blindness.heal()
    await retry_all(room)
    (after,) = await room.rows("select id, number, message_count from conversations")
    assert after == {**before, "message_count": 1}
    deliver(letter(2, parents=("<m1@customer.example.com>",)))
    await room.sync()
    assert await room.one("select message_count from conversations") == 2
    await sound(room)


async def test_a_card_whose_mail_belongs_elsewhere_becomes_an_alias(
    room: MailRoom, deliver: Deliver, blindness: Blindness
) -> None:
    """Its answer came first and was read: the id leads to the answer's conversation."""
    card = await carded(room, deliver, blindness, letter(1, body="unreadable"))
    deliver(letter(2, parents=("<m1@customer.example.com>",)))
    await room.sync()
    blindness.heal()
    await retry_all(room)
    (stays,) = await room.rows("select id, message_count from conversations where merged_into is null")
    assert (stays["id"] != card["id"], stays["message_count"]) == (True, 2)
    assert await room.one("select merged_into from conversations where id = :id", id=card["id"]) == stays["id"]
    await sound(room)


async def test_a_report_stands_where_its_card_stood(room: MailRoom, deliver: Deliver, blindness: Blindness) -> None:
    """Reports stand in no conversation; one that people saw, and may have written notes about, stays in their sight."""
    report = (
        b"Return-Path: <>\r\nFrom: mailer-daemon@customer.example.com\r\nTo: desk@example.org\r\nSubject: Undelivered Mail\r\n"
        b"Message-ID: <bounce@customer.example.com>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        b"unreadable\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.customer.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; nobody@customer.example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
    )
    card = await carded(room, deliver, blindness, report)
    blindness.heal()
    await retry_all(room)
    (message,) = await room.rows("select conversation_id, classification from messages")
    assert message == {"conversation_id": card["id"], "classification": "bounce"}
    assert await room.one("select message_count from conversations") == 1
    await sound(room)
