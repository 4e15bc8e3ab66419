"""Message-IDs that are reused, missing, empty, endless, or made to be read as commands: every mail is kept, nothing joins
across inboxes, and nothing that a mail said is ever a command on the wire (integrity I-8, X-30).
"""

import dataclasses
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver
from activities.outbound_file_copy import OutboundFileCopy
from activities.outbound_verify import OutboundVerify
from activities.parser_pool import ParserPool
from contracts.outbound import DeliverOutcome, VerifyOutcome
from contracts.refs import MessageRef
from mail.message_ids import valid_message_id
from providers.s3.blobs import BlobStore
from providers.smtp.account import SmtpAccount
from providers.smtp.sender import SmtpSender
from store.outbound import NewReply, queue_reply
from store.unit_of_work import Database
from tests.activities.mail_room import LOCAL, SECRET, MailRoom
from tests.conftest import S3Server
from tests.faults.imap_tap import ImapTap, read_commands, tapped
from tests.faults.post_boxes import PostBox, PostOffice, post_office
from tests.servers.databases import Database as ServerDatabase

# Raw values as they stand behind `Message-ID:`; None: the field is missing.
HOSTILE: dict[str, bytes | None] = {
    "missing": None,
    "nothing": b"",
    "empty": b"<>",
    "only-at": b"<@>",
    "10-kB": b"<" + b"x" * 10_000 + b"@example.com>",
    "folded-command": b"<a@example.com>\r\n A1 LOGOUT",
    "bare-cr-command": b"<b@example.com>\rA1 LOGOUT\r",
    "line-break-inside": b"<c\r\n d@example.com>",
    "line-feed-command": b"<d@example.com>\n\tA1 DELETE INBOX",
    "quotes": b'<"e"@example.com>',
    "quote-and-command": b'<e@example.com" A1 LOGOUT>',
    "backslash": b"<e\\@example.com>",
    "parentheses": b"<(f)@example.com>",
    "literal": b"<{5}@example.com>",
    "literal-at-the-end": b"<g@example.com{5}",
    "literal-line": b"{5}\r\n <g@example.com>",
    "wildcards": b"<*%@example.com>",
    "search-keys": b"<h@example.com> OR ALL DELETED",
    "nul": b"<i\x00@example.com>",
    "8-bit": "<ä@exämple.com>".encode(),
    "broken-utf-8": b"<\xff\xfe@example.com>",
    "encoded-word": b"=?utf-8?q?=3Cj=40example.com=3E=0D=0AA1_LOGOUT?=",
    "two": b"<k@example.com> <l@example.com>",
    "plain": b"<plain@example.com>",
}
COMMANDS = {"CAPABILITY", "LOGIN", "ID", "ENABLE", "LIST", "EXAMINE", "UID FETCH", "UID SEARCH", "FETCH", "NOOP", "LOGOUT", "APPEND", "STATUS", "NAMESPACE"}


def hostile(name: str, value: bytes | None, body: str, *, parent: bytes | None = None) -> bytes:
    lines = [b"From: Carla <carla@customer.example.com>", b"To: desk@example.org", b"Subject: %s %s" % (name.encode(), body.encode()), b"Date: Mon, 06 Oct 2025 10:00:00 +0000"]
    if value is not None:
        lines.append(b"Message-ID: " + value)
    if parent is not None:
        lines += [b"In-Reply-To: " + parent, b"References: " + parent]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body.encode() + b"\r\n"


@dataclasses.dataclass
class Office:
    """Two inboxes of one tenant and one of another, all behind one tap."""

    post: PostOffice
    tap: ImapTap
    rooms: list[MailRoom]
    boxes: list[PostBox]


