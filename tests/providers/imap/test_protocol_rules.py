"""The IMAP rows of the protocol rules against servers that misbehave: one test per case, named after it."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from providers.egress import EgressPolicy
from providers.errors import (
    AuthFailed,
    AuthUnavailable,
    FolderGone,
    ProtocolBroken,
    ProviderError,
    Refused,
    Throttled,
    TlsFailed,
    Unreachable,
)
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from providers.imap.values import BrokenFetch, FlagCursor, Role
from providers.secret import Secret
from tests.providers.imap.scripted_imap import (
    CUT,
    READ_LINE,
    START_TLS,
    WAIT_DONE,
    Answer,
    ScriptedImap,
    selected,
)
from tests.servers.certificates import make_certificates

RAW = b"Subject: x\r\nMessage-ID: <one@example.com>\r\n\r\nbody\r\n"


@pytest.fixture
def source(scripted_account: ImapAccount, local_policy: EgressPolicy) -> ImapSource:
    return ImapSource(scripted_account, local_policy)


def mail(uid: int, raw: bytes = RAW, *, seq: int = 1, size: int | None = None) -> bytes:
    size = len(raw) if size is None else size
    return (
        b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "01-Feb-2024 03:04:05 +0100" RFC822.SIZE %d BODY[] {%d}\r\n'
        % (seq, uid, size, len(raw))
        + raw
        + b")\r\n"
    )


# -- UIDVALIDITY, UIDNEXT, n:* ------------------------------------------------------------------------------------


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


# -- LIST ---------------------------------------------------------------------------------------------------------


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


# -- FETCH (I-11) -------------------------------------------------------------------------------------------------


async def fetched(
    scripted_imap: ScriptedImap, source: ImapSource, uids: list[int]
) -> tuple[list[int], list[int], list[BrokenFetch]]:
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch(uids)
    assert source.account.username == "ann"
    return [one.uid for one in batch.mails], batch.vanished, batch.broken


async def test_fetch_peek_and_values(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("UID FETCH", [mail(5) + mail(6, seq=2) + b"TAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch([6, 5])
    assert [one.uid for one in batch.mails] == [5, 6]
    first = batch.mails[0]
    assert (first.raw, first.size, first.flags) == (RAW, len(RAW), frozenset({"\\Seen"}))
    assert first.internal_date == datetime(2024, 2, 1, 2, 4, 5, tzinfo=UTC)
    fetches = [line for line in scripted_imap.commands if line.startswith("UID FETCH")]
    assert fetches == ["UID FETCH 5:6 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"]


async def test_fetch_attributes_after_the_literal_and_unsolicited_flags_between(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    told = (
        b"* 1 FETCH (BODY[] {%d}\r\n" % len(RAW)
        + RAW
        + b' RFC822.SIZE %d FLAGS () UID 5 INTERNALDATE " 1-Feb-2024 03:04:05 +0000")\r\n' % len(RAW)
    )
    between = (
        b"* 2 FETCH (FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* 3 FETCH (UID 77 FLAGS (\\Deleted) MODSEQ (12))\r\n"
    )
    scripted_imap.on("UID FETCH", [between + told + between + b"TAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5]) == ([5], [], [])


async def test_fetch_without_flags_asks_once_more(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    body = b"* 1 FETCH (UID 5 BODY[] {%d}\r\n" % len(RAW) + RAW + b")\r\n"

    def answer(args: str, _n: int) -> Answer:
        return [
            (body if "BODY" in args else b"* 1 FETCH (UID 5 FLAGS (\\Answered))\r\n") + b"TAG OK done\r\n"
        ]

    scripted_imap.on("UID FETCH", answer)
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch([5])
    assert batch.mails[0].flags == frozenset({"\\Answered"})
    assert batch.mails[0].internal_date is None


async def test_fetch_without_uid_is_refetched_singly(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    nameless = b"* 1 FETCH (FLAGS () BODY[] {%d}\r\n" % len(RAW) + RAW + b")\r\n"
    scripted_imap.on("UID FETCH", lambda args, _n: [nameless + b"TAG OK done\r\n"])
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5 6\r\nTAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5, 6]) == ([5, 6], [], [])


async def test_fetch_with_wrong_uid_is_never_stored_under_the_asked_one(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("UID FETCH", [mail(99) + b"TAG OK done\r\n"])
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5\r\nTAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5]) == ([], [], [BrokenFetch(5, "not_returned")])


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (b"* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 90 BODY[] NIL)\r\n", "nil"),
        (b'* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 90 BODY[] "")\r\n', "empty"),
        (mail(5, b"", size=90), "empty"),
        (mail(5, b"half of it", size=1000), "short"),
    ],
)
async def test_nil_and_short_bodies_are_retried_once_then_broken(
    scripted_imap: ScriptedImap, source: ImapSource, told: bytes, reason: str
) -> None:
    """I-11; and the mail beside it is unharmed."""
    good = mail(6, seq=2)
    scripted_imap.on(
        "UID FETCH", lambda args, _n: [told + (good if "6" in args.split()[0] else b"") + b"TAG OK done\r\n"]
    )
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5\r\nTAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5, 6]) == ([6], [], [BrokenFetch(5, reason)])
    assert len([line for line in scripted_imap.commands if line.startswith("UID FETCH")]) == 2


async def test_short_body_that_is_whole_the_second_time(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on(
        "UID FETCH",
        lambda _args, n: [mail(5, RAW if n else b"half", size=1000 if not n else None) + b"TAG OK done\r\n"],
    )
    scripted_imap.on("UID SEARCH", [b"* SEARCH 5\r\nTAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5]) == ([5], [], [])


@pytest.mark.parametrize("raw", [RAW.replace(b"\r\n", b"\n"), RAW])
@pytest.mark.parametrize("size", [len(RAW), len(RAW.replace(b"\r\n", b"\n"))])
async def test_sizes_that_differ_by_line_ends_are_no_fault(
    scripted_imap: ScriptedImap, source: ImapSource, raw: bytes, size: int
) -> None:
    scripted_imap.on("UID FETCH", [mail(5, raw, size=size) + b"TAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5]) == ([5], [], [])


async def test_mail_expunged_meanwhile_is_vanished(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("UID FETCH", [mail(5) + b"TAG NO some messages could not be fetched\r\n"])
    scripted_imap.on("UID SEARCH", [b"* SEARCH\r\nTAG OK done\r\n"])
    assert await fetched(scripted_imap, source, [5, 6]) == ([5], [6], [])


async def test_response_of_unexpected_form_falls_back_to_the_full_parser(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    odd = mail(5).replace(b"UID 5", b"X-ODD (a (b c)) UID 5", 1)
    scripted_imap.on(
        "UID FETCH",
        lambda args, _n: [
            (odd if "5" in args.split()[0] else b"")
            + (mail(6, seq=2) if "6" in args.split()[0] else b"")
            + b"TAG OK done\r\n"
        ],
    )
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch([5, 6])
    assert [one.raw for one in batch.mails] == [RAW, RAW]
    assert batch.mails[0].flags == frozenset({"\\Seen"})
    assert batch.mails[0].internal_date == datetime(2024, 2, 1, 2, 4, 5, tzinfo=UTC)


async def test_literal_looking_text_inside_a_body(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    tricky = b"Subject: x\r\n\r\nA1 OK done\r\n* 4 FETCH (UID 6 BODY[] {3}\r\n)\r\n{99}\r\n"
    scripted_imap.on("UID FETCH", [mail(5, tricky) + b"TAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch([5])
    assert batch.mails[0].raw == tricky


async def test_connection_lost_inside_a_literal_is_no_short_mail(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("UID FETCH", [mail(5)[:-20], CUT])
    async with source:
        await source.examine("INBOX")
        with pytest.raises(Unreachable):
            await source.fetch([5])
        assert not source.healthy
        with pytest.raises(Unreachable):
            await source.uids()


async def test_bye_in_mid_session(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("UID FETCH", [mail(5) + b"* BYE too many connections\r\n", CUT])
    async with source:
        await source.examine("INBOX")
        with pytest.raises(Throttled):
            await source.fetch([5])
        assert not source.healthy


async def test_oversize_size_first_then_header_only(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    def answer(args: str, _n: int) -> Answer:
        if "HEADER" in args:
            return [b"* 1 FETCH (UID 5 BODY[HEADER]<0> {14}\r\nSubject: x\r\n\r\n)\r\nTAG OK done\r\n"]
        return [
            b'* 1 FETCH (UID 5 FLAGS () INTERNALDATE "31-Feb-2024 00:00:00 +0000" RFC822.SIZE 99000000)\r\nTAG OK done\r\n'
        ]

    scripted_imap.on("UID FETCH", answer)
    async with source:
        await source.examine("INBOX")
        meta = await source.sizes([5, 6])
        assert list(meta) == [5]
        assert (meta[5].size, meta[5].internal_date) == (99_000_000, None)
        assert await source.header_of(5) == b"Subject: x\r\n\r\n"
    assert not any("BODY.PEEK[]" in line for line in scripted_imap.commands)


async def test_lasting_ids_by_objectid_or_gmail(
    scripted_imap: ScriptedImap, source: ImapSource, local_policy: EgressPolicy
) -> None:
    scripted_imap.on("UID FETCH", lambda args, _n: [
        b"* 1 FETCH (UID 5 RFC822.SIZE 1 FLAGS () " + (b"EMAILID (M6d99ac3275bb4e)" if "EMAILID" in args else b"X-GM-MSGID 1278455344230334865") + b")\r\nTAG OK done\r\n"
    ])  # fmt: skip
    for extension, expected in (
        (b" OBJECTID", "M6d99ac3275bb4e"),
        (b" X-GM-EXT-1", "gm-1278455344230334865"),
    ):
        scripted_imap.capabilities = b"IMAP4rev1" + extension
        async with ImapSource(source.account, local_policy) as fresh:
            await fresh.examine("INBOX")
            assert (await fresh.sizes([5]))[5].email_id == expected


# -- flags --------------------------------------------------------------------------------------------------------


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


# -- IDLE ---------------------------------------------------------------------------------------------------------


async def idled(
    scripted_imap: ScriptedImap, source: ImapSource, answer: Answer, seconds: float = 5.0
) -> tuple[str, float]:
    scripted_imap.on("IDLE", answer)
    async with source:
        await source.examine("INBOX")
        started = time.monotonic()
        wake = await source.idle(seconds)
        return wake.reason, time.monotonic() - started


async def test_idle_line_in_fragments_is_news(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    answer: Answer = [
        b"+ idling\r\n",
        0.05,
        b"* 4",
        0.05,
        b" EXI",
        0.05,
        b"STS\r",
        0.05,
        b"\n",
        WAIT_DONE,
        b"TAG OK done\r\n",
    ]
    reason, took = await idled(scripted_imap, source, answer)
    assert (reason, took < 2) == ("new", True)
    assert source.account.timeout == 1.0


async def test_idle_news_in_the_same_packet_as_the_go_ahead(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    reason, took = await idled(
        scripted_imap, source, [b"+ idling\r\n* 4 EXISTS\r\n", WAIT_DONE, b"TAG OK done\r\n"]
    )
    assert (reason, took < 1) == ("new", True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* 2 EXPUNGE\r\n", "flags"),
        (b"* 2 FETCH (FLAGS (\\Seen))\r\n", "flags"),
        (b"* VANISHED 5\r\n", "flags"),
        (b"* XODD something\r\n", "new"),
    ],
)
async def test_idle_other_news(
    scripted_imap: ScriptedImap, source: ImapSource, line: bytes, expected: str
) -> None:
    reason, _took = await idled(
        scripted_imap, source, [b"+ idling\r\n", 0.05, line, WAIT_DONE, b"TAG OK done\r\n"]
    )
    assert reason == expected


async def test_idle_keep_alive_is_no_news(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    answer: Answer = [b"+ idling\r\n", 0.05, b"* OK Still here\r\n", WAIT_DONE, b"TAG OK done\r\n"]
    reason, took = await idled(scripted_imap, source, answer, 0.3)
    assert reason == "timeout"
    assert 0.25 < took < 2


@pytest.mark.parametrize("last", [[CUT], [b"* BYE idle for too long\r\n", CUT], [b"* garb", CUT]])
async def test_idle_ended_by_the_server(
    scripted_imap: ScriptedImap, source: ImapSource, last: Answer
) -> None:
    reason, took = await idled(scripted_imap, source, [b"+ idling\r\n", 0.05, *last])
    assert (reason, took < 2) == ("closed", True)
    assert not source.healthy


async def test_idle_stops_when_told_and_the_connection_lives_on(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("IDLE", [b"+ idling\r\n", WAIT_DONE, b"TAG OK done\r\n"])
    stop = asyncio.Event()
    async with source:
        await source.examine("INBOX")
        asyncio.get_running_loop().call_later(0.1, stop.set)
        assert (await source.idle(30, stop)).reason == "timeout"
        await source.check_alive()


async def test_idle_is_renewed(
    scripted_imap: ScriptedImap, source: ImapSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.imap.source.IDLE_RENEWAL", 0.1)
    reason, _took = await idled(scripted_imap, source, [b"+ idling\r\n", WAIT_DONE, b"TAG OK done\r\n"], 0.35)
    assert reason == "timeout"
    assert 3 <= scripted_imap.commands.count("IDLE") <= 4


async def test_idle_cancelled_ends_at_once(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.on("IDLE", [b"+ idling\r\n", WAIT_DONE, b"TAG OK done\r\n"])
    async with source:
        await source.examine("INBOX")
        waiting = asyncio.create_task(source.idle(60))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert time.monotonic() - started < 0.5
        assert not source.healthy


async def test_idle_not_offered(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    scripted_imap.capabilities = b"IMAP4rev1"
    async with source:
        await source.examine("INBOX")
        assert not source.can_idle
        with pytest.raises(Refused):
            await source.idle(1)


async def test_cancelled_command_frees_its_thread_at_once(
    scripted_imap: ScriptedImap, local_policy: EgressPolicy, scripted_account: ImapAccount
) -> None:
    scripted_imap.on("NOOP", [30.0])
    source = ImapSource(replace(scripted_account, timeout=30.0), local_policy)
    async with source:
        waiting = asyncio.create_task(source.check_alive())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(Unreachable):
            await source.check_alive()


# -- sign-in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"[AUTHENTICATIONFAILED] Invalid credentials", AuthFailed),
        (b"[AUTHORIZATIONFAILED] not yours", AuthFailed),
        (b"[EXPIRED] password expired", AuthFailed),
        (b"LOGIN failed.", AuthFailed),  # Microsoft, without a code
        (b"[ALERT] Application-specific password required: see ann@example.com", AuthFailed),
        (b"[UNAVAILABLE] Temporary authentication failure", AuthUnavailable),
        (b"[INUSE] mailbox locked", AuthUnavailable),
        (b"[OVERQUOTA] full", AuthUnavailable),
        (b"Temporary internal error", AuthUnavailable),
        (b"[LIMIT] slow down", Throttled),
        (b"[UNAVAILABLE] Maximum number of connections from user+IP exceeded", Throttled),
        (b"[ALERT] Too many simultaneous connections. (Failure)", Throttled),
    ],
)
async def test_auth_codes(
    scripted_imap: ScriptedImap, source: ImapSource, words: bytes, error: type[ProviderError]
) -> None:
    scripted_imap.on("LOGIN", [b"TAG NO " + words + b"\r\n"])
    with pytest.raises(ProviderError) as caught:
        await source.open()
    assert type(caught.value) is error
    assert "ann@" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        ([b"* BYE Too many connections, try again later\r\n", CUT], Throttled),
        ([b"* BYE going down\r\n", CUT], Unreachable),
        ([CUT], Unreachable),
        ([b"220 smtp.example.com ESMTP\r\n", CUT], ProviderError),
        ([5.0], Unreachable),
    ],
)
async def test_greetings(local_policy: EgressPolicy, greeting: Answer, error: type[ProviderError]) -> None:
    async with ScriptedImap(greeting) as server:
        account = ImapAccount(
            "127.0.0.1", server.port, "plain", "ann", Secret("x"), connect_timeout=0.4, timeout=0.4
        )
        with pytest.raises(error):
            await ImapSource(account, local_policy).open()


async def test_xoauth2_error_challenge_is_answered_with_an_empty_line(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    scripted_imap.on(
        "AUTHENTICATE XOAUTH2",
        [b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", READ_LINE, b"TAG NO AUTHENTICATE failed.\r\n"],
    )
    with pytest.raises(AuthFailed):
        await ImapSource(replace(scripted_account, auth="xoauth2"), local_policy).open()
    assert scripted_imap.commands[-1].startswith("AUTHENTICATE XOAUTH2 ")
    assert scripted_imap.continuations == [b""]


async def test_id_is_sent_after_sign_in(scripted_imap: ScriptedImap, source: ImapSource) -> None:
    async with source:
        pass
    words = [line.split(" ")[0] for line in scripted_imap.commands]
    assert words.index("LOGIN") < words.index("ID")


async def test_passwords_that_are_not_plain_ascii(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    scripted_imap.on("AUTHENTICATE PLAIN", [b"TAG OK done\r\n"])
    async with ImapSource(replace(scripted_account, secret=Secret("pässwört")), local_policy):
        pass
    async with ImapSource(replace(scripted_account, secret=Secret('a"b\\c d')), local_policy):
        pass
    assert 'LOGIN "ann" "a\\"b\\\\c d"' in scripted_imap.commands


@pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "a\0b"])
async def test_injection_is_refused_at_the_one_wrapper(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy, text: str
) -> None:
    """X-30"""
    with pytest.raises(AuthFailed) as caught:
        await ImapSource(replace(scripted_account, secret=Secret(text)), local_policy).open()
    assert text not in str(caught.value)
    async with ImapSource(scripted_account, local_policy) as source:
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            await source.examine(text)


async def test_no_starttls_no_sign_in(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy
) -> None:
    """X-23"""
    scripted_imap.on("STARTTLS", [b"TAG NO not here\r\n"])
    with pytest.raises(TlsFailed):
        await ImapSource(replace(scripted_account, security="starttls"), local_policy).open()
    assert not any(line.startswith(("LOGIN", "AUTH")) for line in scripted_imap.commands)


async def test_bytes_before_tls_are_dropped(
    scripted_imap: ScriptedImap, scripted_account: ImapAccount, local_policy: EgressPolicy, tmp_path: Path
) -> None:
    """X-23: what somebody on the path slips in behind the answer to STARTTLS is never read as said under TLS."""
    scripted_imap.certificates = make_certificates(tmp_path)
    scripted_imap.on("STARTTLS", [b"TAG OK go\r\n* BYE injected\r\n", START_TLS])
    account = replace(
        scripted_account,
        host="localhost",
        security="starttls",
        ca_file=str(scripted_imap.certificates.authority),
    )
    async with ImapSource(account, local_policy) as source:
        assert (await source.examine("INBOX")).exists == 3
    words = [line.split(" ")[0] for line in scripted_imap.commands]
    assert words[words.index("STARTTLS") : words.index("LOGIN") + 1] == ["STARTTLS", "CAPABILITY", "LOGIN"]


async def test_preauth_in_clear_text_is_refused(local_policy: EgressPolicy) -> None:
    """X-23: a PREAUTH greeting would skip STARTTLS."""
    async with ScriptedImap([b"* PREAUTH welcome\r\n"]) as server:
        account = ImapAccount("127.0.0.1", server.port, "starttls", "ann", Secret("x"))
        with pytest.raises(TlsFailed):
            await ImapSource(account, local_policy).open()


async def test_dovecot_command_errors_keep_the_connection(
    scripted_imap: ScriptedImap, source: ImapSource
) -> None:
    scripted_imap.on("APPEND", [b"TAG NO [OVERQUOTA] full\r\n"])
    async with source:
        with pytest.raises(Refused) as caught:
            await source.append("Sent", RAW)
        assert caught.value.reason == "over_quota"
        await source.check_alive()


# -- search by Message-ID -----------------------------------------------------------------------------------------


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
