"""Lets workers fall at failpoint after failpoint while mail comes in and answers go out, until every one was hit.

A few workers run at once, each armed with its share of the places; one that has fallen is started again with what is left
of its share, so every death is survived by the work of the others. Work is fed that passes the places still to be hit.
"""

import asyncio
import datetime as dt
import itertools
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from contracts.failpoints import Failpoint
from stack.process import PartFailed
from tests.faults.people import Agents, beside, letter
from tests.faults.post_boxes import PostBox, PostOffice
from tests.faults.rig import Rig
from tests.servers.smtp_script import Close

AT_ONCE = 3
FEW = 8
HISTORY = 12
RESYNC_WITHIN = 120.0  # seconds; a worker that has just started is gone again before many an order reaches its workflow
AUTO = {"enabled": True, "subject": "We got your mail", "body": "We answer within a day."}
# What the database says as if the server had changed its UIDVALIDITY; the lease keeps a pass that runs just now out.
FORGET = (
    "update inboxes set lease_epoch = lease_epoch + 1 where id = :inbox",
    "update ledger set uidvalidity = uidvalidity + :by where folder_id = :folder",
    "update folders set uidvalidity = uidvalidity + :by where id = :folder",
)
AT_REST = text(
    """
    select f.id, f.inbox_id from folders f join inboxes i on i.id = f.inbox_id
    where f.role = 'inbox' and f.state = 'active' and f.backfill_state = 'done' and f.resets < 4 and f.last_uid > 0
      and i.health = 'ok'
    order by f.resets, f.id limit 1 for update of i
    """
)


