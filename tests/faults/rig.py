"""A whole Mailroom whose parts are processes of their own, to be killed one by one and started again.

Servers, worker and API run as in the embedded stack; the mail servers belong to whoever opens the rig. Nothing supervises
the parts: a part that ends unasked is started again by `revive`, and remembered.
"""

import asyncio
import contextlib
import json
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from temporalio.client import Client

from commands.first_people import fresh_key, make_tenant
from commands.schema import prepare_temporal, upgrade
from stack.embedded import EmbeddedStack
from stack.ports import HOST
from stack.probes import http_ready
from stack.process import PartFailed, SupervisedProcess
from stack.python_part import PythonPart
from stack.seaweed import BUCKET, REGION
from store.unit_of_work import Database
from tests.faults.object_checks import Bucket, s3_bucket

KILLABLE = ("worker", "temporal", "postgres", "s3", "api")


async def until(what: str, probe: Callable[[], Awaitable[Any]], within: float, *, every: float = 0.2) -> Any:
    """The first truthy answer of `probe`; parts may be away meanwhile. Fails with `what` and the last answer."""
    ends = time.monotonic() + within
    answer: Any = None
    while time.monotonic() < ends:
        answer = await probe()
        if answer:
            return answer
        await asyncio.sleep(every)
    raise AssertionError(f"not within {within:.0f} s: {what} (last answer: {answer!r})")


