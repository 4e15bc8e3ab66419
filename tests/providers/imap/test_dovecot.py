"""The whole IMAP side against a rich real server: QRESYNC, ESEARCH, SPECIAL-USE, IDLE, TLS and STARTTLS."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from providers.egress import EgressPolicy
from providers.errors import AuthFailed, FolderGone, TlsFailed
from providers.imap.account import ImapAccount
from providers.imap.sent_copy import file_sent_copy, look_for_sent
from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor, Role
from providers.secret import Secret
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot

Box = tuple[ImapAccount, Dovecot, DovecotAccount]


def raw_mail(number: int, body: str = "hello") -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <m{number}@example.com>\r\n\r\n{body}\r\n".encode()


async def test_folders_and_roles(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, _server, _box = dovecot_box
    async with ImapSource(account, local_policy) as source:
        roles = {folder.role: folder.path for folder in await source.folders()}
        assert {Role.INBOX, Role.SENT, Role.JUNK, Role.TRASH, Role.DRAFTS, Role.ARCHIVE} <= roles.keys()
        assert roles[Role.SENT] == "Sent"
        with pytest.raises(FolderGone):
            await source.examine("Nowhere")
        assert (await source.examine("Sent")).exists == 0


async def test_fetch_in_bulk_is_exact_and_marks_nothing_as_seen(
    dovecot_box: Box, local_policy: EgressPolicy
) -> None:
    """I-10, I-11"""
    account, server, box = dovecot_box
    sent = {number: raw_mail(number, f"{number} " * (number * 20)) for number in range(1, 121)}
    for raw in sent.values():
        server.deliver(box, raw)
    async with ImapSource(account, local_policy) as source:
        state = await source.examine("INBOX")
        assert state.exists == 120
        uids = await source.uids()
        meta = await source.sizes(uids)
        batch = await source.fetch([*uids, 4000])
        assert batch.vanished == [4000]
        assert batch.broken == []
        assert {one.raw for one in batch.mails} == set(sent.values())
        assert all(meta[one.uid].size == one.size for one in batch.mails)
        assert all(one.internal_date is not None and one.internal_date.tzinfo is UTC for one in batch.mails)
        assert await source.uids(after=uids[-1]) == []
        again = await source.sizes(uids)
        assert not any("\\Seen" in one.flags for one in again.values())


async def test_flags_and_deletions_by_qresync(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, server, box = dovecot_box
    for number in range(1, 7):
        server.deliver(box, raw_mail(number))
    async with ImapSource(account, local_policy) as source, ImapSource(account, local_policy) as other:
        state = await source.examine("INBOX")
        assert state.highest_modseq is not None
        uids = await source.uids()
        await other.select("INBOX")
        await other.store_flags(uids[1:3], add=["\\Seen", "$Mine"])
        await other.store_flags(uids[1:2], remove=["$Mine"])
        await other.move(uids[4:], "Archive")
        await source.examine("INBOX")
        changes = await source.flag_changes(FlagCursor(state.highest_modseq, uids[0], uids[-1]))
        assert changes.vanished == uids[4:]
        assert changes.flags == {
            uids[1]: frozenset({"\\Seen"}),
            uids[2]: frozenset({"\\Seen", "$Mine"}),
        }
        assert changes.highest_modseq is not None
        quiet = await source.flag_changes(FlagCursor(changes.highest_modseq, uids[0], uids[-1]))
        assert (quiet.flags, quiet.vanished) == ({}, [])
        full = await source.flag_changes(FlagCursor(None, uids[0], uids[-1]))
        assert full.present == frozenset(uids[:4])
        assert set(full.flags) == set(uids[:4])
        assert (await other.examine("Archive")).exists == 2


async def test_idle_hears_new_mail(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, server, box = dovecot_box
    async with ImapSource(account, local_policy) as source:
        await source.examine("INBOX")
        waiting = asyncio.create_task(source.idle(20))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        server.deliver(box, raw_mail(1))
        assert (await waiting).reason == "new"
        assert time.monotonic() - started < 5
        assert len(await source.uids()) == 1
        assert (await source.idle(0.2)).reason == "timeout"


async def test_sent_copy_is_filed_at_most_once(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    """S-11"""
    account, _server, _box = dovecot_box
    when = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    async with ImapSource(account, local_policy) as source:
        assert not await look_for_sent(source, ["Nowhere", "Sent"], "<m1@example.com>")
        first = await file_sent_copy(source, "Sent", raw_mail(1), "<m1@example.com>", when)
        assert not first.already
        second = await file_sent_copy(source, "Sent", raw_mail(1), "<m1@example.com>", when)
        assert (second.already, second.uid) == (True, first.uid)
        assert await look_for_sent(source, ["Nowhere", "Sent"], "<m1@example.com>")
        assert not await look_for_sent(source, ["Sent"], "<m2@example.com>")
        assert (await source.examine("Sent")).exists == 1
        [filed] = (await source.fetch(await source.uids())).mails
        assert (filed.raw, filed.internal_date) == (raw_mail(1), when)
        assert "\\Seen" in filed.flags


async def test_uidvalidity_changed(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, server, box = dovecot_box
    server.deliver(box, raw_mail(1))
    async with ImapSource(account, local_policy) as source:
        before = await source.examine("INBOX")
    server.forget_uids(box)
    async with ImapSource(account, local_policy) as source:
        assert (await source.examine("INBOX")).uidvalidity != before.uidvalidity


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls(
    dovecot_box: Box, local_policy: EgressPolicy, security: Literal["tls", "starttls"]
) -> None:
    """X-23"""
    account, server, box = dovecot_box
    server.deliver(box, raw_mail(1, "x" * 200_000))
    port = server.tls_port if security == "tls" else server.port
    secure = replace(
        account, host="localhost", port=port, security=security, ca_file=str(server.certificates.authority)
    )
    async with ImapSource(secure, local_policy) as source:
        await source.examine("INBOX")
        batch = await source.fetch(await source.uids())
        assert batch.mails[0].raw == raw_mail(1, "x" * 200_000)
        waiting = asyncio.create_task(source.idle(20))
        await asyncio.sleep(0.3)
        server.deliver(box, raw_mail(2))
        assert (await waiting).reason == "new"
    with pytest.raises(TlsFailed) as caught:
        await ImapSource(replace(secure, ca_file=None), local_policy).open()
    assert caught.value.reason == "certificate_invalid"
    async with ImapSource(replace(secure, ca_file=None, verify_tls=False), local_policy):
        pass


async def test_tls_on_a_port_that_speaks_plain(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, _server, _box = dovecot_box
    with pytest.raises(TlsFailed) as caught:
        await ImapSource(replace(account, security="tls"), local_policy).open()
    assert caught.value.reason == "tls_handshake_failed"


async def test_wrong_password(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, _server, _box = dovecot_box
    with pytest.raises(AuthFailed):
        await ImapSource(replace(account, secret=Secret("wrong")), local_policy).open()


async def test_non_ascii_folder_names(dovecot_box: Box, local_policy: EgressPolicy) -> None:
    account, server, box = dovecot_box
    path = "Gel&APY-schte Elemente &- mehr"
    async with ImapSource(account, local_policy) as source:
        connection = source._require_connection()
        connection.dialogue.run("CREATE", b'"' + path.encode() + b'"')
        folders = {folder.name: folder.path for folder in await source.folders()}
        assert folders["Gelöschte Elemente & mehr"] == path
        assert await source.append(path, raw_mail(1)) is not None
        assert (await source.examine(path)).exists == 1
    assert server.host == "127.0.0.1"
    assert box.user == account.username
