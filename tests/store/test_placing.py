"""The same threads in the database, whatever the order of arrival and the cut into batches."""

import random
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from activities.parser_child import ReadMail, ReadOrder, read_chunk
from models.enums import LedgerState
from store.inbound import store_batch
from store.incoming import IncomingMail
from store.ledger import LedgerRow, Place, claim, write_rows
from store.unit_of_work import Database
from tests.activities.mail_room import letter
from tests.servers.databases import Database as ServerDatabase

FOREST = {1: (), 2: (1,), 3: (1, 2), 4: (2,), 5: (), 6: (5,), 7: (5, 6), 8: (), 9: (3, 4), 10: (9,), 11: (10,), 12: (8, 99)}
THREADS = [{1, 2, 3, 4, 9, 10, 11}, {5, 6, 7}, {8, 12}]


@pytest_asyncio.fixture
async def database(module_database: ServerDatabase) -> AsyncIterator[Database]:
    made = Database(module_database.url)
    yield made
    await made.close()


def header(number: int) -> str:
    return f"<m{number}@customer.example.com>"


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_gives_the_same_conversations(database: Database, seed: int) -> None:
    tenant, inbox, folder = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    async with database.system_unit_of_work() as connection:
        for statement in (
            "insert into tenants (id, name, slug) values (:t, 'Test', :slug)",
            "insert into inboxes (tenant_id, id, name, email_address) values (:t, :i, 'Desk', 'desk@example.org')",
            "insert into folders (tenant_id, id, inbox_id, name, path, role, uidvalidity) values (:t, :f, :i, 'I', 'I', 'inbox', 1)",
        ):
            await connection.execute(text(statement), {"t": tenant, "i": inbox, "f": folder, "slug": tenant.hex})
    chance = random.Random(seed)
    order = list(FOREST)
    chance.shuffle(order)
    while order:
        size = chance.randint(1, 5)
        batch, order = order[:size], order[size:]
        async with database.unit_of_work(tenant) as connection:
            place = Place(tenant, inbox, folder, 1)
            rows = [LedgerRow(n, LedgerState.STORED, raw_sha256=f"{n:064}", raw_key="k", raw_length=1) for n in batch]
            await write_rows(connection, place, rows)
            pending = await claim(connection, tenant, inbox, historical=False)
            raws = [letter(p.uid or 0, parents=tuple(header(n) for n in FOREST[p.uid or 0])) for p in pending]
            read = read_chunk([ReadOrder(raw, str(tenant), "inbox", frozenset({"desk@example.org"})) for raw in raws])
            mails = [
                IncomingMail(p, r.mail, r.verdict, r.hints)
                for p, r in zip(pending, read, strict=True)
                if isinstance(r, ReadMail)
            ]
            assert (await store_batch(connection, tenant, inbox, mails)).ingested == len(batch)
            assert (await store_batch(connection, tenant, inbox, mails)).ingested == 0  # a repeat changes nothing
    async with database.unit_of_work(tenant) as connection:
        found = await connection.execute(
            text("select conversation_id, array_agg(message_id_header) as ids from messages group by 1")
        )
        threads = [set(row.ids) for row in found]
        assert sorted(map(sorted, threads)) == sorted(sorted(header(n) for n in t) for t in THREADS)
        alive = await connection.execute(
            text("select id, message_count, customer_message_count, unread_count from conversations where merged_into is null")
        )
        assert sorted(row.message_count for row in alive) == [2, 3, 7]
        keys = await connection.execute(
            text("select count(*) from thread_keys k join conversations c on c.id = k.conversation_id where c.merged_into is not null")
        )
        assert keys.scalar_one() == 0
