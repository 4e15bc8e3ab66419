"""`mailroom up` and `mailroom demo`: the embedded servers, then migrations, worker and API, until Ctrl-C or a crash.

What dies half-way is stopped again and named; starting again over the same data finds everything as it was.
"""

import asyncio
import contextlib
import datetime as dt
import json
import sys
import webbrowser
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.panel import Panel
from temporalio.client import Client

from commands.first_people import add_user, ensure_first_people, fresh_key, make_password
from commands.progress import JsonProgress, TableProgress
from commands.schema import prepare_temporal, upgrade
from stack.demo_customers import DemoCustomers
from stack.demo_letters import SHOP, history
from stack.demo_mail import DemoMail
from stack.embedded import EmbeddedStack
from stack.layout import DataDirectoryBusy, DataDirectoryUnusable
from stack.part import StackEvent
from stack.ports import HOST, PortTaken
from stack.private_file import UnreadableFile, write_private_json
from stack.probes import http_ready
from stack.process import PartFailed
from stack.python_part import PythonPart
from stack.secrets import SecretsLost
from stack.stop_signals import stop_requested
from store.unit_of_work import Database

T = TypeVar("T")
EXPECTED = (PartFailed, DataDirectoryBusy, DataDirectoryUnusable, SecretsLost, UnreadableFile, PortTaken)
API_PORT = 8025
CONNECT_WITHIN = 30.0
TENANTS = {True: ("Larkspur Cycles", "larkspur"), False: ("Mailroom", "mailroom")}
OWNERS = {True: ("robin@mailroom.example.com", "Robin Hale"), False: ("owner@mailroom.localhost", "Owner")}
COLLEAGUE = ("sam@mailroom.example.com", "Sam Okafor")


@dataclass(frozen=True, slots=True)
class RunOptions:
    data: Path
    demo: bool
    json: bool = False
    open_browser: bool = False
    owner_email: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    email: str
    password: str


async def run(options: RunOptions) -> int:
    """Exit code 0 after Ctrl-C, 1 when something failed; the reason is on standard error."""
    console = Console(stderr=False)
    progress: TableProgress | JsonProgress = JsonProgress() if options.json else TableProgress(console)
    stack = EmbeddedStack(options.data, with_demo_mail=options.demo, progress=progress)
    with stop_requested() as requested:
        asked = asyncio.create_task(requested.wait())
        try:
            ready = await _until(asked, _start(stack, options, progress, progress))
            if ready is None:
                return 0
            _announce(console, options, ready)
            crash = await _until(asked, _serve(stack, options, ready))
            if crash is None:
                return 0
            sys.stderr.write(f"{crash}\n")
            return 1  # noqa: TRY300  # the end of the good path reads best in order
        except EXPECTED as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            asked.cancel()
            if not options.json:
                console.print("[dim]Stopping …[/]")
            await stack.stop()


@dataclass(frozen=True, slots=True)
class Ready:
    """What a started stack offers: for the announcement and for stack.json."""

    web_url: str
    sign_in: SignIn
    api_key: str
    temporal_ui_url: str
    customers: DemoCustomers | None


async def _start(
    stack: EmbeddedStack,
    options: RunOptions,
    shown: AbstractContextManager[Any],
    progress: Callable[[StackEvent], None],
) -> Ready:
    with shown:
        await stack.start()
        sign_in = _sign_in(stack, options)
        name, slug = TENANTS[options.demo]
        _, owner_name = OWNERS[options.demo]

        async def schema() -> str:
            await asyncio.to_thread(upgrade, stack.database_admin_url)
            database = Database(stack.database_url, pool_size=2)
            try:
                people = await ensure_first_people(
                    database,
                    tenant=name,
                    slug=slug,
                    email=sign_in.email,
                    name=owner_name,
                    password=sign_in.password,
                )
                if options.demo:
                    email, person = COLLEAGUE
                    await add_user(
                        database,
                        people.tenant_id,
                        email=email,
                        name=person,
                        role="agent",
                        password=sign_in.password,
                    )
                return await fresh_key(database, people.tenant_id, name="stack.json")
            finally:
                await database.close()

        async def temporal() -> None:
            await prepare_temporal(await Client.connect(stack.temporal_address))

        key, _ = await asyncio.gather(
            _step(progress, "tables", schema), _step(progress, "workflows", temporal)
        )
        port = stack.port("api", preferred=API_PORT)
        web_url = f"http://{HOST}:{port}"
        metrics = stack.port("worker-metrics")
        env = stack.settings_env() | {
            "MAILROOM_API_HOST": HOST,
            "MAILROOM_API_PORT": str(port),
            "MAILROOM_PUBLIC_URL": web_url,
            "MAILROOM_WORKER_METRICS_PORT": str(metrics),
        }
        worker_ready = http_ready(f"http://{HOST}:{metrics}/metrics")
        await asyncio.gather(
            stack.start_part(PythonPart("worker", ("-m", "worker"), env, stack.layout, ready=worker_ready)),
            stack.start_part(
                PythonPart("api", ("-m", "api.app"), env, stack.layout, ready=f"{web_url}/readyz")
            ),
        )
        customers = None
        if stack.demo_mail is not None:
            mail = stack.demo_mail
            customers = DemoCustomers(mail)
            await _step(progress, "demo inbox", lambda: _demo_inbox(web_url, key, mail, customers))
    manifest: dict[str, object] = {
        "api_url": web_url,
        "web_url": web_url,
        "sign_in": {"email": sign_in.email, "password": sign_in.password},
        "api_key": key,
        "environment": env,
        "worker_metrics_url": f"http://{HOST}:{metrics}/metrics",
    }
    stack.write_manifest(manifest)
    return Ready(web_url, sign_in, key, stack.temporal_ui_url, customers)


