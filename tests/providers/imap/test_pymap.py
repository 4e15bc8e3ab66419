"""The whole IMAP side against a poor real server: no CONDSTORE, no SPECIAL-USE, bare line feeds."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from providers.egress import EgressPolicy
from providers.errors import AuthFailed
from providers.imap.account import ImapAccount
from providers.imap.sent_copy import file_sent_copy
from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor, Role
from providers.secret import Secret

Box = tuple[ImapAccount, Callable[[bytes], None]]


def raw_mail(number: int) -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <m{number}@example.com>\r\n\r\nhello\r\n".encode()


async def test_sync_by_polling(pymap_box: Box, local_policy: EgressPolicy) -> None:
    account, deliver = pymap_box
    for number in range(1, 31):
        deliver(raw_mail(number))
    async with ImapSource(account, local_policy) as source:
        assert Role.INBOX in {folder.role for folder in await source.folders()}
        state = await source.examine("INBOX")
        assert (state.exists, state.highest_modseq) == (30, None)
        uids = await source.uids()
        batch = await source.fetch(uids)
        assert batch.broken == []
        assert {one.raw.replace(b"\r\n", b"\n") for one in batch.mails} == {
            raw_mail(number).replace(b"\r\n", b"\n") for number in range(1, 31)
        }
        assert await source.uids(after=uids[-1]) == []
        assert len(await source.sizes(uids)) == 30
        await source.select("INBOX")
        await source.store_flags(uids[:2], add=["\\Flagged"])
        changes = await source.flag_changes(FlagCursor(None, uids[0], uids[-1]))
        assert changes.present == frozenset(uids)
        assert {uid for uid, flags in changes.flags.items() if "\\Flagged" in flags} == set(uids[:2])


async def test_idle_in_fragments(pymap_box: Box, local_policy: EgressPolicy) -> None:
    account, deliver = pymap_box
    async with ImapSource(account, local_policy) as source:
        await source.examine("INBOX")
        waiting = asyncio.create_task(source.idle(20))
        await asyncio.sleep(0.2)
        deliver(raw_mail(1))
        assert (await waiting).reason == "new"
        assert len(await source.uids()) == 1


async def test_append_search_and_sent_copy(pymap_box: Box, local_policy: EgressPolicy) -> None:
    account, _deliver = pymap_box
    async with ImapSource(account, local_policy) as source:
        when = datetime(2024, 1, 2, tzinfo=UTC)
        first = await file_sent_copy(source, "INBOX", raw_mail(1), "<m1@example.com>", when)
        assert first.uid is not None
        again = await file_sent_copy(source, "INBOX", raw_mail(1), "<m1@example.com>", when)
        assert (again.uid, again.already) == (first.uid, True)


async def test_wrong_password(pymap_box: Box, local_policy: EgressPolicy) -> None:
    account, _deliver = pymap_box
    wrong = ImapAccount(account.host, account.port, "plain", account.username, Secret("wrong"))
    with pytest.raises(AuthFailed):
        await ImapSource(wrong, local_policy).open()
