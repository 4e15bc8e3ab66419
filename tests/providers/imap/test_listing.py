"""Folders, their state and what is in them, on servers that misbehave: one test per protocol rule."""

import pytest

from providers.errors import (
    FolderGone,
    ProtocolBroken,
    Unreachable,
)
from providers.imap.source import ImapSource
from providers.imap.values import Role
from tests.providers.imap.scripted_imap import (
    ScriptedImap,
    selected,
)


async def test_uidnext_missing_or_wrong(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    async with source:
        for told, expected in ((None, None), (0, None), (2, None), (5_000_000_000, None), (100, 100)):
            scripted_imap.on("EXAMINE", selected(exists=3, uidnext=told))
            assert (await source.examine("INBOX")).uidnext == expected


async def test_uidvalidity_changes_are_seen_at_each_examine(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    async with source:
        assert (await source.examine("INBOX")).uidvalidity == 7
        scripted_imap.on("EXAMINE", selected(uidvalidity=3))
        assert (await source.examine("INBOX")).uidvalidity == 3


async def test_uidvalidity_missing_is_no_state(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("EXAMINE", [b"* 3 EXISTS\r\nTAG OK done\r\n"])
    async with source:
        with pytest.raises(ProtocolBroken):
            await source.examine("INBOX")


async def test_uidnotsticky_and_nomodseq(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("EXAMINE", selected(extra=b"* NO [UIDNOTSTICKY] sorry\r\n* OK [NOMODSEQ] none\r\n"))
    async with source:
        state = await source.examine("INBOX")
    assert not state.uids_sticky
    assert state.highest_modseq is None


async def test_n_star_always_returns_the_last_message(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("UID SEARCH", [b"* SEARCH 41\r\nTAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        assert await source.uids(after=41) == []
        assert await source.uids(after=40) == [41]
    assert "UID SEARCH UID 42:*" in scripted_imap.commands


async def test_search_without_an_answer_is_not_an_empty_mailbox(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("UID SEARCH", [b"TAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        with pytest.raises(ProtocolBroken):
            await source.uids()


async def test_search_line_of_many_megabytes(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    uids = range(1, 300_001)
    scripted_imap.on(
        "UID SEARCH", [b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\nTAG OK done\r\n"]
    )
    async with source:
        await source.examine("INBOX")
        assert await source.uids() == list(uids)


async def test_esearch_ranges(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.capabilities += b" ESEARCH"
    answers = {0: b'* ESEARCH (tag "TAG") UID ALL 9,1:3\r\n', 1: b'* ESEARCH (tag "TAG") UID\r\n'}
    scripted_imap.on("UID SEARCH", lambda _args, n: [answers[n] + b"TAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        assert await source.uids() == [1, 2, 3, 9]
        assert await source.uids() == []


# -- LIST --


async def test_list_empty_is_never_all_folders_deleted(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("LIST", [b"TAG OK done\r\n"])
    async with source:
        with pytest.raises(ProtocolBroken) as caught:
            await source.folders()
    assert caught.value.reason == "no_folders_listed"


async def test_special_use_in_any_case_then_localised_names(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on(
        "LIST",
        [
            (
                b'* LIST (\\HasNoChildren) "/" INBOX\r\n'
                b'* LIST (\\HasNoChildren \\sent) "/" "Verschickt"\r\n'
                b'* LIST (\\HasNoChildren) "/" "Gesendet"\r\n'
                b'* LIST () "/" "Entw&APw-rfe"\r\n'
                b'* LIST (\\Noselect) "/" "Papierkorb"\r\n'
                b'* LIST () "/" "Alt/Gel&APY-scht"\r\n'
                b'* LIST (\\NonExistent) "/" Weg\r\n'
                b'* LIST () "/" 2023\r\n'
                b'* LIST () "/" {9}\r\nSp"ecial\\\r\n'
                b"TAG OK done\r\n"
            )
        ],
    )
    async with source:
        folders = {folder.name: folder for folder in await source.folders()}
    assert folders["INBOX"].role is Role.INBOX
    assert folders["Verschickt"].role is Role.SENT
    assert folders["Gesendet"].role is Role.OTHER  # the server named another
    assert folders["Entwürfe"].role is Role.DRAFTS
    assert folders["Entwürfe"].path == "Entw&APw-rfe"
    assert not folders["Papierkorb"].selectable
    assert folders["Alt/Gelöscht"].role is Role.TRASH  # Papierkorb cannot be opened
    assert not folders["Weg"].selectable
    assert folders["2023"].path == "2023"
    assert folders['Sp"ecial\\'].path == 'Sp"ecial\\'


async def test_folder_gone_renamed_or_refused(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    async with source:
        for words in (
            b"[NONEXISTENT] gone",
            b"Mailbox does not exist",
            b"[NOPERM] no",
            b"[TRYCREATE] make it",
        ):
            scripted_imap.on("EXAMINE", [b"TAG NO " + words + b"\r\n"])
            with pytest.raises(FolderGone):
                await source.examine("Old")
        scripted_imap.on("EXAMINE", [b"TAG NO [UNAVAILABLE] index locked\r\n"])
        with pytest.raises(Unreachable):
            await source.examine("Old")


async def test_names_go_back_as_they_came(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    async with source:
        await source.examine('A "quoted" \\ &APw- name')
        await source.examine("grün")
    assert 'EXAMINE "A \\"quoted\\" \\\\ &APw- name"' in scripted_imap.commands
    assert "EXAMINE grün" in scripted_imap.commands  # travelled as a literal
