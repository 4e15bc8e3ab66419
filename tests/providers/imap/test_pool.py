"""Reusing connections: bounded, exclusive, never a dead one, never with old credentials."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.errors import AuthFailed, Unreachable
from providers.executors import Lane
from providers.imap.account import ImapAccount
from providers.imap.connection import ImapConnection
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.secret import Secret
from tests.providers.imap.scripted_imap import CUT, ScriptedImap


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(loop_scope="session")
async def pool(local_policy: EgressPolicy, clock: Clock) -> AsyncIterator[ImapPool]:
    pool = ImapPool(local_policy, per_account=2, total=3, clock=clock)
    yield pool
    await pool.close()
    assert pool.open_connections == 0


async def test_connection_is_reused(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    for _ in range(5):
        async with pool.lease("a", scripted_account) as source:
            await source.examine("INBOX")
    assert scripted_imap.connections == 1
    assert "NOOP" not in scripted_imap.commands


async def test_checked_after_a_pause_and_replaced_when_dead(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount, clock: Clock
) -> None:
    async with pool.lease("a", scripted_account):
        pass
    clock.now += 60
    async with pool.lease("a", scripted_account):
        pass
    assert (scripted_imap.connections, scripted_imap.commands.count("NOOP")) == (1, 1)
    scripted_imap.on("NOOP", [CUT])
    clock.now += 60
    async with pool.lease("a", scripted_account) as source:
        await source.examine("INBOX")
    assert scripted_imap.connections == 2


async def test_new_credentials_open_a_new_connection(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    """Token expiry in a live session: a fresh token signs in anew, once."""
    async with pool.lease("a", scripted_account):
        pass
    fresh = replace(scripted_account, secret=Secret("rotated"))
    for _ in range(3):
        async with pool.lease("a", fresh):
            pass
    assert scripted_imap.connections == 2
    assert pool.open_connections == 1


async def test_failed_connection_is_not_reused(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    scripted_imap.on("UID SEARCH", [CUT])
    async with pool.lease("a", scripted_account) as source:
        await source.examine("INBOX")
        with pytest.raises(Unreachable):
            await source.uids()
    assert pool.open_connections == 0
    async with pool.lease("a", scripted_account) as source:
        await source.examine("INBOX")
    assert scripted_imap.connections == 2


async def test_connection_limits_per_account(pool: ImapPool, scripted_account: ImapAccount) -> None:
    release = asyncio.Event()
    held: list[ImapSource] = []

    async def hold() -> None:
        async with pool.lease("a", scripted_account) as source:
            held.append(source)
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0.01)
        if len(held) == 2:
            break
    await asyncio.sleep(0.05)
    assert len(held) == 2
    assert held[0] is not held[1]
    release.set()
    await asyncio.gather(*holders)
    assert len(held) == 3
    assert pool.open_connections == 2


async def test_waiting_connections_make_room_for_others(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    for key in "abcde":
        async with pool.lease(key, scripted_account):
            assert pool.open_connections <= 3
    assert scripted_imap.connections == 5


async def test_failed_sign_in_holds_no_place(
    pool: ImapPool, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    scripted_imap.on("LOGIN", [b"TAG NO [AUTHENTICATIONFAILED] no\r\n"])
    for _ in range(5):
        with pytest.raises(AuthFailed):
            async with pool.lease("a", scripted_account):
                pass
    assert pool.open_connections == 0


async def test_idle_connections_are_closed(
    local_policy: EgressPolicy, scripted_imap: ScriptedImap, scripted_account: ImapAccount
) -> None:
    pool = ImapPool(local_policy, idle_seconds=0.1)
    async with pool.lease("a", scripted_account):
        pass
    assert pool.open_connections == 1
    for _ in range(100):
        await asyncio.sleep(0.02)
        if pool.open_connections == 0:
            break
    assert pool.open_connections == 0
    await pool.close()
    assert scripted_imap.connections == 1
    with pytest.raises(RuntimeError, match="closed"):
        async with pool.lease("a", scripted_account):
            pass


async def test_leased_at_close_is_closed_on_return(
    local_policy: EgressPolicy, scripted_account: ImapAccount
) -> None:
    pool = ImapPool(local_policy)
    async with pool.lease("a", scripted_account):
        await pool.close()
    assert pool.open_connections == 0


async def test_closing_while_idle_connections_are_being_closed_forgets_none(
    local_policy: EgressPolicy, scripted_account: ImapAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is left to the garbage collector holds its place at the provider until then."""
    begun = asyncio.Event()
    loop, real = asyncio.get_running_loop(), ImapConnection.end

    def slow_end(self: ImapConnection) -> None:
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.2)
        real(self)

    monkeypatch.setattr(ImapConnection, "end", slow_end)
    pool = ImapPool(local_policy, idle_seconds=0.1)
    async with AsyncExitStack() as leases:
        sources = [await leases.enter_async_context(pool.lease("a", scripted_account)) for _ in range(3)]
        sockets = [source._connection.socket for source in sources]
    await begun.wait()
    await pool.close()
    await _closed(sockets)
    assert pool.open_connections == 0


async def test_a_cancelled_close_still_closes(local_policy: EgressPolicy, scripted_account: ImapAccount) -> None:
    lane = Lane("one", 1)
    source = ImapSource(scripted_account, local_policy, lane=lane)
    await source.open()
    sock = source._connection.socket
    busy = asyncio.ensure_future(lane.run(time.sleep, 0.2))
    closing = asyncio.create_task(source.close())
    await asyncio.sleep(0.05)  # it waits behind the busy thread
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await busy
    await _closed([sock])
    lane.close()


async def _closed(sockets: list[socket.socket]) -> None:
    ends = time.monotonic() + 5
    while any(sock.fileno() >= 0 for sock in sockets):
        assert time.monotonic() < ends, "a socket stays open"
        await asyncio.sleep(0.02)
