"""Kill parts of a real Mailroom at random while it reads a mailbox and sends answers, then count what is lost or doubled.

    python -m benchmarks.storm --kills 50 --mails 5000 --sends 100 --seed 1

SIGKILL goes to worker, Temporal, PostgreSQL, S3 and API, each a process of its own, each started again a moment later. At
the end the invariant checker compares rows, bucket, mailbox, the submission server's notes and the API. Exit code 1 when
anything is lost, doubled, stuck or leaked.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.mailbox import mails
from stack.process import PartFailed
from tests.faults.cursor_watch import CursorWatch
from tests.faults.invariants import Report, Witnesses, check
from tests.faults.people import Agents, Customers, all_of, beside
from tests.faults.post_boxes import PostBox, PostOffice, post_office
from tests.faults.post_office import markers
from tests.faults.quiet import wait_until_quiet
from tests.faults.rig import Rig, connect_inbox
from tests.servers.smtp_script import Slow

# The worker holds the most half-done work, so it dies most often.
WEIGHTS = {"worker": 4, "temporal": 2, "postgres": 2, "s3": 2, "api": 1}
ADDRESS = "support@bench.example.com"
AUTO = {"enabled": True, "subject": "We got your mail", "body": "We answer within a day."}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Storm:
    """What to do. `calm` are the least and the most seconds between two kills, `down` those before a part comes back.
    With `lose_temporal` Temporal dies once more when half of the kills are done, and its database with it.
    """

    kills: int = 50
    mails: int = 5000
    sends: int = 100
    seed: int = 1
    hasty: bool = False
    calm: tuple[float, float] = (1.0, 6.0)
    down: tuple[float, float] = (0.0, 2.0)
    settle_seconds: float = 900.0
    lose_temporal: bool = False


@dataclass(slots=True)
class Outcome:
    """`unasked`: parts that ended by themselves and were started again. `left`: what was still to be done at the end."""

    report: Report
    kills: Counter[str]
    sends: Counter[str]
    mails: Counter[str]
    seconds: float
    left: str
    unasked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    slowest_question: float = 0.0

    @property
    def holds(self) -> bool:
        return self.report.holds and not self.left and not self.wrong and self.slowest_question <= 300

    def __str__(self) -> str:
        lines = [
            f"{sum(self.kills.values())} kills in {self.seconds:.0f} s: {dict(self.kills)}",
            f"mails: {dict(self.mails)}; sends: {dict(self.sends)}; requests repeated by the client: {self.repeated}",
            f"a doubtful answer was put to a person after {self.slowest_question:.0f} s at most (promised: 300)",
            str(self.report),
        ]
        lines += [f"ended by itself: {name}" for name in self.unasked]
        lines += [f"went wrong: {sentence}" for sentence in self.wrong]
        if self.left:
            lines.append(f"never got quiet: {self.left}")
        return "\n".join(lines)


async def raise_storm(plan: Storm, directory: Path, tell: Tell) -> Outcome:
    """The whole run in an empty `directory`; everything is stopped at the end."""
    async with post_office(directory) as post:
        box = post.box(ADDRESS)
        _fill(box, plan, tell)
        post.smtp.on("dot", Slow(0.3))  # long enough for a kill to fall between the dot and its reply
        rig = Rig(directory / "data", hasty=plan.hasty)
        try:
            await rig.start_servers()
            await rig.start_programs()
            return await _blow(plan, rig, post, box, tell)
        finally:
            await rig.stop()


def _fill(box: PostBox, plan: Storm, tell: Tell) -> None:
    now = dt.datetime.now(dt.UTC)
    for number, raw in enumerate(mails(plan.mails, seed=plan.seed, to=box.address)):
        box.put(raw, received=now - dt.timedelta(days=2, minutes=plan.mails - number), seen=number % 3 > 0)
    tell(f"{plan.mails} mails lie in the mailbox")


async def _blow(plan: Storm, rig: Rig, post: PostOffice, box: PostBox, tell: Tell) -> Outcome:
    chance = random.Random(plan.seed)
    began = time.monotonic()
    async with rig.desk() as api, rig.client(rig.stranger_key) as stranger:
        inbox = await connect_inbox(api, address=box.address, imap=box.imap, smtp=post.submission)
        (await api.patch(f"/v1/inboxes/{inbox}", json={"auto_response": AUTO})).raise_for_status()
        _sync_often(rig, inbox)
        unasked: list[str] = []
        with CursorWatch(rig.stack.database_admin_url) as cursors:
            agents = Agents(api, inbox)
            over = asyncio.Event()
            async with beside(agents.look(), _say_progress(rig, tell)):
                writing = asyncio.create_task(
                    _write_and_answer(plan, chance, Customers(box), agents, over, tell)
                )
                async with beside(writing):
                    await _kill(plan, chance, rig, unasked, tell)
                    over.set()
                    wrong = await writing
                tell("the storm is over; waiting until nothing is left to do")
                left = await wait_until_quiet(rig, {inbox: box}, within=plan.settle_seconds)
            truth = await asyncio.to_thread(box.truth)
            witnesses = Witnesses(
                bucket=rig.bucket(),
                stranger_id=rig.stranger_id,
                mailboxes={inbox: truth},
                accepted=tuple(post.smtp.accepted),
                asked=agents.asked,
                open_workflows=await rig.open_workflows(),
                cursors=cursors,
                tenant_id=rig.tenant_id,
                api=api,
                stranger=stranger,
            )
            report = await check(rig.stack.database_admin_url, witnesses)
    return Outcome(
        report,
        Counter(rig.kills),
        _counted(rig, "select send_status, count(*) from messages where send_status is not null group by 1"),
        _counted(rig, "select state, count(*) from ledger group by 1"),
        time.monotonic() - began,
        left,
        unasked,
        wrong,
        agents.repeated,
        _slowest_question(rig),
    )


async def _kill(plan: Storm, chance: random.Random, rig: Rig, unasked: list[str], tell: Tell) -> None:
    """One part after another; whatever ended by itself meanwhile is started again and remembered."""
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    every_part_once = chance.sample(names, len(names))
    doomed = [*every_part_once, *chance.choices(names, weights, k=plan.kills)][: plan.kills]
    for number, name in enumerate(doomed, start=1):
        await asyncio.sleep(chance.uniform(*plan.calm))
        await _revive_all(rig, unasked, tell)
        await rig.kill(name)
        await asyncio.sleep(chance.uniform(*plan.down))
        await rig.revive(name)
        tell(f"kill {number} of {plan.kills}: {name}")
        if plan.lose_temporal and number == (plan.kills + 1) // 2:
            await rig.lose_temporal()
            tell("Temporal's database is gone")
    await _revive_all(rig, unasked, tell)


async def _revive_all(rig: Rig, unasked: list[str], tell: Tell) -> None:
    for name in WEIGHTS:
        if rig.process_of(name) is None:
            unasked.append(name)
            tell(f"{name} ended by itself; started again")
            await rig.revive(name)


async def _write_and_answer(
    plan: Storm, chance: random.Random, customers: Customers, agents: Agents, over: asyncio.Event, tell: Tell
) -> list[str]:
    """Letters over the length of the storm, each answered as soon as it is seen."""
    pause = plan.kills * (sum(plan.calm) + sum(plan.down)) / 2 / max(plan.sends, 1)
    work: list[asyncio.Task[Any]] = []
    for number, marker in enumerate(markers(plan.sends, seed=plan.seed)):
        subject = f"Storm question {plan.seed}-{number:04d}."
        # On this thread: Dovecot's mailboxes belong to another user, whom the whole process becomes for the moment.
        customers.write(f"person-{number}", subject)
        work.append(asyncio.create_task(agents.answer(subject, marker, within=plan.settle_seconds)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), chance.uniform(0, 2 * pause))
    return await all_of(work, tell)


def _sync_often(rig: Rig, inbox: str) -> None:
    """Failed looks count as looks; a storm needs more of them than a mail server should bear."""
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("update inboxes set max_syncs_per_hour = 3600 where id = :id"), {"id": inbox})
    engine.dispose()


def _counted(rig: Rig, statement: str) -> Counter[str]:
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    with engine.connect() as connection:
        found = {str(word): int(count) for word, count in connection.execute(text(statement))}
    engine.dispose()
    return Counter(found)


def _slowest_question(rig: Rig) -> float:
    """Seconds from the attempt whose fate is unknown to the question, at most (integrity P2)."""
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    with engine.connect() as connection:
        waited = connection.execute(
            text(
                """
                select max(extract(epoch from asked.at - tried.at)) from send_steps asked
                join send_steps tried on tried.tenant_id = asked.tenant_id and tried.message_id = asked.message_id
                  and tried.step = 'attempt' and tried.attempt = asked.attempt
                where asked.step = 'unknown'
                """
            )
        ).scalar()
    engine.dispose()
    return float(waited or 0)


async def _say_progress(rig: Rig, tell: Tell) -> None:
    """A line every ten seconds, as far as the database can be asked."""
    while True:
        await asyncio.sleep(10)
        try:
            mails = await asyncio.to_thread(_counted, rig, "select state, count(*) from ledger group by 1")
            sends = await asyncio.to_thread(
                _counted, rig, "select send_status, count(*) from messages where send_status is not null group by 1"
            )
        except Exception as error:  # it is being killed: that is the weather of a storm
            tell(f"the database is away ({type(error).__name__})")
        else:
            tell(f"mails {dict(mails)} sends {dict(sends)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--mails", type=int, default=5000)
    parser.add_argument("--sends", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lose-temporal", action="store_true", help="half-way Temporal loses its database, too")
    parser.add_argument("--hasty", action="store_true", help="cut the product's waits to seconds, as the test does")
    parser.add_argument("--keep", action="store_true", help="keep logs and data, and say where")
    given = parser.parse_args()
    plan = Storm(
        given.kills, given.mails, given.sends, given.seed, given.hasty, lose_temporal=given.lose_temporal
    )
    directory = Path(tempfile.mkdtemp(prefix="mailroom-storm-"))
    began = time.monotonic()

    def tell(sentence: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {sentence}", flush=True)

    try:
        outcome = asyncio.run(raise_storm(plan, directory, tell))
    except PartFailed as failure:
        sys.exit(str(failure))
    finally:
        if given.keep:
            print(f"data and logs: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    print(outcome)
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
