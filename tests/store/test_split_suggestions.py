"""A mail that answers under another subject altogether is told once, with what would go along."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import text

from activities.parser_child import ReadMail, ReadOrder, read_chunk
from models.enums import LedgerState
from store.inbound import store_batch
from store.incoming import IncomingMail
from store.ledger import LedgerRow, Place, claim, write_rows
from store.split_suggestions import dismiss_topics, topic_of_its_own
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.activities.mail_room import letter

FIRST = "<m1@customer.example.com>"


@pytest_asyncio.fixture(loop_scope="session")
async def house(module_database) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=2)
    yield made
    await made.close()


class Box:
    """An inbox that mails come into."""

    def __init__(self, house: Database) -> None:
        self.house, self.tenant, self.inbox, self.folder = house, uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        self.viewer, self.uid = Viewer(self.tenant, None, True), 0

    async def open(self) -> None:
        async with self.house.system_unit_of_work() as connection:
            for statement in (
                "insert into tenants (id, name, slug) values (:t, 'Test', :slug)",
                "insert into inboxes (tenant_id, id, name, email_address) values (:t, :i, 'Desk', 'desk@example.org')",
                "insert into folders (tenant_id, id, inbox_id, name, path, role, uidvalidity) values (:t, :f, :i, 'I', 'I', 'inbox', 1)",
            ):
                bound = {"t": self.tenant, "i": self.inbox, "f": self.folder, "slug": self.tenant.hex}
                await connection.execute(text(statement), bound)

    async def take(self, raw: bytes, *, historical: bool = False) -> None:
        self.uid += 1
        async with self.house.unit_of_work(self.tenant) as connection:
            row = LedgerRow(self.uid, LedgerState.STORED, raw_sha256=f"{self.uid:064}", raw_key="k", raw_length=1)
            await write_rows(connection, Place(self.tenant, self.inbox, self.folder, 1), [row])
            (pending,) = await claim(connection, self.tenant, self.inbox, historical=False)
            (read,) = read_chunk([ReadOrder(raw, str(self.tenant), "inbox", frozenset({"desk@example.org"}))])
            assert isinstance(read, ReadMail)
            mail = IncomingMail(replace(pending, historical=historical), read.mail, read.verdict, read.hints)
            assert (await store_batch(connection, self.tenant, self.inbox, [mail])).ingested == 1

    async def topic(self, *, dismiss: bool = False) -> tuple[str, list[str]] | None:
        async with self.house.unit_of_work(self.tenant) as connection:
            (conversation,) = (await connection.execute(text("select id from conversations"))).scalars()
            if dismiss:
                await dismiss_topics(connection, self.viewer, conversation)
            found = await topic_of_its_own(connection, self.viewer, conversation)
            if found is None:
                return None
            ids = {"ids": list(found.message_ids)}
            rows = await connection.execute(
                text("select message_id_header from messages where id = any(:ids) order by received_at, id"), ids
            )
            return found.subject, sorted(rows.scalars())


async def test_a_new_topic_is_told_with_what_follows_it(house: Database) -> None:
    box = Box(house)
    await box.open()
    await box.take(letter(1))
    await box.take(letter(2, subject="Re: Printer on fire", parents=(FIRST,)))
    assert await box.topic() is None
    await box.take(letter(3, subject="Summer party", parents=(FIRST,)))
    await box.take(letter(4, subject="Re: Printer on fire", parents=(FIRST,)))
    await box.take(letter(5, subject="Re: Summer party", parents=("<m3@customer.example.com>",)))
    assert await box.topic() == ("Summer party", ["<m3@customer.example.com>", "<m5@customer.example.com>"])

    assert await box.topic(dismiss=True) is None
    await box.take(letter(6, subject="AW: Summer party", parents=("<m5@customer.example.com>",)))
    assert await box.topic() is None
    await box.take(letter(7, subject="Where is my invoice?", parents=(FIRST,)))
    assert await box.topic() == ("Where is my invoice?", ["<m7@customer.example.com>"])


async def test_history_suggests_nothing(house: Database) -> None:
    box = Box(house)
    await box.open()
    await box.take(letter(1))
    await box.take(letter(2, subject="Summer party", parents=(FIRST,)), historical=True)
    assert await box.topic() is None
