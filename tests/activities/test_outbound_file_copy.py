"""The copy in Sent, on a real IMAP server: one, findable, and proof for a mail whose fate was unknown."""

import dataclasses
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.outbound_file_copy import OutboundFileCopy
from activities.outbound_verify import OutboundVerify
from contracts.outbound import CopyReport, DeliverOutcome, SendState, VerifyOutcome
from contracts.refs import MessageRef
from providers.imap.pool import ImapPool
from stack.demo_mail import DemoMail, MailAccount
from store.sweep import find
from store.unit_of_work import Database
from tests.activities.send_room import LOCAL, SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Close, ScriptedSmtp
from tests.store.desk import NOW, open_desk


@dataclass
class Mailbox:
    room: SendRoom
    account: MailAccount
    filing: OutboundFileCopy
    looking: OutboundVerify
    smtp: ScriptedSmtp

    async def file(self, ref: MessageRef) -> CopyReport:
        return await ActivityEnvironment().run(self.filing.file_copy, ref)

    async def look(self, ref: MessageRef) -> VerifyOutcome:
        return (await ActivityEnvironment().run(self.looking.verify, ref)).outcome

    def in_sent(self) -> list[bytes]:
        folder = self.account.maildir / ".Sent"
        return [path.read_bytes() for sub in ("cur", "new") for path in (folder / sub).iterdir()]

    async def sent(self) -> MessageRef:
        ref = await self.room.reply()
        await self.room.compose(ref)
        await self.room.deliver(ref)
        return ref


@pytest_asyncio.fixture
async def mailbox(
    module_database: ServerDatabase,
    scripted_smtp: ScriptedSmtp,
    demo_mail: DemoMail,
    mail_account: Callable[[], MailAccount],
) -> AsyncIterator[Mailbox]:
    account = mail_account()
    database = Database(module_database.url)
    room = SendRoom(await open_desk(database))
    desk = room.desk
    sealed, key_id = room.accounts._sealer.seal(
        {"imap": {"secret": account.password}},
        tenant_id=str(desk.tenant_id),
        inbox_id=str(desk.inbox_id),
        column="credentials_sealed",
    )
    settings = {
        "smtp": {"host": "127.0.0.1", "port": scripted_smtp.port, "security": "plain"},
        "imap": {
            "host": demo_mail.host,
            "port": demo_mail.imap_port,
            "security": "plain",
            "username": account.address,
        },
    }
    await desk.rows(
        "update inboxes set settings = cast(:settings as jsonb), credentials_sealed = :sealed, credentials_key_id = :key",
        settings=json.dumps(settings),
        sealed=sealed,
        key=key_id,
    )
    await desk.rows(
        "insert into folders (tenant_id, inbox_id, name, path, role) values (:tenant, :inbox, 'Sent', 'Sent', 'sent')",
        inbox=desk.inbox_id,
    )
    pool = ImapPool(LOCAL)
    yield Mailbox(
        room,
        account,
        OutboundFileCopy(database, room.accounts, pool, room.blobs, clock=room.clock),
        OutboundVerify(database, room.accounts, pool),
        scripted_smtp,
    )
    await pool.close()
    await database.close()


async def test_one_copy_is_filed_however_often_it_is_asked_for(mailbox: Mailbox) -> None:
    ref = await mailbox.sent()
    assert (await mailbox.room.plan(ref)).copy_missing
    assert await mailbox.file(ref) == CopyReport(filed=True)
    assert await mailbox.file(ref) == CopyReport(filed=False, already=True)
    assert not (await mailbox.room.plan(ref)).copy_missing
    (copy,) = mailbox.in_sent()
    assert str((await mailbox.room.message(ref))["message_id_header"]).encode() in copy
    steps = await mailbox.room.desk.steps(uuid.UUID(ref.message_id))
    assert steps.count("copy_in_sent") == 1


async def test_a_step_that_died_after_the_append_finds_its_copy(mailbox: Mailbox) -> None:
    ref = await mailbox.sent()
    await mailbox.file(ref)
    await mailbox.room.desk.rows("update messages set sent_copy_at = null where id = :id", id=ref.message_id)
    assert await mailbox.file(ref) == CopyReport(filed=False, already=True)
    assert len(mailbox.in_sent()) == 1


async def test_nothing_is_filed_for_a_mail_that_did_not_leave(mailbox: Mailbox) -> None:
    ref = await mailbox.room.reply()
    await mailbox.room.compose(ref)
    assert await mailbox.file(ref) == CopyReport(filed=False)
    assert mailbox.in_sent() == []


