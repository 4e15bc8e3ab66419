"""The end of a server that has an event loop of its own: nothing of it stays open, whatever was under way.

A socket that is left open is found by the garbage collector in the middle of another test, which then fails.
"""

import asyncio
from collections.abc import Iterable


async def end_everything(servers: Iterable[asyncio.Server]) -> None:
    """Close `servers` and end all other tasks of this loop; then sever what has a socket: connections that are none yet (a TLS
    handshake under way), farewells that linger, and those whose own end was cancelled.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listening in server.sockets:
            loop.remove_reader(listening)
    # What was accepted a moment ago becomes a connection. Closed or cancelled before, its socket would belong to nobody.
    await _settle()
    for server in servers:
        server.close()
    under_way = asyncio.all_tasks() - {asyncio.current_task()}
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    for transport in list(vars(loop)["_transports"].values()):
        transport.abort()
    await _settle()


async def _settle() -> None:
    """asyncio does in the next turns of the loop what it is told now."""
    for _ in range(5):
        await asyncio.sleep(0)
