"""How long one tenant's new mail waits while another's backlog is worked off: `python -m benchmarks.fairness [mails] [inboxes]`.

Starts a whole Mailroom and Dovecot, puts 50,000 mails (or as many as given) into inboxes of tenant A as if they had just
come, and writes to tenant B every few seconds until the backlog is read. Prints B's delays from delivery to the
conversation in the API.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.mailbox import mails
from tests.faults.post_boxes import PostBox, PostOffice, post_office
from tests.faults.rig import Rig, connect_inbox
from tests.journeys.driver import letter

EVERY = 2.5
PROMISE = 15.0  # seconds that another's backlog may add to a new mail


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from delivery to visibility. `seconds` is how long the backlog took; `alone` without any backlog."""

    mails: int
    seconds: float
    alone: float
    beside: tuple[float, ...]

    def __str__(self) -> str:
        return (
            f"{self.mails:,} mails of one tenant read in {self.seconds:.0f} s ({self.mails / self.seconds:.0f} mails/s); the other"
            f" tenant's new mail waited {self.alone:.1f} s before, and beside it {statistics.median(self.beside):.1f} s in the"
            f" middle, {max(self.beside):.1f} s at most ({len(self.beside)} mails)"
        )


async def measure(
    rig: Rig, post: PostOffice, *, count: int, inboxes: int, within: float = 3600, at_least: int = 4
) -> Delays:
    """Runs on a started rig. Raises AssertionError when a mail of B is not there within a minute.

    A backlog that is gone before `at_least` mails were written beside it gets the same number of mails once more.
    """
    tag = uuid.uuid4().hex[:6]
    boxes = post.boxes(
        [f"a{n}-{tag}@desk.example.com" for n in range(inboxes)] + [f"b-{tag}@other.example.com"]
    )
    crowd, lone = boxes[:-1], boxes[-1]
    async with rig.client(rig.key) as a, rig.client(rig.stranger_key) as b:
        await connect_inbox(b, address=lone.address, imap=lone.imap, smtp=post.submission)
        ids = [
            await connect_inbox(a, address=box.address, imap=box.imap, smtp=post.submission) for box in crowd
        ]
        alone = await delay(b, lone)
        await asyncio.to_thread(fill, crowd, count)
        began, put = time.monotonic(), count
        beside: list[float] = []
        while time.monotonic() - began < within:
            if not await waiting(a, ids, put // inboxes):
                if len(beside) >= at_least:
                    break
                await asyncio.to_thread(fill, crowd, count, seed=put)
                put += count
            beside.append(await delay(b, lone))
            await asyncio.sleep(min(EVERY, 0.1 * (time.monotonic() - began)))
        return Delays(put, time.monotonic() - began, alone, tuple(beside))


def fill(boxes: list[PostBox], count: int, *, seed: int = 7) -> None:
    """Into each box the same number of mails, in turn, so that all inboxes are busy at once."""
    for number, raw in enumerate(mails(count, seed=seed, to="desk@desk.example.com")):
        boxes[number % len(boxes)].put(raw)


async def delay(api: httpx.AsyncClient, box: PostBox) -> float:
    subject = f"Is anybody there? {uuid.uuid4().hex}"
    began = time.monotonic()
    await asyncio.to_thread(
        box.put, letter("carol@customers.example.com", box.address, subject, "Hello?").as_bytes()
    )
    while time.monotonic() - began < 60:
        page = (await api.get("/v1/conversations", params={"limit": 20})).json()
        if any(one["subject"] == subject for one in page["items"]):
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    raise AssertionError("a new mail was not there within a minute")


async def waiting(api: httpx.AsyncClient, inboxes: list[str], each: int) -> bool:
    """Whether mail of the backlog is still to be read."""
    for inbox in inboxes:
        ledger = (await api.get(f"/v1/inboxes/{inbox}/status")).json()["ledger"]
        if sum(ledger.get(state, 0) for state in ("ingested", "skipped", "quarantined")) < each:
            return True
    return False


async def main(count: int, inboxes: int) -> None:
    place = Path(tempfile.mkdtemp(prefix="mailroom-fairness-"))
    rig = Rig(place / "rig", hasty=False)
    try:
        async with post_office(place) as post:
            await rig.start_servers()
            await rig.start_programs()
            found = await measure(rig, post, count=count, inboxes=inboxes)
            print(found)
            if max(found.beside) > PROMISE:
                raise SystemExit(f"longer than the {PROMISE:.0f} s that are promised")
    finally:
        await rig.stop()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(given + [50_000, 30][len(given) :])))
