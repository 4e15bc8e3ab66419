"""Flags and deletions with and without CONDSTORE and QRESYNC."""

from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor
from tests.providers.imap.scripted_imap import (
    ScriptedImap,
    selected,
)


async def test_condstore_modseq_is_from_before_the_fetch(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.capabilities += b" CONDSTORE"
    scripted_imap.on("EXAMINE", selected(extra=b"* OK [HIGHESTMODSEQ 50] ok\r\n"))
    scripted_imap.on("UID FETCH", [b"* 1 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (60))\r\nTAG OK done\r\n"])
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5 8\r\nTAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        changes = await source.flag_changes(FlagCursor(40, 1, 7))
    assert changes.highest_modseq == 50
    assert changes.flags == {5: frozenset({"\\Seen"})}
    assert (changes.vanished, changes.present) == (None, frozenset({5}))
    assert "UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 40)" in scripted_imap.commands
    assert 'EXAMINE "INBOX" (CONDSTORE)' in scripted_imap.commands


async def test_qresync_vanished(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.capabilities += b" ENABLE QRESYNC CONDSTORE"
    scripted_imap.on("ENABLE", [b"* ENABLED QRESYNC\r\nTAG OK done\r\n"])
    scripted_imap.on("EXAMINE", selected(extra=b"* OK [HIGHESTMODSEQ 50] ok\r\n"))
    scripted_imap.on(
        "UID FETCH",
        [b"* VANISHED (EARLIER) 2:3,6,900\r\n* 1 FETCH (UID 5 FLAGS () MODSEQ (45))\r\nTAG OK done\r\n"],
    )
    async with source:
        await source.examine("INBOX")
        changes = await source.flag_changes(FlagCursor(40, 1, 7))
    assert (changes.vanished, changes.present) == ([2, 3, 6], None)
    assert changes.flags == {5: frozenset()}
    assert "UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 40 VANISHED)" in scripted_imap.commands


async def test_without_condstore_all_flags_and_the_uid_list(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    """A FETCH answer that lacks FLAGS must not read as a deleted mail."""
    scripted_imap.on(
        "UID FETCH", [b"* 1 FETCH (UID 5 FLAGS (\\Seen $Label))\r\n* 2 FETCH (UID 6)\r\nTAG OK done\r\n"]
    )
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5 6\r\nTAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        changes = await source.flag_changes(FlagCursor(None, 1, 7))
    assert changes.flags == {5: frozenset({"\\Seen", "$Label"})}
    assert changes.present == frozenset({5, 6})


async def test_modseq_that_went_back_reads_everything(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.capabilities += b" CONDSTORE"
    scripted_imap.on("EXAMINE", selected(extra=b"* OK [HIGHESTMODSEQ 10] restored\r\n"))
    scripted_imap.on("UID FETCH", [b"* 1 FETCH (UID 5 FLAGS ())\r\nTAG OK done\r\n"])
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5\r\nTAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        changes = await source.flag_changes(FlagCursor(40, 1, 7))
    assert changes.highest_modseq == 10
    assert "UID FETCH 1:7 (UID FLAGS)" in scripted_imap.commands
