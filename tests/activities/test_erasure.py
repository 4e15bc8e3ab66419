"""A person who asked to be forgotten: what goes, what stays of others, what the receipt says, whatever dies meanwhile."""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from activities.erasure import Erasing
from activities.object_drops import ObjectDrops
from contracts.erasure import ErasureProgress, ErasureRef
from store import erasures
from store.bulk import new_id
from store.erasures import NotTheirAddress, ask_erasure, get_erasure, hash_of
from store.unit_of_work import Database
from tests.activities.dying import Died
from tests.activities.mail_room import MailRoom, letter
from tests.activities.test_removal import Bucket, folder, packed
from tests.servers.databases import Database as ServerDatabase
from tests.servers.dovecot import Dovecot, DovecotAccount
from tests.store.desk import NOW, Desk, open_desk

CARLA, DORA = "carla@customer.example.com", "dora@customer.example.com"


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url, pool_size=3)
    yield await open_desk(database)
    await database.close()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def erasing(desk: Desk, bucket: Bucket, *, seconds: float = 30.0) -> Erasing:
    drops = ObjectDrops(desk.database, bucket, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    return Erasing(desk.database, drops, seconds=seconds)


async def contact(desk: Desk, *addresses: str) -> uuid.UUID:
    contact_id = new_id()
    await desk.rows("insert into contacts (tenant_id, id, name) values (:tenant, :id, 'Carla')", id=contact_id)
    for address in addresses:
        await desk.rows(
            "insert into contact_identities (tenant_id, contact_id, channel, identifier, identifier_key)"
            " values (:tenant, :c, 'email', :a, lower(:a))",
            c=contact_id, a=address,
        )  # fmt: skip
    await desk.rows("update conversations set contact_id = :c where id = :id", c=contact_id, id=desk.conversation_id)
    return contact_id


async def ask(desk: Desk, contact_id: uuid.UUID, confirm: str = CARLA) -> uuid.UUID | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await ask_erasure(connection, desk.tenant_id, contact_id, confirm=confirm, user_id=desk.agent_id, actor="user:1")


async def run(desk: Desk, bucket: Bucket, erasure_id: uuid.UUID, **options: float) -> ErasureProgress:
    made = erasing(desk, bucket, **options)
    ref = ErasureRef(str(desk.tenant_id), str(erasure_id))
    for _ in range(20):
        progress = await made._step(uuid.UUID(ref.tenant_id), uuid.UUID(ref.erasure_id))
        if progress.state == "done" or progress.waiting:
            return progress
    raise AssertionError("it does not come to its end")


async def anywhere(desk: Desk, needle: str) -> list[str]:
    """The tables in whose rows of this tenant a text stands."""
    tables = await desk.rows(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
        " where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace"
    )
    found = []
    for row in tables:
        table = row["relname"]
        if await desk.rows(f"select 1 from {table} t where t.tenant_id = :tenant and position(:needle in lower(t::text)) > 0 limit 1", needle=needle):
            found.append(table)
    return found


async def outgoing(desk: Desk, *to: str, status: str = "sent") -> uuid.UUID:
    message_id = new_id()
    await desk.rows(
        "insert into messages (tenant_id, id, inbox_id, conversation_id, direction, sender_type, from_address, sent_at, send_status,"
        " body_text, raw_key, raw_sha256, raw_length) values (:tenant, :id, :inbox, :c, 'outbound', 'agent', 'desk@example.org', now(), :s,"
        " 'We come.', :key, 'aa', 3)",
        id=message_id, inbox=desk.inbox_id, c=desk.conversation_id, s=status, key=f"out/{desk.tenant_id}/{message_id}/aa.eml",
    )  # fmt: skip
    for position, address in enumerate(to):
        await desk.rows(
            "insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key, name)"
            " values (:tenant, :m, 'to', :p, :a, :a, 'Somebody')",
            m=message_id, p=position, a=address,
        )  # fmt: skip
    return message_id


async def test_nothing_of_the_person_is_left_in_any_table_or_object(desk: Desk, bucket: Bucket) -> None:
    contact_id = await contact(desk, CARLA)
    await packed(desk, bucket, await folder(desk))
    sent = await outgoing(desk, CARLA)
    bucket.objects[f"out/{desk.tenant_id}/{sent}/aa.eml"] = b"out"
    await desk.rows("insert into suppressed_addresses (tenant_id, address_key, address, reason) values (:tenant, :a, :a, 'bounce')", a=CARLA)
    await desk.rows(
        "insert into idempotency_keys (tenant_id, key, route, request_hash, response) values (:tenant, 'k', 'r', 'x', cast(:r as jsonb))",
        r=json.dumps({"to": [{"address": CARLA}]}),
    )
    assert await anywhere(desk, CARLA)
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert await anywhere(desk, CARLA) == []
    assert await anywhere(desk, "it burns") == []
    assert bucket.objects == {}
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        receipt = await get_erasure(connection, desk.tenant_id, erasure_id)
    assert receipt is not None
    assert receipt.address_hashes == [hash_of(CARLA)]
    wanted = {"messages": 5, "ledger_rows": 3, "conversations": 1, "contacts": 1, "addresses": 1, "suppressed_addresses": 1,
              "kept_answers": 1, "objects": 2, "octets": 3}  # fmt: skip
    assert {k: v for k, v in receipt.counts.items() if k in wanted} == wanted
    assert "carla" not in json.dumps(dict(receipt.counts)).lower()
    assert len(await desk.rows("select 1 from tombstones where reason = 'erased'")) == 4


async def test_what_belongs_to_others_stays_and_no_longer_names_the_person(desk: Desk, bucket: Bucket) -> None:
    contact_id = await contact(desk, CARLA)
    dora = await desk.receive(from_address=DORA, from_name="Dora", cc=(CARLA,), reply_to=(CARLA,))
    both = await outgoing(desk, DORA, CARLA)
    await desk.rows("update messages set indexed_at = now()")
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert {r["id"] for r in await desk.rows("select id from messages")} == {dora, both}
    assert [a for _, a, _ in await desk.recipients(both)] == [DORA, "erased@erased.invalid"]
    assert await anywhere(desk, CARLA) == []
    row = await desk.conversation()
    assert (row["message_count"], row["customer_message_count"], row["contact_id"], row["customer_name"]) == (2, 1, None, "")
    assert len(await desk.rows("select 1 from messages where indexed_at is null")) == 2, "search forgets the address with the next index"


async def test_dying_anywhere_comes_to_the_same_receipt(desk: Desk, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place where a step can be cut off, in turn; the transaction it is in is lost, what was committed before stays."""
    contact_id = await contact(desk, CARLA)
    await packed(desk, bucket, await folder(desk))
    monkeypatch.setattr(erasures, "BATCH", 1)
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    deaths = 0
    for name in ("remove_messages", "drop_conversations", "recount", "_add", "_redact"):
        real = getattr(erasures, name)

        async def falls(*arguments: object, real: object = real, **named: object) -> None:
            await real(*arguments, **named)  # type: ignore[operator]
            raise Died("here")

        with monkeypatch.context() as patch:
            patch.setattr(erasures, name, falls)
            before = await desk.rows("select counts from erasures")
            if name == "_redact":
                patch.setattr(erasures, "BATCH", 100)
                patch.setattr(erasures, "_redact", real)
                while await desk.rows("select 1 from messages"):
                    async with desk.database.unit_of_work(desk.tenant_id) as connection:
                        await erasures.erase_batch(connection, desk.tenant_id, erasure_id, now=NOW)
                patch.setattr(erasures, "_redact", falls)
            with pytest.raises(Died):
                await erasing(desk, bucket)._step(desk.tenant_id, erasure_id)
            deaths += 1
            if name != "_redact":
                assert await desk.rows("select counts from erasures") == before
    assert deaths == 5
    delete = bucket.delete

    async def dies_after(keys: object) -> None:
        await delete(keys)
        raise Died("the object is gone, no row says so")

    monkeypatch.setattr(bucket, "delete", dies_after)
    with pytest.raises(Died):
        await erasing(desk, bucket)._step(desk.tenant_id, erasure_id)
    monkeypatch.setattr(bucket, "delete", delete)
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert bucket.objects == {}
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        receipt = await get_erasure(connection, desk.tenant_id, erasure_id)
    assert receipt is not None
    assert (receipt.counts["messages"], receipt.counts["ledger_rows"], receipt.counts["contacts"]) == (4, 3, 1)
    assert (await run(desk, bucket, erasure_id)).state == "done", "once more changes nothing"


async def test_a_mail_that_is_being_sent_is_waited_for(desk: Desk, bucket: Bucket) -> None:
    contact_id = await contact(desk, CARLA)
    sent = await outgoing(desk, CARLA, status="sending")
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    assert await run(desk, bucket, erasure_id) == ErasureProgress("erasing", waiting=True, messages=1)
    await desk.rows("update messages set send_status = 'sent' where id = :id", id=sent)
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert await desk.rows("select 1 from messages") == []


async def test_what_is_held_stays_and_the_receipt_says_so(desk: Desk, bucket: Bucket) -> None:
    contact_id = await contact(desk, CARLA)
    await desk.rows("update conversations set held = true")
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert len(await desk.rows("select 1 from messages")) == 1
    assert (await desk.rows("select counts from erasures"))[0]["counts"]["held_messages"] == 1
    assert (await desk.conversation())["customer_name"] == "Carla"


async def test_only_who_types_one_of_the_addresses_erases_and_twice_is_once(desk: Desk) -> None:
    contact_id = await contact(desk, "Carla@Customer.Example.COM")
    with pytest.raises(NotTheirAddress):
        await ask(desk, contact_id, "somebody@else.example.com")
    first = await ask(desk, contact_id, "CARLA@customer.example.com")
    assert first is not None
    assert await ask(desk, contact_id) == first
    assert await ask(desk, uuid.uuid4()) is None


async def test_people_who_were_made_one_go_together(desk: Desk, bucket: Bucket) -> None:
    contact_id = await contact(desk, CARLA)
    other = await contact(desk, DORA)
    await desk.rows("update contacts set merged_into = :c where id = :o", c=contact_id, o=other)
    await desk.receive(from_address=DORA)
    erasure_id = await ask(desk, contact_id)
    assert erasure_id is not None
    assert (await run(desk, bucket, erasure_id)).state == "done"
    assert await anywhere(desk, DORA) == []
    assert await desk.rows("select 1 from contacts") == []


@pytest.mark.dovecot
async def test_in_a_real_bucket_one_mail_leaves_its_pack_and_no_new_look_brings_it_back(
    room: MailRoom, deliver: Callable[..., None], dovecot: Dovecot, account: DovecotAccount
) -> None:
    await room.connect()
    deliver(letter(1, sender=f"Carla <{CARLA}>", body="Something private."))
    deliver(letter(2, sender=f"Dora <{DORA}>", body="Something else."))
    await room.sync()
    (key,) = [row["raw_key"] for row in await room.rows("select distinct raw_key from ledger")]
    before = await room.blobs.get(key)
    contact_id = await room.one("select contact_id from contact_identities where identifier_key = :a", a=CARLA)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        erasure_id = await ask_erasure(connection, room.tenant_id, contact_id, confirm=CARLA, user_id=None, actor="user:1")
    assert erasure_id is not None
    made = Erasing(room.database, ObjectDrops(room.database, room.blobs, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)))
    while (await made._step(room.tenant_id, erasure_id)).state != "done":
        assert await room.one("select state from erasures") != "done"

    after = await room.blobs.get(key)
    assert len(after) == len(before)
    assert (b"private" in before, b"private" in after) == (True, False)
    (dora,) = await room.rows("select raw_offset as at, raw_length as n, raw_sha256 from messages")
    stays = slice(dora["at"], dora["at"] + dora["n"])
    assert hashlib.sha256(after[stays]).hexdigest() == dora["raw_sha256"]
    assert not any(after[: stays.start] + after[stays.stop :])

    await room.pool.close()
    dovecot.forget_uids(account)  # every mail of the mailbox is listed and fetched anew
    deliver(letter(3, sender=f"Dora <{DORA}>"))
    room.__post_init__()
    await room.sync()
    assert {r["message_id_header"] for r in await room.rows("select message_id_header from messages")} == {
        "<m2@customer.example.com>", "<m3@customer.example.com>",
    }  # fmt: skip
    assert len(await room.rows("select from ledger where reason = 'erased'")) == 2
