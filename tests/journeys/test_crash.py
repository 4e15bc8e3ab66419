"""A worker that dies takes `mailroom up` down as a whole, with its name in the reason; started again, everything is there."""

import asyncio
import contextlib

import psutil

from tests.journeys.driver import Mailroom


async def test_up_stops_when_a_part_dies_and_starts_again(own_mailroom: Mailroom) -> None:
    mailroom = own_mailroom
    await mailroom.start()
    before = await mailroom.get("/v1/session")
    killed = 0
    for process in mailroom.processes("worker"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            killed += 1
    assert killed
    assert mailroom._process is not None
    assert await asyncio.to_thread(mailroom._process.wait, 60) == 1
    assert "worker: ended unexpectedly (killed by SIGKILL)" in mailroom.log_tail()
    await mailroom.start()
    assert (await mailroom.get("/v1/session"))["tenant"] == before["tenant"]
