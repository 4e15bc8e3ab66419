"""Mail that is removed for good: its rows, its octets in the packs of others, and that no resync brings it back."""

import datetime as dt
import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from activities.object_drops import ObjectDrops
from models.enums import LedgerState
from providers.s3.blobs import BlobInfo, BlobMissing
from store.bulk import new_id
from store.ledger import LedgerRow, Place, write_rows
from store.removal import TombstoneReason, drop_conversations, recount, remove_messages
from store.unit_of_work import Database
from tests.activities.send_room import MemoryBlobs
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

MAILS = (b"first mail of Carla\r\n", b"second, from Dora\r\n", b"third\r\n")


class Bucket(MemoryBlobs):
    """With the rest of what a bucket can, and a way to fail after a PUT."""

    def __init__(self) -> None:
        super().__init__()
        self.put_at = NOW - dt.timedelta(days=9)

    async def head(self, key: str) -> BlobInfo | None:
        if key not in self.objects:
            return None
        return BlobInfo(len(self.objects[key]), "e", None, "x/y", self.put_at)

    async def delete(self, keys: Any) -> None:
        for key in keys:
            self.objects.pop(key, None)


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url, pool_size=3)
    yield await open_desk(database)
    await database.close()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def drops(desk: Desk, bucket: Bucket) -> ObjectDrops:
    return ObjectDrops(desk.database, bucket, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


async def folder(desk: Desk) -> uuid.UUID:
    folder_id = new_id()
    await desk.rows(
        "insert into folders (tenant_id, id, inbox_id, name, path, uidvalidity) values (:tenant, :id, :inbox, :path, :path, 7)",
        id=folder_id, inbox=desk.inbox_id, path=folder_id.hex,
    )  # fmt: skip
    return folder_id


async def packed(desk: Desk, bucket: Bucket, folder_id: uuid.UUID, mails: tuple[bytes, ...] = MAILS) -> list[uuid.UUID]:
    """A pack of mails, each a message of the desk's conversation."""
    key, offset, ids = f"raw/{desk.tenant_id}/{new_id().hex}.pack", 0, []
    bucket.objects[key] = b"".join(mails)
    for uid, raw in enumerate(mails, 1):
        message_id = await desk.receive()
        values = {"id": message_id, "key": key, "offset": offset, "length": len(raw), "sha": sha(raw)}
        await desk.rows(
            "update messages set raw_key = :key, raw_offset = :offset, raw_length = :length, raw_sha256 = :sha where id = :id", **values
        )
        await desk.rows(
            "insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, uid, state, raw_key, raw_offset, raw_length, raw_sha256,"
            " message_id, internal_date) values (:tenant, :inbox, :folder, 7, :uid, 'ingested', :key, :offset, :length, :sha, :id, now())",
            inbox=desk.inbox_id, folder=folder_id, uid=uid, **values,
        )  # fmt: skip
        ids.append(message_id)
        offset += len(raw)
    return ids


async def remove(desk: Desk, *ids: uuid.UUID, reason: TombstoneReason = TombstoneReason.ERASED) -> dict[str, int]:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        counts, places = await remove_messages(connection, desk.tenant_id, ids, reason=reason)
        await recount(connection, desk.tenant_id, sorted(places), actor="test")
    return dict(counts)


async def test_a_mail_leaves_its_pack_and_the_others_stay_as_they_are(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    counts = await remove(desk, ids[1])
    assert (counts["messages"], counts["ledger_rows"], counts["recipients"]) == (1, 1, 1)
    assert MAILS[1] in next(iter(bucket.objects.values())), "octets go after the rows are gone, never before"
    done, more = await drops.some(desk.tenant_id)
    assert (dict(done), more) == ({"mails": 1}, False)
    assert list(bucket.objects.values()) == [MAILS[0] + bytes(len(MAILS[1])) + MAILS[2]]
    for row in await desk.rows("select raw_key, raw_offset, raw_length, raw_sha256 from ledger where raw_key is not null"):
        assert sha((await bucket.get(row["raw_key"]))[row["raw_offset"] : row["raw_offset"] + row["raw_length"]]) == row["raw_sha256"]
    gone = await desk.rows("select state, reason, raw_length, raw_sha256, message_id from ledger where reason = 'erased'")
    assert gone == [{"state": "skipped", "reason": "erased", "raw_length": len(MAILS[1]), "raw_sha256": sha(MAILS[1]), "message_id": None}]
    assert await desk.rows("select 1 from dropped_objects") == []
    assert (await drops.some(desk.tenant_id))[0] == {}


async def test_dying_after_the_put_is_made_up_for(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    await remove(desk, ids[0])
    (key,) = bucket.objects
    bucket.objects[key] = bytes(len(MAILS[0])) + MAILS[1] + MAILS[2]  # an attempt put this, and its transaction was lost
    done, _ = await drops.some(desk.tenant_id)
    assert dict(done) == {}
    assert await desk.rows("select 1 from dropped_objects") == []
    assert bucket.objects[key] == bytes(len(MAILS[0])) + MAILS[1] + MAILS[2]


async def test_a_pack_goes_with_its_last_mail(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    await remove(desk, *ids[:2])
    await drops.some(desk.tenant_id)
    await remove(desk, ids[2])
    done, _ = await drops.some(desk.tenant_id)
    assert dict(done) == {"objects": 1, "mails": 1}
    assert bucket.objects == {}


async def test_octets_that_are_not_those_of_the_mail_are_left_for_a_person(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    (key,) = bucket.objects
    bucket.objects[key] = b"x" * len(bucket.objects[key])
    await remove(desk, ids[0])
    done, _ = await drops.some(desk.tenant_id)
    assert dict(done) == {"refused": 1}
    assert set(bucket.objects[key]) == {ord("x")}
    assert await desk.rows("select refusal from dropped_objects") == [{"refusal": "other_bytes"}]


async def test_the_same_octets_in_another_row_are_kept(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    here, there = await folder(desk), await folder(desk)
    ids = await packed(desk, bucket, here)
    (key,) = bucket.objects
    await desk.rows(
        "insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, uid, state, raw_key, raw_offset, raw_length, raw_sha256)"
        " values (:tenant, :inbox, :folder, 7, 1, 'stored', :key, 0, :length, :sha)",
        inbox=desk.inbox_id, folder=there, key=key, length=len(MAILS[0]), sha=sha(MAILS[0]),
    )  # fmt: skip
    await remove(desk, ids[0], reason=TombstoneReason.EXPIRED)
    done, _ = await drops.some(desk.tenant_id)
    assert dict(done) == {"kept": 1}
    assert bucket.objects[key] == b"".join(MAILS)


async def test_a_file_goes_when_its_last_message_does_and_not_while_it_is_fresh(desk: Desk, bucket: Bucket, drops: ObjectDrops) -> None:
    key = f"att/{desk.tenant_id}/{sha(b'logo')}"
    bucket.objects[key] = b"logo"
    ids = await packed(desk, bucket, await folder(desk))
    for message_id in ids[:2]:
        await desk.rows(
            "insert into attachments (tenant_id, message_id, filename, content_type, size_bytes, sha256, storage_key)"
            " values (:tenant, :m, 'a', 'image/png', 4, :sha, :key)",
            m=message_id, sha=sha(b"logo"), key=key,
        )  # fmt: skip
    await remove(desk, ids[0])
    assert (await drops.some(desk.tenant_id))[0]["kept"] == 1
    assert key in bucket.objects
    await remove(desk, ids[1])
    bucket.put_at = dt.datetime.now(dt.UTC)
    assert (await drops.some(desk.tenant_id))[0]["fresh"] == 2  # the mail in the pack waits too
    bucket.put_at = NOW
    assert (await drops.some(desk.tenant_id))[0] == {}, "it is looked at again in ten minutes"
    later = ObjectDrops(desk.database, bucket, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=20))
    assert (await later.some(desk.tenant_id))[0]["objects"] == 1
    assert key not in bucket.objects


async def test_counters_are_those_of_what_is_left_and_an_empty_conversation_goes(desk: Desk, bucket: Bucket) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    await desk.rows("update messages set body_visible = 'Newest' where id = :id", id=ids[0])
    await remove(desk, ids[1], ids[2])
    row = await desk.conversation()
    assert (row["message_count"], row["customer_message_count"]) == (2, 2)
    everything = [r["id"] for r in await desk.rows("select id from messages")]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await drop_conversations(connection, desk.tenant_id, [desk.conversation_id], reason=TombstoneReason.ERASED, actor="test") == 0
    await remove(desk, *everything)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await drop_conversations(connection, desk.tenant_id, [desk.conversation_id], reason=TombstoneReason.ERASED, actor="test") == 1
    assert await desk.rows("select 1 from conversations") == []
    assert (await desk.events())[-1] == "conversation.deleted"


async def test_a_mail_that_is_being_submitted_stays(desk: Desk) -> None:
    await desk.rows("update messages set direction = 'outbound', send_status = 'sending' where id = :id", id=desk.first_message_id)
    assert await remove(desk, desk.first_message_id) == {}
    assert len(await desk.rows("select 1 from messages")) == 1


@pytest.mark.parametrize(("reason", "elsewhere"), [(TombstoneReason.ERASED, "erased"), (TombstoneReason.EXPIRED, None)])
async def test_no_resync_brings_it_back(desk: Desk, bucket: Bucket, drops: ObjectDrops, reason: TombstoneReason, elsewhere: str | None) -> None:
    """A folder with new numbers shows the same octets again. What a policy removed may be moved to another folder."""
    here, there = await folder(desk), await folder(desk)
    ids = await packed(desk, bucket, here)
    await remove(desk, ids[0], reason=reason)
    await drops.some(desk.tenant_id)
    new_key = f"raw/{desk.tenant_id}/again.pack"
    bucket.objects[new_key] = MAILS[0] + b"another\r\n"
    rows = [
        LedgerRow(uid=1, state=LedgerState.STORED, raw_sha256=sha(MAILS[0]), raw_key=new_key, raw_length=len(MAILS[0]), internal_date=NOW),
        LedgerRow(uid=2, state=LedgerState.STORED, raw_sha256=sha(b"another\r\n"), raw_key=new_key, raw_offset=len(MAILS[0]), raw_length=9, internal_date=NOW),
    ]  # fmt: skip
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        place = Place(desk.tenant_id, desk.inbox_id, here, 8)
        written = await write_rows(connection, place, rows)
        again = await write_rows(connection, place, rows)
        other = await write_rows(connection, Place(desk.tenant_id, desk.inbox_id, there, 8), rows)
    assert (written.stored, written.skipped, again.stored + again.skipped) == (1, 1, 0)
    assert (other.stored, other.skipped) == ((1, 1) if elsewhere else (2, 0))
    taken = await desk.rows("select reason, raw_key from ledger where uidvalidity = 8 and folder_id = :f order by uid", f=here)
    assert taken == [{"reason": reason.value, "raw_key": None}, {"reason": None, "raw_key": new_key}]
    await drops.some(desk.tenant_id)
    kept = bucket.objects[new_key]
    assert (MAILS[0] in kept) is (elsewhere is None)
    assert kept.endswith(b"another\r\n")


async def test_the_bucket_being_away_changes_nothing(desk: Desk, bucket: Bucket, drops: ObjectDrops, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await packed(desk, bucket, await folder(desk))
    await remove(desk, ids[0])

    async def away(*_: object, **__: object) -> str:
        raise BlobMissing("storage_unreachable", "away")

    monkeypatch.setattr(bucket, "put", away)
    with pytest.raises(BlobMissing):
        await drops.some(desk.tenant_id)
    assert len(await desk.rows("select 1 from dropped_objects")) == 1
