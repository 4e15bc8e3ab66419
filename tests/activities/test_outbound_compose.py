"""Freezing a mail: once, whole, threaded, with the files it names, and never with what a customer's HTML would smuggle."""

import asyncio
import email
import email.policy
import hashlib
import uuid
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from contracts.outbound import SendState
from contracts.refs import MessageRef
from mail.auto_headers import loop_reference
from mail.parse import parse_mail
from mail.reply_token import read_token
from store.outbound import cancel_message
from store.unit_of_work import Database
from tests.activities.send_room import SECRET, SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, open_desk


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url)
    yield SendRoom(await open_desk(database))
    await database.close()


def frozen(room: SendRoom) -> EmailMessage:
    (raw,) = (v for k, v in room.blobs.objects.items() if k.startswith("out/"))
    return email.message_from_bytes(raw, policy=email.policy.default)


async def test_the_frozen_mail_is_a_threaded_answer(room: SendRoom) -> None:
    ref = await room.reply()
    report = await room.compose(ref)
    mail, row = frozen(room), await room.message(ref)
    (key,) = room.blobs.objects
    assert report.state is SendState.DUE
    assert key == f"out/{ref.tenant_id}/{ref.message_id}/{row['raw_sha256']}.eml"
    assert hashlib.sha256(room.blobs.objects[key]).hexdigest() == row["raw_sha256"]
    assert report.size_bytes == row["raw_length"] == len(room.blobs.objects[key])
    assert mail["From"] == "Example Desk <desk@example.org>"
    assert mail["Subject"] == "Re: Printer on fire [#42]"
    assert mail["In-Reply-To"] == "<customer-1@customer.example.com>" == row["in_reply_to"]
    assert mail["X-Mailroom-Send-ID"] == ref.message_id
    assert read_token(mail["Message-ID"], ref.tenant_id, SECRET) == 42
    assert mail["Auto-Submitted"] is None
    keys = await room.desk.rows("select key from thread_keys")
    assert [k["key"] for k in keys] == [row["message_id_header"]]
    # Our copy in Sent must be known again when it comes in (S-12).
    assert parse_mail(room.blobs.objects[key]).content_id == row["content_id"]


async def test_a_second_run_finds_the_first_ones_bytes(room: SendRoom) -> None:
    ref = await room.reply()
    await room.compose(ref)
    before = await room.message(ref)
    room.clock.pass_(hours=5)
    assert (await room.compose(ref)).size_bytes == before["raw_length"]
    assert await room.message(ref) == before
    assert len(room.blobs.objects) == 1
    assert await room.desk.steps(uuid.UUID(ref.message_id)) == ["queued", "composed"]


async def test_two_at_once_freeze_one_mail(room: SendRoom) -> None:
    ref = await room.reply()

    async def later() -> object:
        room.clock.pass_(seconds=30)
        return await room.compose(ref)

    await asyncio.gather(room.compose(ref), later(), room.compose(ref))
    row = await room.message(ref)
    assert room.blobs.objects[str(row["raw_key"])]
    assert (await room.desk.steps(uuid.UUID(ref.message_id))).count("composed") == 1


async def test_the_chain_holds_the_first_and_the_last_and_ends_with_the_parent(room: SendRoom) -> None:
    for minute in range(60):
        await room.desk.receive(at=NOW.replace(minute=minute))
    ref = await room.reply()
    await room.compose(ref)
    mail = frozen(room)
    chain = str(mail["References"]).split()
    assert chain[0] == "<customer-1@customer.example.com>"
    assert chain[-1] == mail["In-Reply-To"] == "<customer-61@customer.example.com>"
    assert 3 < len(chain) <= 21
    stored = await room.desk.rows(
        "select referenced_id from message_references where message_id = :id order by position",
        id=ref.message_id,
    )
    assert [r["referenced_id"] for r in stored] == chain