@pytest_asyncio.fixture
async def office(
    module_database: ServerDatabase, s3_server: S3Server, tmp_path: Path
) -> AsyncIterator[Office]:
    database = Database(module_database.url, pool_size=5)
    blobs = BlobStore(s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region)
    parsers = ParserPool(workers=2, secret=SECRET)
    rooms: list[MailRoom] = []
    async with post_office(tmp_path) as post, tapped("127.0.0.1", post.port) as tap:
        boxes = post.boxes([f"desk-{n}@example.org" for n in range(3)])
        tenant = uuid.uuid4()
        try:
            for box, owner in zip(boxes, (tenant, tenant, uuid.uuid4()), strict=True):
                room = MailRoom(
                    database, blobs, parsers, port=tap.port, user=box.address, password=box.password, tenant_id=owner,
                    address=box.address, smtp_port=post.smtp.port,
                )  # fmt: skip
                rooms.append(await room.open())
                await room.connect()
            yield Office(post, tap, rooms, boxes)
        finally:
            for room in rooms:
                await room.close()
            parsers.close()
            blobs.close()
            await database.close()


def test_the_tap_reads_as_a_strict_server_would() -> None:
    stream = b'a1 LOGIN "x" {3}\r\na b\r\na2 UID SEARCH HEADER Message-ID {5+}\r\n<a@b>\r\na3 LOGOUT\r\n'
    assert [(c.name, c.literals) for c in read_commands(stream)] == [("LOGIN", (b"a b",)), ("UID SEARCH", (b"<a@b>",)), ("LOGOUT", ())]
    with pytest.raises(AssertionError, match="no command"):
        read_commands(b"a1 NOOP\r\nrubbish\r\n")
    assert [c.name for c in read_commands(b"a1 UID SEARCH <x>\r\nA1 LOGOUT\r\n")] == ["UID SEARCH", "LOGOUT"]


async def test_hostile_ids_are_kept_apart_and_never_become_commands(office: Office) -> None:
    for n, box in enumerate(office.boxes):
        for name, value in HOSTILE.items():
            box.put(hostile(name, value, f"first of {n}"))
            box.put(hostile(name, value, f"second of {n}"))  # the same id with another content
            box.put(hostile(f"answer-{name}", b"<r-%d-%d@example.com>" % (n, len(name) * 1000 + sum(name.encode())), f"answer of {n}", parent=value or b"<>"))
        box.put(hostile("everywhere", b"<everywhere@example.com>", "the very same mail"))
        box.put(hostile("everywhere", b"<everywhere@example.com>", "the very same mail"))  # a true copy
    for room in office.rooms:
        report = await room.sync()
        assert report.quarantined == 0
    for n, room in enumerate(office.rooms):
        await _kept(room, n)
    await _nothing_crosses(office)
    refs = [await _answer(room, f"first of {n}", name) for n, room in enumerate(office.rooms) for name in ("quotes", "literal", "parentheses", "folded-command")]
    await _send_and_look(office, refs)
    _only_our_commands(office)


async def _kept(room: MailRoom, n: int) -> None:
    """Every mail has a row; the second with the same readable id is flagged; the true copy alone is left out."""
    rows = await room.rows(
        "select subject, message_id_header, duplicate_of_id, conversation_id from messages where inbox_id = :i order by subject",
        i=room.inbox_id,
    )
    assert len(rows) == len(HOSTILE) * 3 + 1
    by_subject = {row["subject"]: row for row in rows}
    for name in HOSTILE:
        first, second = by_subject[f"{name} first of {n}"], by_subject[f"{name} second of {n}"]
        ids = {first["message_id_header"], second["message_id_header"]}
        for one in ids:
            assert one is None or one.endswith("@missing.invalid>") or valid_message_id(one), name
        reused = len(ids) == 1 and None not in ids
        assert [first["duplicate_of_id"], second["duplicate_of_id"]].count(True) == int(reused), name
    assert by_subject[f"plain first of {n}"]["message_id_header"] == "<plain@example.com>"
    assert sum(row["duplicate_of_id"] for row in rows) >= 5
    states = {r["state"]: r["n"] for r in await room.rows("select state, count(*) as n from ledger where inbox_id = :i group by 1", i=room.inbox_id)}
    assert states == {"ingested": len(HOSTILE) * 3 + 1, "skipped": 1}
    # Where the id could not be read, nothing may have been tied by it.
    lone = await room.rows(
        """
        select m.subject from messages m join messages o
          on o.tenant_id = m.tenant_id and o.conversation_id = m.conversation_id and o.id <> m.id
        where m.inbox_id = :i and m.subject ~ '^(missing|nothing|empty|only-at|10-kB|nul|quotes|backslash|8-bit|broken-utf-8) '
        """,
        i=room.inbox_id,
    )
    assert lone == []