class Rig:
    """`hasty` cuts waits to seconds (see `hasty_worker`). `durable=False` is for rigs that never kill PostgreSQL.

    `detours` replaces an address of the environment, so that a proxy may stand before a server:
    `{"MAILROOM_S3_ENDPOINT": "http://127.0.0.1:1234"}`.
    """

    def __init__(self, data: Path, *, hasty: bool, durable: bool = True, detours: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.hasty = hasty
        self.stack = EmbeddedStack(data, with_demo_mail=False, progress=lambda _: None, durable=durable)
        self.detours = dict(detours or {})
        self.parts: dict[str, Any] = {}
        self.kills: list[str] = []
        self.api_url = ""
        self.tenant_id = self.stranger_id = ""
        self.key = self.stranger_key = ""
        self._env: dict[str, str] = {}

    # -- start and stop --------------------------------------------------------------------------------------------

    async def start_servers(self) -> None:
        """PostgreSQL with its tables, Temporal, S3, two tenants. Worker and API come with `start_programs`."""
        await self.stack.start()
        self.parts = {"postgres": self.stack.postgres, "temporal": self.stack.temporal, "s3": self.stack.s3}
        await asyncio.to_thread(upgrade, self.stack.database_admin_url)
        await prepare_temporal(await self.temporal())
        database = Database(self.stack.database_url, pool_size=2)
        try:
            desk = await make_tenant(database, name="Larkspur Cycles", slug="larkspur")
            stranger = await make_tenant(database, name="Stranger", slug="stranger")
            self.key = await fresh_key(database, desk, name="rig")
            self.stranger_key = await fresh_key(database, stranger, name="rig")
        finally:
            await database.close()
        self.tenant_id, self.stranger_id = str(desk), str(stranger)
        port = self.stack.port("api")
        self.api_url = f"http://{HOST}:{port}"
        self._env = self.stack.settings_env() | {
            "MAILROOM_API_HOST": HOST,
            "MAILROOM_API_PORT": str(port),
            "MAILROOM_PUBLIC_URL": self.api_url,
            "MAILROOM_EGRESS_ALLOW": "127.0.0.0/8",
            "MAILROOM_POLL_SECONDS": "5",
            "MAILROOM_LOG_LEVEL": "INFO",
        }

    async def start_programs(self) -> None:
        await asyncio.gather(self.start_worker(), self.start_api())

    async def start_worker(self, name: str = "worker", **env: str) -> PythonPart:
        """A worker; under another `name` beside the first one. A port that somebody else took meanwhile is replaced."""
        try:
            return await self._start_worker(name, env)
        except PartFailed as failure:
            if "Address already in use" not in failure.log_tail:
                raise
            return await self._start_worker(name, env)

    async def _start_worker(self, name: str, env: Mapping[str, str]) -> PythonPart:
        metrics = self.stack.port(f"{name}-metrics")
        module = "tests.faults.hasty_worker" if self.hasty else "worker"
        ready = http_ready(f"http://{HOST}:{metrics}/metrics")
        given = {**self._env, **self.detours, "MAILROOM_WORKER_METRICS_PORT": str(metrics), **env}
        part = PythonPart(name, ("-m", module), given, self.stack.layout, ready=ready, stop_within=2.0)
        self.parts[name] = part
        await part.start()
        return part

    async def start_api(self, **env: str) -> PythonPart:
        given = {**self._env, **self.detours, **env}
        part = PythonPart("api", ("-m", "api.app"), given, self.stack.layout, ready=f"{self.api_url}/healthz", stop_within=5.0)
        self.parts["api"] = part
        await part.start()
        return part

    async def stop(self) -> None:
        for name, part in list(self.parts.items()):
            if isinstance(part, PythonPart):
                await self.kill(name, noted=False)
                await part.stop()
        await self.stack.stop()

    # -- kill and revive -------------------------------------------------------------------------------------------

    def process_of(self, name: str) -> psutil.Process | None:
        """The running process of a part, None when it is gone."""
        part = self.parts[name]
        supervised: SupervisedProcess = part._process
        pid = supervised.pid
        if pid is None or not supervised.running:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(pid)
        return None

    async def kill(self, name: str, *, noted: bool = True) -> bool:
        """SIGKILL to the part and everything it started, at once, as when the machine loses it."""
        process = self.process_of(name)
        if process is None:
            return False
        if noted:
            self.kills.append(name)
        doomed = [process]
        with contextlib.suppress(psutil.NoSuchProcess):
            doomed += process.children(recursive=True)
        for one in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, doomed[1:], 10)
        await until(f"{name} is gone", lambda: _true(self.process_of(name) is None), 10, every=0.02)
        return True

    async def revive(self, name: str) -> None:
        """Start a part again where it has ended. A worker or API that finds a server away is tried again."""
        for attempt in range(5):
            if self.process_of(name) is not None:
                return
            try:
                await self.parts[name].start()
            except PartFailed:
                if attempt == 4:
                    raise
                await asyncio.sleep(0.5)

    async def lose_temporal(self) -> None:
        """Temporal dies, and everything that it knew: the sweep has to find all open work in the rows."""
        await self.kill("temporal")
        for path in self.stack.layout.temporal.iterdir():
            path.unlink()
        await self.revive("temporal")

    def log(self, name: str) -> str:
        path = self.stack.layout.log(name)
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def log_tail(self, *names: str) -> str:
        return "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in names or ("worker", "api"))

    # -- drive -----------------------------------------------------------------------------------------------------

    async def temporal(self) -> Client:
        return await Client.connect(self.stack.temporal_address)

    def client(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.api_url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=35)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self.client(self.key) as api:
            yield api

    def bucket(self) -> Bucket:
        secrets = self.stack.settings_env()
        return s3_bucket(
            endpoint=self.stack.s3_endpoint,
            bucket=BUCKET,
            access_key=secrets["MAILROOM_S3_ACCESS_KEY"],
            secret_key=secrets["MAILROOM_S3_SECRET_KEY"],
            region=REGION,
        )

    async def open_workflows(self) -> frozenset[str]:
        """Ids of every workflow that is running, once Temporal's list has caught up."""
        client = await self.temporal()
        return frozenset([one.id async for one in client.list_workflows("ExecutionStatus='Running'")])


async def _true(value: bool) -> bool:
    return value


async def connect_inbox(
    api: httpx.AsyncClient, *, address: str, imap: Mapping[str, Any], smtp: Mapping[str, Any], within: float = 60, **more: Any
) -> str:
    """Make an inbox and wait until it is healthy; its id. `imap` and `smtp` are host, port, username, password."""
    plain = {"security": "plain", "auth": "password"}
    made = await api.post(
        "/v1/inboxes",
        json={
            "name": f"Inbox {uuid.uuid4().hex[:6]}",
            "email_address": address,
            "imap": {**plain, **imap},
            "smtp": {**plain, **smtp},
            "backfill_days": 90,
            "undo_send_seconds": 0,
            **more,
        },
    )
    assert made.status_code == 201, made.text
    inbox = str(made.json()["id"])

    async def healthy() -> bool:
        with contextlib.suppress(httpx.TransportError):
            answer = await api.get(f"/v1/inboxes/{inbox}")
            return answer.status_code == 200 and json.loads(answer.content)["health"] == "ok"
        return False

    await until("the inbox is connected", healthy, within)
    return inbox