async def test_files_and_pictures_travel_and_hostile_html_does_not(room: SendRoom) -> None:
    ids = {}
    for name, kind, content in (("a.pdf", "application/pdf", b"%PDF-1"), ("p.png", "image/png", b"\x89PNG")):
        room.blobs.objects[f"att/{name}"] = content
        (row,) = await room.desk.rows(
            "insert into uploads (tenant_id, filename, content_type, size_bytes, sha256, upload_key, storage_key, completed_at)"
            " values (:tenant, :name, :kind, 10, :sha, 'u', :key, now()) returning id",
            name=name,
            kind=kind,
            sha=hashlib.sha256(content).hexdigest(),
            key=f"att/{name}",
        )
        ids[name] = row["id"]
    html = (
        f'<p onclick="x()">Look</p><script>alert(1)</script><img src="cid:{ids["p.png"]}">'
        '<img src="https://track.example.com/x.gif"><a href="https://elsewhere.example.net/">https://example.com</a>'
    )
    ref = await room.reply(html=html, text=None, upload_ids=tuple(ids.values()))
    assert (await room.compose(ref)).state is SendState.DUE
    mail = frozen(room)
    page = mail.get_body(("html",))
    assert page is not None
    shown = page.get_content()
    assert f"cid:{ids['p.png']}" in shown
    assert "script" not in shown
    assert "onclick" not in shown
    assert "track.example.com" not in shown
    # The mark of misleading links is for our own frame, not for the customer's mail.
    assert 'href="https://elsewhere.example.net/"' in shown
    assert "data-goes-to" not in shown
    files = {p.get_filename(): p for p in mail.walk() if p.get_filename()}
    assert files["a.pdf"].get_content() == b"%PDF-1"
    assert files["p.png"]["Content-ID"] == f"<{ids['p.png']}>"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "Look" in plain.get_content()


async def test_a_file_that_is_another_one_now_is_not_sent(room: SendRoom) -> None:
    room.blobs.objects["att/x"] = b"something else"
    (row,) = await room.desk.rows(
        "insert into uploads (tenant_id, filename, content_type, size_bytes, sha256, upload_key, storage_key, completed_at)"
        " values (:tenant, 'x.txt', 'text/plain', 3, :sha, 'u', 'att/x', now()) returning id",
        sha=hashlib.sha256(b"mine").hexdigest(),
    )
    ref = await room.reply(upload_ids=(row["id"],))
    with pytest.raises(ApplicationError) as failed:
        await room.compose(ref)
    assert failed.value.type == "BlobMissing"
    assert (await room.message(ref))["raw_key"] is None


async def test_what_cannot_become_a_mail_fails_with_the_reason(room: SendRoom) -> None:
    ref = await room.reply()
    await room.run_sql("update inboxes set deleted_at = now()")
    assert (await room.compose(ref)).state is SendState.FAILED
    row = await room.message(ref)
    assert (row["send_status"], row["send_error"]) == (
        "failed",
        "The inbox was deleted; answer from another one.",
    )


async def test_a_cancelled_message_is_not_frozen(room: SendRoom) -> None:
    ref = await room.reply()
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        await cancel_message(
            connection,
            tenant_id=room.desk.tenant_id,
            message_id=uuid.UUID(ref.message_id),
            actor="a",
            now=NOW,
        )
    assert (await room.compose(ref)).state is SendState.CANCELLED
    assert room.blobs.objects == {}


async def test_an_unknown_message_ends_the_step_for_good(room: SendRoom) -> None:
    with pytest.raises(ApplicationError) as failed:
        await room.compose(MessageRef(str(room.desk.tenant_id), str(uuid.uuid4())))
    assert (failed.value.type, failed.value.non_retryable) == ("NotFound", True)


async def test_an_automatic_answer_says_what_it_is(room: SendRoom) -> None:
    await room.run_sql(
        "update inboxes set auto_response_enabled = true, auto_response_subject = '', auto_response_body = 'Hello {{sender_name}}'"
    )
    claim = await room.claim_answer()
    await room.compose(MessageRef(str(room.desk.tenant_id), str(claim.message_id)))
    mail = frozen(room)
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert loop_reference(mail["X-Mailroom-Loop"], SECRET) == uuid.UUID(str(claim.message_id)).hex
    assert mail["In-Reply-To"] == "<customer-1@customer.example.com>"
    assert mail["To"] == "Carla <carla@customer.example.com>"
