"""What 100,000 running clocks of service levels cost, and how late one of them warns and breaches.

    python -m benchmarks.sla_clocks [--clocks 100000] [--json result.json]

Real PostgreSQL and Temporal, and a worker with the timer alone. The clocks are filled in by SQL, each with its conversation
and its mail; then probes come due among them, one by one and a thousand at one instant. Beside it stands the way not taken: a
sleeping workflow for each conversation, of which so many are started that the slope of the server's memory shows.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import shutil
import statistics
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
from rich.console import Console
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.sla_timer import SlaTiming
from contracts import ids, queues
from contracts.sla import SlaRef
from stack.database import ensure_roles
from stack.layout import Layout
from stack.ports import PortBook
from stack.postgres import Postgres
from stack.secrets import StackSecrets
from stack.temporal import Temporal
from store.unit_of_work import Database
from tests.servers.databases import PostgresServer, migrate
from workflows.sla_timer import SlaTimer

SLEEPERS = 1_000
AT_ONCE = 1_000
PROBES = 20
# One conversation with one mail and its clock for each number; `received` says when the mail came.
FILL = """
with n as (select generate_series(%(first)s::int, %(last)s::int) as n),
c as (
  insert into conversations (tenant_id, id, number, inbox_id, priority, sla_policy_id, sla_due_at, sla_warn_at, message_count)
  select %(tenant)s, uuidv7(), n, %(inbox)s, %(priority)s, %(policy)s, {received} + %(target)s * interval '1 second',
    {received} + %(target)s * %(warn)s * interval '1 second', 1 from n returning id, number, sla_due_at
), m as (
  insert into messages (tenant_id, inbox_id, conversation_id, direction, sender_type, classification, sent_at, received_at, created_at,
    message_id_header)
  select %(tenant)s, %(inbox)s, c.id, 'inbound', 'customer', 'message', r, r, r, '<' || c.id || '@customer.example.com>'
  from c, lateral (select c.sla_due_at - %(target)s * interval '1 second' as r) as t
)
insert into sla_clocks (tenant_id, conversation_id, target, policy_id, target_seconds, business, started_at, warn_at, due_at, next_at)
select %(tenant)s, c.id, 'first_response', %(policy)s, %(target)s, false, c.sla_due_at - %(target)s * interval '1 second',
  c.sla_due_at - %(target)s * (1 - %(warn)s) * interval '1 second', c.sla_due_at,
  c.sla_due_at - %(target)s * (1 - %(warn)s) * interval '1 second'
from c
"""


@workflow.defn(name="OneClock", sandboxed=False)
class OneClock:
    """The way not taken: a run for each conversation, asleep until its clock has something to do."""

    @workflow.run
    async def run(self, _ref: SlaRef) -> None:
        await workflow.sleep(timedelta(days=30))


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds after the instant at which a clock was to act."""

    count: int
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Result:
    clocks: int
    fill_seconds: float
    table_mb: float
    workflows: int
    server_mb_before: float
    server_mb_with_all_clocks: float
    events_while_nothing_is_due: int
    look_ms: float
    warned: Lateness
    breached: Lateness
    at_once: Lateness
    at_once_seconds: float
    events_in_all: int
    sleepers: int
    server_kb_for_each_sleeper: float
    server_mb_for_a_sleeper_each: float
    events_of_a_sleeper: int
    load_average: float


