"""A small sound world for the checker's own tests: a mailbox that was read, answers of which one was sent and one is in doubt."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver
from activities.outbound_file_copy import OutboundFileCopy
from activities.outbound_record import OutboundRecord
from activities.parser_pool import ParserPool
from contracts.outbound import DeliverOutcome, SettleOrder
from contracts.refs import MessageRef
from providers.s3.blobs import BlobStore
from providers.smtp.account import SmtpAccount
from providers.smtp.sender import SmtpSender
from store.outbound import NewReply, queue_reply
from store.unit_of_work import Database
from tests.activities.mail_room import LOCAL, SECRET, MailRoom, letter
from tests.conftest import S3Server
from tests.faults.invariants import Witnesses
from tests.faults.object_checks import Bucket, s3_bucket
from tests.faults.post_boxes import PostBox, post_office
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Close

MARKERS = ("marker-sent-end", "marker-doubt-end")


@dataclass(frozen=True, slots=True)
class SmallWorld:
    """The sound witnesses; `objects` is a copy of the bucket's content that belongs to the tenant."""

    admin_url: str
    inbox_id: str
    witnesses: Witnesses
    objects: dict[str, bytes]


@asynccontextmanager
async def small_world(server: ServerDatabase, s3: S3Server, directory: Path) -> AsyncIterator[SmallWorld]:
    database = Database(server.url, pool_size=3)
    blobs = BlobStore(s3.endpoint, s3.bucket, s3.access_key, s3.secret_key, s3.region)
    parsers = ParserPool(workers=1, secret=SECRET)
    async with post_office(directory) as post:
        box = post.box("desk@example.org")
        room = await MailRoom(
            database, blobs, parsers, port=box.port, user=box.address, password=box.password, smtp_port=post.smtp.port
        ).open()
        await room.rows("update inboxes set settings = jsonb_set(settings, '{smtp}', (settings->'smtp') - 'auth' - 'username')")
        try:
            await _receive(room, box)
            refs = [await _answer(room, marker) for marker in MARKERS]
            await _send(room, post.smtp, refs)
            await room.sync(flags=True)
            await room.ingestion.index(room.tenant_id)
            async with database.system_unit_of_work() as connection:
                stranger = uuid.uuid4()
                await connection.execute(
                    text("insert into tenants (id, name, slug) values (:id, 'Stranger', :slug)"), {"id": stranger, "slug": stranger.hex}
                )
            real = s3_bucket(
                endpoint=s3.endpoint, bucket=s3.bucket, access_key=s3.access_key, secret_key=s3.secret_key, region=s3.region
            )
            objects = {key: real.read(key) or b"" for key in real.every_key() if f"/{room.tenant_id}/" in key}
            witnesses = Witnesses(
                bucket=kept(objects),
                stranger_id=str(stranger),
                mailboxes={str(room.inbox_id): box.truth()},
                accepted=tuple(post.smtp.accepted),
                asked=dict(zip(MARKERS, (ref.message_id for ref in refs), strict=True)),
                tenant_id=str(room.tenant_id),
            )
            yield SmallWorld(server.admin_url, str(room.inbox_id), witnesses, objects)
        finally:
            await room.close()
            parsers.close()
            blobs.close()
            await database.close()


def kept(objects: dict[str, bytes]) -> Bucket:
    return Bucket(objects.keys, objects.get)


async def _receive(room: MailRoom, box: PostBox) -> None:
    """History with a duplicate, then live mail with two files, of which somebody asked for one."""
    old = letter(1, subject="An old question")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    for raw in (old, old, letter(2, subject="Re: An old question", parents=("<m1@customer.example.com>",))):
        box.put(raw, received=before)
    await room.connect()
    await room.backfill()
    box.put(letter(3, subject="A live question", files=(("plan.pdf", b"%PDF-1.4 plan"), ("map.pdf", b"%PDF-1.4 map"))))
    box.put(letter(4, subject="Another live question", sender="Dora <dora@customer.example.com>"))
    await room.sync()
    file = (await room.rows("select id, storage_key from attachments where filename = 'plan.pdf'"))[0]
    await room.blobs.put(file["storage_key"], b"%PDF-1.4 plan")
    await room.rows("update attachments set stored_at = now() where id = :id", id=file["id"])


async def _answer(room: MailRoom, marker: str) -> MessageRef:
    conversation = await room.one("select conversation_id from messages where subject = 'A live question' and direction = 'inbound'")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        reply = NewReply(conversation, None, text=f"We are coming. {marker}")
        queued = await queue_reply(connection, tenant_id=room.tenant_id, reply=reply, now=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
    return MessageRef(str(room.tenant_id), str(queued.message_id))


async def _send(room: MailRoom, smtp: "object", refs: list[MessageRef]) -> None:
    """The first is sent and filed in Sent; of the second the server takes the mail and the reply is lost."""

    def sender(account: SmtpAccount) -> SmtpSender:
        return SmtpSender(dataclasses.replace(account, dot_timeout=5.0), LOCAL)

    run = ActivityEnvironment().run
    composing = OutboundCompose(room.database, room.blobs, SECRET)
    delivering = OutboundDeliver(room.database, room.accounts, room.blobs, sender)
    filing = OutboundFileCopy(room.database, room.accounts, room.pool, room.blobs)
    for ref in refs:
        await run(composing.compose, ref)
    assert (await run(delivering.deliver, refs[0])).outcome is DeliverOutcome.SENT
    assert (await run(filing.file_copy, refs[0])).filed
    smtp.on("dot", Close(), times=1, stored=True)  # type: ignore[attr-defined]
    assert (await run(delivering.deliver, refs[1])).outcome is DeliverOutcome.UNKNOWN
    order = SettleOrder(refs[1].tenant_id, refs[1].message_id, DeliverOutcome.UNKNOWN)
    assert (await run(OutboundRecord(room.database).settle, order)).outcome is DeliverOutcome.UNKNOWN
