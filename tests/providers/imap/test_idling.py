"""Waiting for news: fragments, keep-alives, servers that leave, prompt stops."""

import asyncio
import time
from dataclasses import replace

import pytest

from providers.egress import EgressPolicy
from providers.errors import (
    Refused,
    Unreachable,
)
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from tests.providers.imap.scripted_imap import (
    CUT,
    WAIT_DONE,
    Answer,
    ScriptedImap,
)


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
