"""Whole mails from servers that misbehave (I-11): one test per protocol rule."""

from datetime import UTC, datetime

import pytest

from providers.egress import EgressPolicy
from providers.errors import (
    Throttled,
    Unreachable,
)
from providers.imap.source import ImapSource
from providers.imap.values import BrokenFetch
from tests.providers.imap.scripted_imap import (
    CUT,
    RAW,
    Answer,
    ScriptedImap,
    mail,
)


async def fetched(
    scripted_imap: ScriptedImap, source: ImapSource, uids: list[int]
) -> tuple[list[int], list[int], list[BrokenFetch]]:
    async with source:
        await source.examine("INBOX")
        batch = await source.fetch(uids)
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
