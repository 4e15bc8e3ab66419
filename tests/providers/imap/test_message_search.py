"""Looking for a Message-ID safely, and moving without MOVE."""

import pytest

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
