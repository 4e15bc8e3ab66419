"""Digests: one mail at most for each window, only what is still unread, and never a second time from unknown."""

import datetime as dt
import email
import email.policy
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities import digest
from activities.digest import Digesting
from contracts.digest import DigestClaim, DigestRef
from contracts.outbound import DeliverOutcome
from contracts.refs import MessageRef
from mail.reply_token import read_token
from store.bulk import new_id
from store.notice_settings import choose_sender
from store.unit_of_work import Database
from tests.activities.dying import Died
from tests.activities.send_room import SECRET, SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import ScriptedSmtp
from tests.store.desk import open_desk

BASE = "https://desk.example.org"


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url, pool_size=5)
    made = SendRoom(await open_desk(database))
    async with database.unit_of_work(made.desk.tenant_id) as connection:
        assert await choose_sender(connection, made.desk.tenant_id, made.desk.inbox_id)
    yield made
    await database.close()


async def notice(room: SendRoom, kind: str = "assigned", *, mail: str = "digest", due: dt.timedelta = dt.timedelta(0)) -> uuid.UUID:
    """A notice that waits for a mail, and the window that ends in `due`."""
    row_id = new_id()
    room.desk.serial += 1
    await room.desk.rows(
        "insert into notices (tenant_id, id, user_id, event_id, kind, conversation_id, mail, created_at)"
        " values (:tenant, :id, :u, :e, :k, :c, :mail, :at)",
        id=row_id, u=room.desk.agent_id, e=room.desk.serial, k=kind, c=room.desk.conversation_id, mail=mail, at=room.clock(),
    )  # fmt: skip
    await room.desk.rows(
        "insert into notice_settings (tenant_id, user_id, digest_due_at) values (:tenant, :u, :at)"
        " on conflict (user_id, tenant_id) do update set digest_due_at = excluded.digest_due_at",
        u=room.desk.agent_id, at=room.clock() + due,
    )  # fmt: skip
    return row_id


async def claim(room: SendRoom) -> DigestClaim:
    made = Digesting(room.desk.database, BASE, clock=room.clock)
    return await ActivityEnvironment().run(made.claim, DigestRef(str(room.desk.tenant_id), str(room.desk.agent_id)))


async def test_a_digest_says_what_waits_and_answers_lead_into_no_conversation(room: SendRoom) -> None:
    await room.desk.rows("update conversations set subject = :s, snippet = 'secret words'", s="Look at https://evil.example.com/x <b>")
    await notice(room), await notice(room, "sla_warned"), await notice(room)
    told = await claim(room)
    assert told.message_id is not None
    ref = MessageRef(str(room.desk.tenant_id), told.message_id)
    await room.compose(ref)
    (raw,) = room.blobs.objects.values()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Reply-To"] is None
    assert mail["Subject"] == "1 conversation waits for you (Mailroom)"
    assert read_token(mail["Message-ID"], str(room.desk.tenant_id), SECRET) is None
    plain, page = (part.get_content() for part in mail.iter_parts())
    assert f"{BASE}/c/{room.desk.conversation_id}" in plain
    assert "was assigned to you, is due soon" in plain
    for body in (plain, page):
        assert "https://evil" not in body
        assert "secret words" not in body
    assert "<b>" not in page
    assert await claim(room) == DigestClaim(None, "nothing-due")
    assert await room.desk.recipients(uuid.UUID(told.message_id)) == [("to", f"{room.desk.agent_id.hex}@example.org", "pending")]


async def test_what_was_read_meanwhile_is_not_mailed(room: SendRoom) -> None:
    await notice(room)
    await room.desk.rows("update notices set read_at = now()")
    assert await claim(room) == DigestClaim(None, "nothing-waits")
    assert await room.desk.rows("select 1 from messages where kind = 'notification'") == []


async def test_before_its_time_nothing_is_taken(room: SendRoom) -> None:
    await notice(room, due=dt.timedelta(minutes=5))
    assert await claim(room) == DigestClaim(None, "nothing-due")
    room.clock.pass_(minutes=5)
    assert (await claim(room)).reason == "queued"


async def test_a_window_has_one_mail_whatever_dies(room: SendRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    await notice(room)
    real = digest.queue_digest

    async def falls(*arguments: object, **named: object) -> None:
        await real(*arguments, **named)  # type: ignore[arg-type]
        raise Died("the mail is queued, nothing is committed")

    with monkeypatch.context() as patch:
        patch.setattr(digest, "queue_digest", falls)
        with pytest.raises(Died):
            await claim(room)
    assert await room.desk.rows("select 1 from digests") == []
    first = await claim(room)
    # A window that is put back, as a restored row would be, was taken before.
    (row,) = await room.desk.rows("select due_at from digests")
    await room.desk.rows("update notice_settings set digest_due_at = :at", at=row["due_at"])
    await room.desk.rows("update notices set mailed_at = null")
    assert (first.reason, await claim(room)) == ("queued", DigestClaim(None, "window-taken"))
    assert len(await room.desk.rows("select 1 from messages where kind = 'notification'")) == 1


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("update tenants set settings = '{}' where id = :tenant", "no-sender"),
        ("update users set deleted_at = now()", "person-left"),
        ("update users set email = 'desk@example.org'", "own-address"),
        ("insert into suppressed_addresses (tenant_id, address_key, address, reason) select tenant_id, email_key, email, 'bounce' from users", "suppressed"),
    ],
)
async def test_why_there_is_no_mail(room: SendRoom, spoil: str, why: str) -> None:
    await notice(room)
    await room.desk.rows(spoil)
    assert await claim(room) == DigestClaim(None, why)
    assert await claim(room) == DigestClaim(None, "nothing-due")


async def test_who_may_no_longer_see_the_inbox_is_not_told_of_it(room: SendRoom) -> None:
    await notice(room)
    other = new_id()
    await room.desk.rows("insert into users (tenant_id, id, email, email_key, name) values (:tenant, :id, 'x@example.net', :k, 'Eve')", id=other, k=other.hex)
    await room.desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=room.desk.inbox_id, u=other)
    assert await claim(room) == DigestClaim(None, "nothing-waits")


async def test_a_digest_of_unknown_fate_is_never_sent_again(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    await room.connect(scripted_smtp.port)
    await notice(room)
    told = await claim(room)
    assert told.message_id is not None
    ref = MessageRef(str(room.desk.tenant_id), told.message_id)
    await room.compose(ref)
    await room.desk.rows("update messages set send_status = 'sending', send_stage = 'dot', send_attempts = 1 where id = :id", id=uuid.UUID(told.message_id))
    report = await room.settle(ref, DeliverOutcome.UNKNOWN)
    row = await room.message(ref)
    assert (row["send_status"], report is not None) == ("unknown", True)
    assert "not sent again" in row["send_error"]
    assert (await room.plan(ref)).state.value == "unknown"
    assert (await room.desk.conversation())["unknown_sends"] == 0
