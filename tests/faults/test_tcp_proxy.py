"""The proxy does to a connection what its rules say, at the octet and in the direction that they name, and nothing else."""

import asyncio
import contextlib
import gc
import socket
import time
import warnings
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.tcp_proxy import Action, Corrupt, Delay, Direction, HangUp, Reset, Silence, TcpProxy

QUESTION = b"0123456789" * 10


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that gives back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    made = TcpProxy(server.sockets[0].getsockname()[1])
    made.start()
    yield made
    await asyncio.to_thread(made.stop)
    server.close()


async def ask(proxy: TcpProxy, *, within: float = 2.0) -> bytes:
    """Send the question and read to the end or until nothing comes any more. ConnectionError passes."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    heard = b""
    try:
        writer.write(QUESTION)
        async with asyncio.timeout(within):
            while len(heard) < len(QUESTION):
                data = await reader.read(1000)
                if not data:
                    return heard
                heard += data
    except TimeoutError:
        return heard + b"(silence)"
    finally:
        writer.close()
    return heard


async def test_without_a_rule_everything_passes(proxy: TcpProxy) -> None:
    assert await ask(proxy) == QUESTION
    assert (proxy.connections, proxy.struck) == (1, 0)


@pytest.mark.parametrize(("direction", "heard"), [("up", QUESTION[:30]), ("down", QUESTION[:30])])
async def test_an_answer_is_cut_at_the_octet(proxy: TcpProxy, direction: Direction, heard: bytes) -> None:
    proxy.on(HangUp(), direction=direction, after_bytes=30)
    assert heard.startswith(await ask(proxy)) if direction == "up" else await ask(proxy) == heard


@pytest.mark.parametrize("after_bytes", [0, 50])
async def test_a_reset_is_a_reset(proxy: TcpProxy, after_bytes: int) -> None:
    proxy.on(Reset(), direction="down", after_bytes=after_bytes)
    with pytest.raises(ConnectionResetError):
        await ask(proxy)


async def test_a_connection_can_be_ended_before_anything_is_said(proxy: TcpProxy) -> None:
    proxy.on(HangUp())
    assert await ask(proxy) == b""


@pytest.mark.parametrize(("direction", "after_bytes", "heard"), [("down", 40, QUESTION[:40]), ("up", 40, QUESTION[:40]), ("both", 0, b"")])
async def test_a_half_open_connection_stays_open_and_silent(
    proxy: TcpProxy, direction: Direction, after_bytes: int, heard: bytes
) -> None:
    proxy.on(Silence(), direction=direction, after_bytes=after_bytes)
    assert await ask(proxy, within=0.5) == heard + b"(silence)"


async def test_one_octet_is_flipped_and_the_rest_is_whole(proxy: TcpProxy) -> None:
    proxy.on(Corrupt(0x20), direction="down", after_bytes=7, times=1)
    heard = await ask(proxy)
    assert [n for n, (a, b) in enumerate(zip(QUESTION, heard, strict=True)) if a != b] == [7]
    assert heard[7] == QUESTION[7] ^ 0x20
    assert await ask(proxy) == QUESTION


async def test_a_delay_delays(proxy: TcpProxy) -> None:
    proxy.on(Delay(0.3), direction="down")
    began = time.monotonic()
    assert await ask(proxy) == QUESTION
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("action", [HangUp(), Reset(), Silence()])
async def test_only_the_nth_connection_is_struck_and_so_often(proxy: TcpProxy, action: Action) -> None:
    proxy.on(action, nth=2, times=1)
    assert await ask(proxy) == QUESTION
    try:
        assert await ask(proxy, within=0.3) in {b"", b"(silence)"}
    except ConnectionResetError:
        assert action == Reset()
    assert await ask(proxy) == QUESTION
    assert (proxy.connections, proxy.struck) == (3, 1)


async def test_a_rule_holds_for_open_connections_and_is_forgotten(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    proxy.on(HangUp(), direction="down", after_bytes=7)
    writer.write(b"there")
    assert await reader.read() == b"th"
    writer.close()
    proxy.behave()
    assert await ask(proxy) == QUESTION


async def test_everything_can_be_cut_at_once(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    await asyncio.to_thread(proxy.cut_all)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_server_that_is_away_ends_the_connection() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = TcpProxy(nobody.getsockname()[1])
        proxy.start()
        try:
            with pytest.raises(ConnectionResetError):
                await ask(proxy)
        finally:
            await asyncio.to_thread(proxy.stop)


async def test_connections_that_are_just_being_made_leave_no_socket_behind(proxy: TcpProxy) -> None:
    """A socket that is left open is found by the garbage collector, in the middle of whichever test runs then."""
    with contextlib.ExitStack() as clients:
        for _ in range(50):
            clients.enter_context(socket.create_connection((proxy.host, proxy.port)))
        proxy.stop()
    await asyncio.sleep(0.1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
    assert not told
