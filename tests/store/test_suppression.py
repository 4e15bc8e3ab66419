"""The list of addresses that get no mail: refused through SES, left to the agent elsewhere, run out, listed and lifted."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from store.outbound import CannotSend, NewReply, Recipient, queue_reply
from store.suppression import BOUNCE_LASTS, lift, list_suppressed, suppress, suppressed_among
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


async def put(desk: Desk, address: str, *, complaint: bool = False, at: dt.datetime = NOW) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await suppress(connection, tenant_id=desk.tenant_id, address=address, complaint=complaint, message_id=desk.first_message_id, at=at)


async def queue(desk: Desk, *, now: dt.datetime = NOW) -> uuid.UUID:
    reply = NewReply(desk.conversation_id, desk.agent_id, recipients=(Recipient("to", BOB), Recipient("cc", ANN.upper())), text="Hello.")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return (await queue_reply(connection, tenant_id=desk.tenant_id, reply=reply, now=now)).message_id


async def through_ses(desk: Desk) -> None:
    await desk.rows("update inboxes set provider = 'ses' where id = :id", id=desk.inbox_id)


@pytest.mark.parametrize(("complaint", "why"), [(False, "came back for good"), (True, "reported our mail as spam")])
async def test_ses_refuses_with_field_reason_and_remedy(desk: Desk, complaint: bool, why: str) -> None:
    await through_ses(desk)
    await put(desk, ANN, complaint=complaint)
    with pytest.raises(CannotSend) as caught:
        await queue(desk)
    assert caught.value.field == "cc"
    assert why in caught.value.reason
    assert "have an admin lift it" in caught.value.reason
    assert await desk.rows("select 1 from messages where direction = 'outbound'") == []


async def test_elsewhere_the_agent_decides(desk: Desk) -> None:
    await put(desk, ANN)
    assert await queue(desk)


async def test_a_bounce_runs_out_and_a_complaint_does_not(desk: Desk) -> None:
    await through_ses(desk)
    await put(desk, ANN)
    await put(desk, BOB, complaint=True)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        for days, there in ((0, {ANN: "bounce", BOB: "complaint"}), (61, {BOB: "complaint"})):
            now = NOW + dt.timedelta(days=days)
            assert await suppressed_among(connection, desk.tenant_id, [ANN, BOB], now=now) == there
            page = await list_suppressed(connection, desk.tenant_id, now=now, after=None, limit=9)
            assert {s.address: s.reason for s in page.items} == there
    with pytest.raises(CannotSend):
        await queue(desk, now=NOW + BOUNCE_LASTS * 10)


async def test_a_lifted_address_gets_mail_again(desk: Desk) -> None:
    await through_ses(desk)
    await put(desk, ANN)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert [await lift(connection, desk.tenant_id, ANN.upper()) for _ in range(2)] == [True, False]
    assert await queue(desk)


async def test_pages_are_newest_first_and_miss_nobody(desk: Desk) -> None:
    addresses = [f"p{n}@customer.example.com" for n in range(7)]
    for number, address in enumerate(addresses):
        await put(desk, address, at=NOW + dt.timedelta(seconds=number // 3))
    seen: list[str] = []
    after = None
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        for _ in range(9):
            page = await list_suppressed(connection, desk.tenant_id, now=NOW, after=after, limit=2)
            seen += [s.address for s in page.items]
            after = page.next
            if after is None:
                break
    assert sorted(seen) == addresses
    assert seen[0] == addresses[-1]