@dataclass
class Gauntlet:
    """`inboxes` are the connected mailboxes by inbox id; the first one gets the letters and `agents` answer them."""

    rig: Rig
    post: PostOffice
    api: httpx.AsyncClient
    spare: list[PostBox]
    agents: Agents | None = None
    inboxes: dict[str, PostBox] = field(default_factory=dict)
    hit: set[Failpoint] = field(default_factory=set)

    async def open_inbox(self) -> str:
        """Connect the next mailbox, with some history in it; nobody waits until it is healthy."""
        box = self.spare.pop()
        old = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
        for number in range(HISTORY):
            box.put(letter(f"old-{number}@customers.example.com", box.address, f"Old {number}", "It was long ago."), received=old)
        made = await self.api.post(
            "/v1/inboxes",
            json={
                "name": box.address,
                "email_address": box.address,
                "imap": {"security": "plain", "auth": "password", **box.imap},
                "smtp": {"security": "plain", "auth": "password", **self.post.submission},
                "undo_send_seconds": 0,
            },
        )
        assert made.status_code == 201, made.text
        inbox = str(made.json()["id"])
        (await self.api.patch(f"/v1/inboxes/{inbox}", json={"auto_response": AUTO})).raise_for_status()
        self._run("update inboxes set max_syncs_per_hour = 3600 where id = :inbox", inbox=inbox)
        self.inboxes[inbox] = box
        return inbox

    async def run(self, points: Sequence[Failpoint], *, within: float) -> list[Failpoint]:
        """Until each point was hit; those that were not within `within` seconds are returned."""
        left = set(points)
        workers = [f"worker-{n}" for n in range(AT_ONCE)]
        starts: dict[str, asyncio.Task[None]] = {}
        ends = time.monotonic() + within
        feeding = asyncio.create_task(self._feed(left))
        try:
            while left and time.monotonic() < ends:
                for number, name in enumerate(workers):
                    if name not in starts or (starts[name].done() and self.rig.process_of(name) is None):
                        if name in starts:
                            left.discard(self._fell_at(name))
                        # Few are left: every worker falls at any of them, so that none passes by unarmed.
                        share = left if len(left) <= FEW else set(sorted(left)[number::AT_ONCE])
                        starts[name] = asyncio.create_task(self._start(name, share))
                assert not feeding.done(), feeding.result()
                await asyncio.sleep(0.05)
        finally:
            feeding.cancel()
            fed, *_ = await asyncio.gather(feeding, *starts.values(), return_exceptions=True)
        if isinstance(fed, Exception):  # the API refused an answer
            raise fed
        for name in workers:  # from here on nobody falls
            await self.rig.kill(name, noted=False)
        await self.rig.start_worker()
        return sorted(left)

    def _fell_at(self, name: str) -> Failpoint:
        """Where a worker that is gone has fallen, as its log tells; it ends in no other way."""
        reached = re.findall(r"failpoint ([a-z_.]+) reached", self.rig.log(name))
        armed = re.findall(r"this process falls at ([a-z_., ]+)", self.rig.log(name))
        assert reached, self.rig.log_tail(name)
        assert reached[-1] in armed[-1].split(", "), f"{name} ended by itself\n{self.rig.log_tail(name)}"
        point = next(one for one in Failpoint if one.value == reached[-1])
        self.hit.add(point)
        return point

    async def _start(self, name: str, share: set[Failpoint]) -> None:
        """A worker may fall before it says that it is ready: then it has done what it was started for."""
        armed = {"MAILROOM_FAILPOINT": ",".join(share)} if share else {}
        try:
            await self.rig.start_worker(name, MAILROOM_WORKER_PARSERS="1", **armed)
        except PartFailed:
            if self.rig.process_of(name) is not None:
                raise

    # -- work ------------------------------------------------------------------------------------------------------

    async def _feed(self, left: set[Failpoint]) -> None:
        """Letters and answers all the time; new inboxes, doubtful sends and changed UIDVALIDITYs while they are needed."""
        first = next(iter(self.inboxes))
        async with AsyncExitStack() as answers:  # who still waits for an answer's turn gives up with the feeding
            for number in itertools.count():
                open_points = {point.value.split(".")[0] for point in left}
                if open_points & {"verify", "settle"} and number % 2 == 0:
                    self.post.smtp.on("dot", Close(), times=1, stored=True)
                subject = f"Question {number} of the gauntlet."
                box = self.inboxes[first]
                box.put(letter(f"person-{number}@customers.example.com", box.address, subject, "Please."))
                if self.agents is not None and number % 3 == 0:
                    await answers.enter_async_context(beside(self.agents.answer(subject, f"gauntlet-{number:05d}-end")))
                if open_points & {"connect", "backfill"} and number % 4 == 0 and self.spare:
                    await self.open_inbox()
                if "reset" in open_points and number % 2 == 1:
                    self._forget_uids(number)
                if "snooze" in open_points:
                    await self._snooze_one()
                if open_points & {"audit", "gap"} and number % 3 == 2:
                    await self._pass_one_over(number)
                # Mail each second keeps a slow machine's sync at fetching: its watch would never get to listen.
                await asyncio.sleep(5.0 if open_points == {"at_once"} else 1.0)

    async def _snooze_one(self) -> None:
        """The oldest conversation sleeps for a second and is woken by a worker; two that sleep at once are no more than one."""
        found = await self.api.get("/v1/conversations", params={"limit": 1, "sort": "oldest"})
        for item in found.json()["items"]:
            until = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)).isoformat()
            (await self.api.patch(f"/v1/conversations/{item['id']}", json={"snoozed_until": until})).raise_for_status()

    async def _pass_one_over(self, number: int) -> None:
        """A cursor that stands one too high, so that a mail is missed; a whole resync draws up the balance and finds it."""
        engine = create_engine(self.rig.stack.database_admin_url, poolclass=NullPool)
        with engine.begin() as connection:
            row = connection.execute(AT_REST).first()
            if row is not None:
                connection.execute(text("update folders set last_uid = last_uid + 1 where id = :id"), {"id": row.id})
        engine.dispose()
        if row is not None:
            box = self.inboxes[str(row.inbox_id)]
            box.put(letter(f"missed-{number}@customers.example.com", box.address, f"Passed over, {number}", "Hello?"))
            await self.resync(str(row.inbox_id))

    async def resync(self, inbox: str) -> None:
        """Order a comparison of everything; a server that is busy or away is asked again, and so is a sync whose workers fall."""
        ends = time.monotonic() + RESYNC_WITHIN
        while True:
            answer = await self.api.post(f"/v1/inboxes/{inbox}/resync", json={"scope": "all"})
            if answer.status_code < 400:
                return
            assert answer.status_code != 500, answer.text
            assert time.monotonic() < ends, f"a resync is refused: {answer.status_code} {answer.text}"
            await asyncio.sleep(1)

    def _forget_uids(self, number: int) -> None:
        """Let one folder that is at rest meet another UIDVALIDITY than the one it knows, at the next mail."""
        engine = create_engine(self.rig.stack.database_admin_url, poolclass=NullPool)
        with engine.begin() as connection:
            row = connection.execute(AT_REST).first()
            for statement in FORGET if row is not None else ():
                connection.execute(text(statement), {"inbox": row.inbox_id, "folder": row.id, "by": 1000 + number})  # type: ignore[union-attr]
        engine.dispose()
        if row is not None:
            box = self.inboxes[str(row.inbox_id)]
            box.put(letter(f"reset-{number}@customers.example.com", box.address, f"After a change, {number}", "Hello."))

    def _run(self, statement: str, **bound: object) -> None:
        engine = create_engine(self.rig.stack.database_admin_url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(statement), bound)
        engine.dispose()