async def _nothing_crosses(office: Office) -> None:
    for n, room in enumerate(office.rooms):
        strangers = await room.rows(
            """
            select m.subject from messages m join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
            where (m.inbox_id = :i) <> (c.inbox_id = :i)
            union all select subject from messages where inbox_id = :i and subject ~ ' of [0-9]$' and subject !~ :mine
            """,
            i=room.inbox_id,
            mine=f" of {n}$",
        )
        assert strangers == []
    first, second, other = office.rooms
    assert await first.rows("select 1 from messages where inbox_id = :i", i=other.inbox_id) == []
    for room in (first, second):
        assert len(await room.rows("select 1 from messages where inbox_id = :i and subject like 'everywhere%'", i=room.inbox_id)) == 1


async def _answer(room: MailRoom, body: str, name: str) -> tuple[MailRoom, MessageRef]:
    conversation = await room.one(
        "select conversation_id from messages where inbox_id = :i and subject = :s", i=room.inbox_id, s=f"{name} {body}"
    )
    async with room.database.unit_of_work(room.tenant_id) as connection:
        reply = NewReply(conversation, None, text="We are coming.")
        queued = await queue_reply(connection, tenant_id=room.tenant_id, reply=reply, now=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
    return room, MessageRef(str(room.tenant_id), str(queued.message_id))


async def _send_and_look(office: Office, refs: list[tuple[MailRoom, MessageRef]]) -> None:
    """Compose, submit, file in Sent and look there: the ids of customers go into our headers, and only ours into a search."""

    def sender(account: SmtpAccount) -> SmtpSender:
        return SmtpSender(dataclasses.replace(account, username=None, secret=None), LOCAL)

    office.post.smtp.users = {}
    run = ActivityEnvironment().run
    for room, ref in refs:
        await room.rows("update inboxes set settings = jsonb_set(settings, '{smtp}', (settings->'smtp') - 'auth' - 'username') where id = :i", i=room.inbox_id)
        await run(OutboundCompose(room.database, room.blobs, SECRET).compose, ref)
        assert (await run(OutboundDeliver(room.database, room.accounts, room.blobs, sender).deliver, ref)).outcome is DeliverOutcome.SENT
        assert (await run(OutboundFileCopy(room.database, room.accounts, room.pool, room.blobs).file_copy, ref)).filed
        assert (await run(OutboundVerify(room.database, room.accounts, room.pool).verify, ref)).outcome is VerifyOutcome.FOUND
    for taken in office.post.smtp.accepted:
        head = taken.raw.partition(b"\r\n\r\n")[0]
        assert not any(line.startswith(b"A1 ") for line in head.split(b"\r\n"))
        assert b"LOGOUT" not in head


def _only_our_commands(office: Office) -> None:
    said = office.tap.commands()
    assert {command.name for command in said} <= COMMANDS
    issued = {taken.message_id.encode() for taken in office.post.smtp.accepted}
    searches = [c for c in said if c.name == "UID SEARCH" and b"HEADER" in c.words]
    assert searches
    for search in searches:
        assert search.words.startswith(b"HEADER Message-ID ")
        assert search.literals
        assert set(search.literals) <= issued
    for command in said:
        if command.name not in {"APPEND", "LOGIN"}:
            assert b"example.com" not in command.words or command in searches, command
            assert b"LOGOUT" not in command.words
