"""Ingest: poison goes to quarantine and the inbox goes on; a crash or an outage loses, doubles and blames nothing."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities import ingestion
from activities.parser_pool import ParserPool
from providers.errors import Unreachable
from providers.s3.blobs import BlobMissing, BlobStore
from store.quarantine import retry
from store.unit_of_work import Database
from tests.activities.mail_room import SECRET, MailRoom, letter
from tests.activities.poison import poisoned
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


class Boom(Exception):
    """A process that dies here."""


@pytest.fixture(scope="module")
def sick_parsers() -> Iterator[ParserPool]:
    pool = ParserPool(workers=2, secret=SECRET, wall_seconds=3.0, begin=poisoned)
    yield pool
    pool.close()


@pytest_asyncio.fixture
async def sick_room(
    mail_database: Database, blobs: BlobStore, sick_parsers: ParserPool, dovecot: Dovecot, account: DovecotAccount
) -> AsyncIterator[MailRoom]:
    made = await MailRoom(
        mail_database, blobs, sick_parsers, port=dovecot.port, user=account.user, password=account.password
    ).open()
    yield made
    await made.close()


async def test_poison_is_quarantined_after_three_attempts(sick_room: MailRoom, deliver: Deliver) -> None:
    room = sick_room
    await room.connect()
    deliver(letter(1))
    deliver(letter(2, subject="die", parents=("<m1@customer.example.com>",)))
    deliver(letter(3))
    await room.fetch()
    report = await room.ingest()
    assert (report.ingested, report.quarantined, report.remaining) == (2, 1, 0)
    (row,) = await room.rows("select * from ledger where state = 'quarantined'")
    assert (row["attempts"], row["reason"], row["classification"]) == (3, "parser_died", "message")
    (quarantined,) = await room.rows("select * from quarantine")
    assert quarantined["reason"] == "parser_died"
    assert "code 7" in quarantined["detail"]
    assert len(await room.threads()) == 2  # the card stands in its conversation
    (card,) = await room.rows("select * from messages where id = :id", id=row["message_id"])
    assert (card["subject"], card["body_text"], card["may_answer"]) == ("die", "", False)
    assert "quarantine.opened" in await room.events()


async def test_a_repaired_parser_turns_the_card_into_the_mail(
    sick_room: MailRoom, deliver: Deliver, parsers: ParserPool
) -> None:
    room = sick_room
    await room.connect()
    deliver(letter(1, subject="die", body="At last."))
    await room.sync()
    (before,) = await room.rows("select * from conversations")
    quarantine = await room.one("select id from quarantine")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await retry(connection, room.tenant_id, quarantine) == room.inbox_id
        assert await retry(connection, room.tenant_id, quarantine) is None
        assert await retry(connection, room.tenant_id, uuid.uuid4()) is None
    room.ingestion._parsers = parsers
    await room.ingest()
    (message,) = await room.rows("select * from messages")
    assert (message["body_visible"], message["conversation_id"]) == ("At last.", before["id"])
    (after,) = await room.rows("select * from conversations")
    assert (after["message_count"], after["unread_count"], after["snippet"]) == (1, 1, "At last.")
    (resolved,) = await room.rows("select * from quarantine")
    assert resolved["resolution"] == "ingested"
    assert await room.states() == {"ingested": 1}


async def test_a_mail_that_is_too_complex_is_shown_at_once(sick_room: MailRoom, deliver: Deliver) -> None:
    room = sick_room
    await room.connect()
    deliver(letter(1, subject="complex"))
    await room.sync()
    (row,) = await room.rows("select l.attempts, q.reason, q.detail from quarantine q join ledger l on l.id = q.ledger_id")
    assert row == {"attempts": 1, "reason": "too_complex", "detail": "over the limit: depth"}


async def test_dying_before_the_transaction_only_costs_an_attempt(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    for n in range(3):
        deliver(letter(n, files=(("same.txt", b"same"),)))
    await room.fetch()
    real = vars(ingestion)["store_batch"]

    async def die_late(*given: Any, **named: Any) -> Any:
        await real(*given, **named)
        raise Boom

    monkeypatch.setattr(ingestion, "store_batch", die_late)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.ingest()
    assert await room.states() == {"stored": 3}
    assert await room.rows("select * from messages") == []
    assert await room.one("select next_conversation_number from tenants") == 1
    monkeypatch.setattr(ingestion, "store_batch", real)
    report = await room.ingest()
    assert (report.ingested, report.remaining) == (3, 0)
    assert {r["attempts"] for r in await room.rows("select attempts from ledger")} == {2}
    assert (await room.events()).count("message.received") == 3
    assert len({r["storage_key"] for r in await room.rows("select storage_key from attachments")}) == 1


@pytest.mark.parametrize("also_by_its_headers", [False, True])
async def test_a_mail_that_kills_the_whole_worker_is_quarantined_after_three_started_attempts(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, also_by_its_headers: bool
) -> None:
    """Integrity I-6: only what was committed before it began can know. Others wait for it once and are then read."""
    await room.connect()
    for number in range(2, 12):
        deliver(letter(number))
    deliver(letter(1, subject="killer"))
    for number in range(12, 22):
        deliver(letter(number))
    await room.fetch()
    pool, started = type(room.parsers), []
    real_read, real_alone = pool.read, pool.read_alone

    def fell(raw: bytes, *, headers_only: bool = False) -> None:
        if b"Subject: killer" in raw:
            started.append(headers_only)
            if also_by_its_headers or not headers_only:
                raise Boom

    async def read(self: ParserPool, orders: Any, *given: Any, **named: Any) -> Any:
        for order in orders:
            fell(bytes(order.raw))
        return await real_read(self, orders, *given, **named)

    async def read_alone(self: ParserPool, order: Any, *given: Any) -> Any:
        fell(bytes(order.raw), headers_only=order.headers_only)
        return await real_alone(self, order, *given)

    monkeypatch.setattr(pool, "read", read)
    monkeypatch.setattr(pool, "read_alone", read_alone)
    deaths, remaining = 0, 1
    while remaining:
        try:
            remaining = (await room.ingest()).remaining
        except ApplicationError as error:
            if error.type != "Boom":
                raise
            deaths += 1
            assert deaths < 9, "it is begun again for ever"
    assert started.count(False) == 3, "three starts, and never again"
    assert deaths == (4 if also_by_its_headers else 3)
    assert await room.states() == {"ingested": 20, "quarantined": 1}, "its company got through"
    assert await room.one("select reason from quarantine") == "worker_died"
    (card,) = await room.rows("select m.subject from messages m join ledger l on l.message_id = m.id where l.state = 'quarantined'")
    assert card["subject"] == ("" if also_by_its_headers else "killer")


async def test_a_bucket_that_is_away_blames_no_mail(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    deliver(letter(1, body="See the file.\nbegin 644 a.txt\n#0V%T\n`\nend\n"))  # it does not lie in the mail as it is
    await room.fetch()

    async def away(*_: Any, **__: Any) -> Any:
        raise Unreachable("storage_unreachable")

    real_put, real_get = BlobStore.put, BlobStore.get
    for name in ("put", "get", "put", "get", "put"):
        monkeypatch.setattr(BlobStore, name, away)
        with pytest.raises(ApplicationError) as error:
            await room.ingest()
        assert error.value.type == "StorageUnavailable"
        monkeypatch.setattr(BlobStore, "put", real_put)
        monkeypatch.setattr(BlobStore, "get", real_get)
    assert await room.one("select attempts from ledger") == 0
    assert (await room.ingest()).ingested == 1


@pytest.mark.parametrize("harm", ["gone", "another octet"])
async def test_lost_and_changed_bytes_stop_only_their_mail(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    await room.connect()
    deliver(letter(1))
    await room.fetch()
    lost = await room.one("select raw_key from ledger")
    deliver(letter(2))
    await room.fetch()
    real = BlobStore.get

    async def get(self: BlobStore, key: str, *given: Any) -> bytes:
        if key == lost and harm == "gone":
            raise BlobMissing
        data = await real(self, key, *given)
        return data[:-1] + b"!" if key == lost else data

    monkeypatch.setattr(BlobStore, "get", get)
    report = await room.ingest()
    while report.remaining:
        report = await room.ingest()
    assert await room.states() == {"ingested": 1, "quarantined": 1}
    assert await room.one("select reason from quarantine") == "blob_missing"


async def test_many_mails_at_once(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    for n in range(300):
        parents = () if n % 3 == 0 else (f"<m{n - n % 3}@customer.example.com>",)
        deliver(letter(n, parents=parents))
    await room.sync()
    assert await room.states() == {"ingested": 300}
    assert len(await room.threads()) == 100
    numbers = [r["number"] for r in await room.rows("select number from conversations order by number")]
    assert numbers == list(range(1, 101))
    assert await room.one("select count(*) from messages where indexed_at is null") == 0
    assert len({r["raw_key"] for r in await room.rows("select raw_key from ledger")}) == 2