class Desk:
    """One tenant whose rows are written past the API."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.tenant, self.inbox = uuid.uuid4(), uuid.uuid4()
        self.numbers = 0
        run = self.connection.execute
        run("insert into tenants (id, name, slug) values (%s, 'Example Org', %s)", (self.tenant, self.tenant.hex))
        run(
            "insert into inboxes (tenant_id, id, name, email_address) values (%s, %s, 'Desk', 'desk@example.org')",
            (self.tenant, self.inbox),
        )
        self.slow = self._policy("Rest", 30 * 86_400, {}, 2)
        self.quick = self._policy("Urgent", 60, {"priority": ["urgent"]}, 1)

    def _policy(self, name: str, seconds: int, conditions: dict[str, Any], position: int) -> uuid.UUID:
        targets = {"first_response": {"minutes": seconds // 60, "time": "calendar"}}
        row = self.connection.execute(
            "insert into sla_policies (tenant_id, name, position, conditions, targets, warn_percent) values (%s, %s, %s, %s, %s, 50)"
            " returning id",
            (self.tenant, name, position, json.dumps(conditions), json.dumps(targets)),
        ).fetchone()
        assert row is not None
        return uuid.UUID(str(row[0]))

    def fill(self, count: int, received: str, *, quick: bool = False) -> tuple[int, int]:
        """So many conversations with a clock each. `received` is SQL; the numbers of the first and the last come back."""
        first, self.numbers = self.numbers + 1, self.numbers + count
        values = {
            "first": first, "last": self.numbers, "tenant": self.tenant, "inbox": self.inbox, "warn": 0.5,
            "priority": "urgent" if quick else "normal", "policy": self.quick if quick else self.slow,
            "target": 60 if quick else 30 * 86_400,
        }  # fmt: skip
        self.connection.execute(FILL.format(received=received), values)
        return first, self.numbers

    def lateness(self, of: tuple[int, int], what: str, instant: str) -> Lateness:
        rows = self.connection.execute(
            f"select extract(epoch from k.{what} - k.{instant}) from sla_clocks k join conversations c on c.id = k.conversation_id"
            f" where c.number between %s and %s and k.{what} is not null",
            of,
        ).fetchall()
        seconds = [float(r[0]) for r in rows]
        assert min(seconds) >= 0, "a clock acted early"
        return Lateness(len(seconds), round(statistics.median(seconds), 3), round(max(seconds), 3))

    def acted(self, of: tuple[int, int], what: str) -> int:
        row = self.connection.execute(
            f"select count(k.{what}) from sla_clocks k join conversations c on c.id = k.conversation_id where c.number between %s and %s",
            of,
        ).fetchone()
        assert row is not None
        return int(row[0])


async def acted(desk: Desk, of: tuple[int, int], what: str, *, within: float = 180) -> float:
    """Wait until all of these have; seconds that it took."""
    began = time.monotonic()
    while desk.acted(of, what) < of[1] - of[0] + 1:
        if time.monotonic() - began > within:
            raise SystemExit(f"after {within} s not all clocks have {what}")
        await asyncio.sleep(0.2)
    return time.monotonic() - began


def memory(port: int) -> float:
    """Megabytes of the process that listens there."""
    for found in psutil.net_connections("tcp"):
        if found.status == "LISTEN" and tuple(found.laddr)[1:] == (port,) and found.pid:
            return psutil.Process(found.pid).memory_info().rss / 1e6
    raise SystemExit("Temporal's process was not found")


async def settled(port: int) -> float:
    samples = []
    for _ in range(8):
        samples.append(memory(port))
        await asyncio.sleep(1)
    return statistics.median(samples)


async def measure(arguments: argparse.Namespace, console: Console) -> Result:
    base = Path(tempfile.mkdtemp(prefix="mailroom-sla-"))
    layout = Layout.at(base)
    layout.make()
    ports, secrets = PortBook(layout.ports), StackSecrets.make()
    postgres = Postgres(layout, ports.port("postgres"), secrets.database_admin_password)
    temporal = Temporal(layout, ports)
    try:
        await postgres.start()
        await ensure_roles(postgres.url("postgres"), secrets.database_app_password)
        server = PostgresServer(postgres.address, secrets.database_admin_password, secrets.database_app_password)
        rows = server.create()
        migrate(rows.admin_url)
        await temporal.start()
        return await _measure(arguments, console, rows.url, rows.admin_url, temporal)
    finally:
        await temporal.stop()
        await postgres.stop()
        shutil.rmtree(base, ignore_errors=True)


async def _measure(
    arguments: argparse.Namespace, console: Console, url: str, admin_url: str, temporal: Temporal
) -> Result:
    desk = Desk(admin_url.replace("postgresql+psycopg://", "postgresql://", 1))
    began = time.monotonic()
    for start in range(0, arguments.clocks, 10_000):
        # Due within the next thirty days, none within the next hours.
        spread = "(now() - interval '14 days' + random() * interval '13 days')"
        desk.fill(min(10_000, arguments.clocks - start), spread)
    desk.connection.execute("analyze")
    filled = time.monotonic() - began
    size = desk.connection.execute("select pg_total_relation_size('sla_clocks') / 1e6").fetchone()
    assert size is not None
    console.print(f"{arguments.clocks} clocks in {filled:.0f} s")
    database = Database(url, pool_size=5)
    client = await Client.connect(temporal.address)
    before = await settled(temporal.port)
    timing = SlaTiming(database)
    tenant = str(desk.tenant)
    try:
        async with Worker(
            client,
            task_queue=queues.FLOW,
            workflows=[SlaTimer, OneClock],
            activities=[timing.act, timing.recount],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            handle = await client.start_workflow(SlaTimer.run, SlaRef(tenant), id=ids.sla_timer(tenant), task_queue=queues.FLOW)
            await asyncio.sleep(3)
            asleep = (await handle.describe()).history_length
            with_all = await settled(temporal.port)
            looks = []
            for _ in range(20):
                start_of_look = time.monotonic()
                await timing.act(SlaRef(tenant))
                looks.append(time.monotonic() - start_of_look)
            # Probes warn one second after the other, from five seconds on, and breach thirty seconds later.
            probes = [desk.fill(1, f"now() - interval '{25 - n} seconds'", quick=True) for n in range(PROBES)]
            await handle.signal(SlaTimer.poke)
            of = (probes[0][0], probes[-1][1])
            await acted(desk, of, "breached_at")
            console.print("probes have acted")
            crowd = desk.fill(AT_ONCE, "date_trunc('second', now()) - interval '50 seconds'", quick=True)
            desk.connection.execute("update sla_clocks set warned_at = warn_at, next_at = due_at where warned_at is null and due_at < now() + interval '1 minute'")
            await handle.signal(SlaTimer.poke)
            took = await acted(desk, crowd, "breached_at")
            events = (await handle.describe()).history_length
            console.print("a thousand at once have acted")
            for name in ("warned", "breached"):
                console.print(name, desk.lateness(of, f"{name}_at", "warn_at" if name == "warned" else "due_at"))
            console.print("at once", desk.lateness(crowd, "breached_at", "due_at"), f"within {took:.1f} s")
            for first in range(0, SLEEPERS, 20):
                await asyncio.gather(*(_sleeper(client, n) for n in range(first, first + 20)))
            of_a_sleeper = await _asleep(client)
            with_sleepers = await settled(temporal.port)
            each = (with_sleepers - with_all) / SLEEPERS
            return Result(
                clocks=arguments.clocks,
                fill_seconds=round(filled, 1),
                table_mb=round(float(size[0]), 1),
                workflows=1,
                server_mb_before=round(before, 1),
                server_mb_with_all_clocks=round(with_all, 1),
                events_while_nothing_is_due=asleep,
                look_ms=round(1000 * statistics.median(looks), 1),
                warned=desk.lateness(of, "warned_at", "warn_at"),
                breached=desk.lateness(of, "breached_at", "due_at"),
                at_once=desk.lateness(crowd, "breached_at", "due_at"),
                at_once_seconds=round(took, 1),
                events_in_all=events,
                sleepers=SLEEPERS,
                server_kb_for_each_sleeper=round(1000 * each, 1),
                server_mb_for_a_sleeper_each=round(each * arguments.clocks),
                events_of_a_sleeper=of_a_sleeper,
                load_average=round(os.getloadavg()[0], 1),
            )
    finally:
        await database.close()


async def _sleeper(client: Client, number: int) -> None:
    await client.start_workflow(
        OneClock.run, SlaRef("bench"), id=f"clock/{number}", task_queue=queues.FLOW, rpc_timeout=timedelta(minutes=1)
    )


async def _asleep(client: Client) -> int:
    """Wait until the last ones sleep; the events of such a history."""
    events = 0
    for number in range(SLEEPERS - 20, SLEEPERS):
        handle = client.get_workflow_handle(f"clock/{number}")
        while (events := (await handle.describe()).history_length) < 5:  # noqa: ASYNC110 - a worker moves it
            await asyncio.sleep(1)
    return events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--clocks", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console = Console()
    result = asyncio.run(measure(arguments, console))
    for name, value in asdict(result).items():
        console.print(f"{name:32} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps({**asdict(result), "at": dt.datetime.now(dt.UTC).isoformat()}, indent=2))


if __name__ == "__main__":
    main()