async def _step(progress: Callable[[StackEvent], None], name: str, work: Callable[[], Awaitable[T]]) -> T:
    """Show one step that is not a server."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    progress(StackEvent(name, "starting", 0.0))
    try:
        result = await work()
    except Exception as error:
        progress(
            StackEvent(name, "failed", loop.time() - began, str(error).splitlines()[0] if str(error) else "")
        )
        raise PartFailed(name, f"{type(error).__name__}: {error}") from error
    progress(StackEvent(name, "ready", loop.time() - began))
    return result


def _sign_in(stack: EmbeddedStack, options: RunOptions) -> SignIn:
    """The owner's sign-in: made at the first start and kept beside the other secrets, so that it can be printed again."""
    place = stack.layout.root / "sign-in.json"
    if place.exists():
        kept = json.loads(place.read_text())
        return SignIn(kept["email"], kept["password"])
    email = options.owner_email or OWNERS[options.demo][0]
    made = SignIn(email, make_password())
    write_private_json(place, {"email": made.email, "password": made.password})
    return made


async def _demo_inbox(api_url: str, key: str, mail: DemoMail, customers: DemoCustomers) -> None:
    """Connect the shop's mailbox with a month of history, then let the customers write. Once: a restart finds it."""
    async with httpx.AsyncClient(
        base_url=api_url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
    ) as api:
        if (await api.get("/v1/inboxes")).json()["items"]:
            return
        now = asyncio.get_running_loop().time
        customers.deliver_history(list(history(dt.datetime.now(dt.UTC))))
        account = mail.accounts[SHOP]
        login = {"username": SHOP, "password": account.password, "auth": "password"}
        made = await api.post(
            "/v1/inboxes",
            json={
                "name": "Support",
                "email_address": SHOP,
                "display_name": "Larkspur Cycles",
                "imap": {"host": mail.host, "port": mail.imap_port, "security": "plain", **login},
                "smtp": {"host": mail.host, "port": mail.smtp_port, "security": "plain", **login},
                "backfill_days": 90,
                "undo_send_seconds": 5,
            },
        )
        made.raise_for_status()
        until = now() + CONNECT_WITHIN
        while now() < until:
            inbox = (await api.get(f"/v1/inboxes/{made.json()['id']}")).json()
            if inbox["health"] == "ok":
                break
            await asyncio.sleep(0.1)
        else:
            raise RuntimeError(f"the demo inbox did not connect: {inbox['last_error'] or inbox['health']}")
        await customers.write_arrivals()


async def _serve(stack: EmbeddedStack, options: RunOptions, ready: Ready) -> PartFailed:
    """Until a part crashes. In the demo the customers go on writing meanwhile."""
    if options.open_browser:
        await asyncio.to_thread(webbrowser.open, ready.web_url)
    writing = asyncio.create_task(ready.customers.write_on()) if ready.customers else None
    try:
        return await stack.wait_for_crash()
    finally:
        if writing is not None:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


async def _until(asked: asyncio.Task[bool], work: Awaitable[T]) -> T | None:
    """The result of `work`, or None when somebody asked to stop first; then `work` is cancelled and has ended."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


def _announce(console: Console, options: RunOptions, ready: Ready) -> None:
    if options.json:
        line = {"ready": True, "web_url": ready.web_url, "manifest": str(options.data / "stack.json")}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        return
    lines = [
        f"[bold]Web client[/]   {ready.web_url}",
        f"[bold]Sign in[/]      {ready.sign_in.email}  [bold]password[/] {ready.sign_in.password}",
        f"[bold]Temporal UI[/]  {ready.temporal_ui_url}",
    ]
    if options.demo:
        lines.append("[dim]A few customers write now and then, and answer when they are answered.[/]")
    else:
        lines.append("[dim]Connect a mailbox on the Inboxes page, or with: mailroom inbox add[/]")
    lines.append("[dim]Ctrl-C stops everything; nothing is lost.[/]")
    console.print(
        Panel("\n".join(lines), title="Mailroom is ready", border_style="green", expand=False, padding=(1, 2))
    )