async def test_without_a_sent_folder_nothing_is_filed_and_nothing_can_be_looked_up(mailbox: Mailbox) -> None:
    ref = await mailbox.sent()
    await mailbox.room.desk.rows("update folders set state = 'parked'")
    assert await mailbox.file(ref) == CopyReport(filed=False)
    assert await mailbox.look(ref) is VerifyOutcome.CANNOT_LOOK


async def test_a_copy_in_sent_proves_that_a_doubtful_mail_was_sent(mailbox: Mailbox) -> None:
    mailbox.smtp.on("dot", Close(), stored=True)
    ref = await mailbox.sent()
    assert (await mailbox.room.plan(ref)).state is SendState.DOUBT
    assert await mailbox.look(ref) is VerifyOutcome.NOT_FOUND
    other = await mailbox.room.reply()
    await mailbox.room.compose(other)
    # The server keeps copies by itself and has filed this one; another mail in Sent is no proof.
    folder = mailbox.account.maildir / ".Sent" / "new"
    row, unrelated = await mailbox.room.message(ref), await mailbox.room.message(other)
    (folder / "1.other").write_bytes(mailbox.room.blobs.objects[str(unrelated["raw_key"])])
    assert await mailbox.look(ref) is VerifyOutcome.NOT_FOUND
    (folder / "2.own").write_bytes(mailbox.room.blobs.objects[str(row["raw_key"])])
    assert await mailbox.look(ref) is VerifyOutcome.FOUND
    assert (await mailbox.room.settle(ref, DeliverOutcome.SENT)).outcome is DeliverOutcome.SENT
    assert await mailbox.file(ref) == CopyReport(filed=False, already=True)


async def test_what_the_sync_saw_in_sent_settles_even_what_was_given_up(mailbox: Mailbox) -> None:
    mailbox.smtp.on("dot", Close(), stored=True)
    ref = await mailbox.sent()
    await mailbox.room.settle(ref, DeliverOutcome.UNKNOWN)
    assert (await mailbox.room.plan(ref)).state is SendState.UNKNOWN
    await mailbox.room.desk.rows("update messages set sent_copy_at = now() where id = :id", id=ref.message_id)
    assert (await mailbox.room.plan(ref)).state is SendState.DOUBT
    assert await mailbox.look(ref) is VerifyOutcome.FOUND
    await mailbox.room.settle(ref, DeliverOutcome.SENT)
    assert (await mailbox.room.status(ref))[0] == "sent"
    assert (await mailbox.room.plan(ref)).state is SendState.SENT


async def test_a_copy_that_could_not_be_filed_is_due_again_a_few_times(mailbox: Mailbox) -> None:
    """S-11: the sweep comes back to it; the mail itself is out and stays so."""
    room = mailbox.room
    ref = await mailbox.sent()
    key = uuid.UUID(ref.message_id)

    async def swept() -> bool:
        async with room.desk.database.system_unit_of_work() as connection:
            found = await find(connection, kind="sends", after=None, full=False, now=room.clock())
        return key in [row.id for row in found]

    await room.run_sql("update inboxes set settings = jsonb_set(settings, '{imap,port}', '1')")
    assert not await swept()
    rounds: list[float] = []
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=8)
    while len(rounds) < 20:
        if rounds:
            due = (await room.message(ref))["copy_due_at"]
            if due is None:
                break
            room.clock.now = due
            assert await swept()
        rounds.append((room.clock() - NOW).total_seconds() / 60 - 10)
        with pytest.raises(ApplicationError) as failed:
            await environment.run(mailbox.filing.file_copy, ref)
        assert failed.value.type == "Unreachable"
    assert rounds == pytest.approx([0, 10, 70, 310, 1270, 5110])
    assert not await swept()
    steps = await room.desk.steps(key)
    assert steps.count("copy_put_off") == 5
    assert steps[-1] == "copy_given_up"
    assert (await room.status(ref))[0] == "sent"
    assert len(mailbox.smtp.accepted) == 1


async def test_a_copy_that_is_filed_late_is_due_no_more(mailbox: Mailbox) -> None:
    ref = await mailbox.sent()
    assert (await mailbox.room.message(ref))["copy_due_at"] is not None
    await mailbox.file(ref)
    assert (await mailbox.room.message(ref))["copy_due_at"] is None
    other = await mailbox.sent()
    await mailbox.room.desk.rows("delete from folders")
    assert await mailbox.file(other) == CopyReport(filed=False)
    assert (await mailbox.room.message(other))["copy_due_at"] is None


async def test_bytes_that_changed_are_not_filed(mailbox: Mailbox) -> None:
    ref = await mailbox.sent()
    row = await mailbox.room.message(ref)
    mailbox.room.blobs.objects[str(row["raw_key"])] += b"more"
    with pytest.raises(ApplicationError) as failed:
        await mailbox.file(ref)
    assert failed.value.type == "BlobMissing"
    assert mailbox.in_sent() == []
