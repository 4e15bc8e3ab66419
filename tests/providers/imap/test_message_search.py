"""Looking for a Message-ID safely, and moving without MOVE."""

import pytest

from providers.errors import Refused
from providers.imap.source import ImapSource
from tests.providers.imap.scripted_imap import (
    ScriptedImap,
)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no-brackets@example.com",
        '<a"b@x>',
        "<a\\b@x>",
        "<a b@x>",
        "<a@x>\r\nA1 LOGOUT",
        "<" + "a" * 1000 + ">",
        "<é@x>",
        "<a@x> <b@x>",
    ],
)
async def test_message_id_malformed_is_never_searched_for(
    scripted_imap: ScriptedImap, source: ImapSource, value: str
) -> None:
    """X-30"""
    async with source:
        await source.examine("INBOX")
        with pytest.raises(ValueError, match="Message-ID"):
            await source.search_message_id(value)
    assert not any("SEARCH" in line for line in scripted_imap.commands)


async def test_message_id_hits_are_looked_at(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    """Some servers ignore HEADER and return everything: a hit that is none must not count as proof of sending."""
    scripted_imap.on("UID SEARCH", [b"* SEARCH 3 4\r\nTAG OK done\r\n"])
    wrong, right = b"Message-ID: <other@example.com>\r\n\r\n", b"Message-ID:\r\n <one@example.com>\r\n\r\n"
    field = b"BODY[HEADER.FIELDS (MESSAGE-ID)]"
    scripted_imap.on("UID FETCH", [
        b"* 1 FETCH (UID 3 %s {%d}\r\n%s)\r\n* 2 FETCH (UID 4 %s {%d}\r\n%s)\r\nTAG OK done\r\n"
        % (field, len(wrong), wrong, field, len(right), right)
    ])  # fmt: skip
    async with source:
        await source.examine("INBOX")
        assert await source.search_message_id("<one@example.com>") == [4]
        assert await source.search_message_id("<none@example.com>") == []


async def test_move_without_move_and_uidplus(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    for command in ("UID COPY", "UID STORE", "UID EXPUNGE"):
        scripted_imap.on(command, [b"TAG OK done\r\n"])
    async with source:
        with pytest.raises(RuntimeError, match="no folder"):
            await source.move([5], "Archive")
        await source.examine("INBOX")
        with pytest.raises(RuntimeError, match="reading only"):
            await source.move([5], "Archive")
        await source.select("INBOX")
        await source.move([5, 6], "Archive")
    assert [line for line in scripted_imap.commands if line.startswith("UID")] == [
        'UID COPY 5:6 "Archive"',
        "UID STORE 5:6 +FLAGS.SILENT (\\Deleted)",
        "UID EXPUNGE 5:6",
    ]


async def test_without_move_and_uidplus_nothing_is_begun(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("CAPABILITY", [b"* CAPABILITY IMAP4rev1 UNSELECT\r\nTAG OK done\r\n"])
    async with source:
        await source.select("INBOX")
        for work in (source.move([5], "Archive"), source.expunge([5])):
            with pytest.raises(Refused) as caught:
                await work
            assert caught.value.reason == "no_safe_move"
    assert [line for line in scripted_imap.commands if line.startswith("UID")] == []


@pytest.mark.parametrize(("answer", "moved"), [
    (b"* OK [COPYUID 7 5:6,9 1:3] done\r\n* 1 EXPUNGE\r\nTAG OK done\r\n", {5, 6, 9}),
    (b"TAG OK [COPYUID 7 6:5 1:2] done\r\n", {5, 6}),
    (b"TAG OK nothing was there\r\n", set()),
])  # fmt: skip
async def test_what_was_really_moved_is_told(scripted_imap: ScriptedImap, source: ImapSource, answer: bytes, moved: set[int]) -> None:
    scripted_imap.on("CAPABILITY", [b"* CAPABILITY IMAP4rev1 MOVE UIDPLUS\r\nTAG OK done\r\n"])
    scripted_imap.on("UID MOVE", [answer])
    async with source:
        await source.select("INBOX")
        assert await source.move([5, 6, 9], "Archive") == moved
