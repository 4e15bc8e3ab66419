"""Drives a running Mailroom from outside, as a script would: through stack.json, HTTP, the event stream and the mail servers."""

import asyncio
import contextlib
import email.policy
import email.utils
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import psutil
from httpx_sse import aconnect_sse

PROJECT = Path(__file__).resolve().parents[2]
READY_WITHIN = 90.0
WITHIN = 45.0


async def until(what: str, probe: Callable[[], Awaitable[Any]], within: float = WITHIN, *, every: float = 0.2) -> Any:
    """The first truthy answer of `probe`, asked `every` so many seconds. Fails with `what` and the last answer."""
    ends = time.monotonic() + within
    answer: Any = None
    while time.monotonic() < ends:
        answer = await probe()
        if answer:
            return answer
        await asyncio.sleep(every)
    raise AssertionError(f"not within {within:.0f} s: {what} (last answer: {answer!r})")


@dataclass
class Mailbox:
    """Where a mailbox can be reached, and how mail is put into it behind Mailroom's back."""

    address: str
    password: str
    imap_host: str
    imap_port: int
    maildir: Path
    put: Callable[..., None]  # (raw, *, folder=None, received=None, seen=False)

    def letters(self, folder: str | None = None) -> list[EmailMessage]:
        """Everything that lies in the mailbox, parsed by the standard library, oldest first."""
        base = self.maildir if folder is None else self.maildir / f".{folder}"
        found = []
        for name in ("new", "cur"):
            for path in (base / name).glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime_ns, path.read_bytes()))
        return [message_from_bytes(raw, policy=email.policy.default) for _, raw in sorted(found)]


@dataclass
class Heard:
    """Events of the stream since listening began, in order."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["type"] == kind]


class Mailroom:
    """A `mailroom up` in a process of its own over `data`. Start, drive, kill parts, stop, start again."""

    def __init__(self, data: Path, *, env: dict[str, str] | None = None) -> None:
        self.data = data
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._api: httpx.AsyncClient | None = None
        self._log: BinaryIO | None = None
        self.stack: dict[str, Any] = {}

    async def start(self) -> None:
        await self._let_go()
        environment = {
            **os.environ,
            "MAILROOM_EGRESS_ALLOW": "127.0.0.0/8",
            "MAILROOM_POLL_SECONDS": "5",
            "PYTHONPATH": str(PROJECT),
            **self._env,
        }
        self.data.mkdir(parents=True, exist_ok=True)
        self._log = (self.data / "up.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", "--data", str(self.data), "--json"],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )
        manifest = self.data / "stack.json"
        ends = time.monotonic() + READY_WITHIN
        while not self._is_ours(manifest):
            if self._process.poll() is not None or time.monotonic() > ends:
                raise AssertionError("mailroom did not start:\n" + self.log_tail())
            await asyncio.sleep(0.1)
        self.stack = json.loads(manifest.read_text())
        self._api = httpx.AsyncClient(
            base_url=self.stack["api_url"], headers={"Authorization": f"Bearer {self.stack['api_key']}"}, trust_env=False, timeout=40
        )

    def _is_ours(self, manifest: Path) -> bool:
        assert self._process is not None
        return manifest.exists() and json.loads(manifest.read_text()).get("pid") == self._process.pid

    def log_tail(self) -> str:
        return "\n".join(
            f"--- {p.name}\n{p.read_text('utf-8', 'replace')[-3000:]}"
            for p in [self.data / "up.log", *sorted((self.data / "logs").glob("*.log"))]
            if p.exists() and p.name in {"up.log", "worker.log", "api.log"}
        )

    async def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._process.wait, 90)
        await self._let_go()

    async def _let_go(self) -> None:
        """Close what belongs to a run that has ended."""
        if self._api is not None:
            await self._api.aclose()
            self._api = None
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def api(self) -> httpx.AsyncClient:
        assert self._api is not None, "not started"
        return self._api

    def processes(self, part: str) -> list[psutil.Process]:
        """Processes of a part, by the module or program that their command line names."""
        assert self._process is not None
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(part in word for word in process.cmdline()):
                    found.append(process)
        return found

    # -- the API ---------------------------------------------------------------------------------------------------

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.api.get(path, params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, path: str, body: Any = None, *, status: int | tuple[int, ...] = (200, 201, 202, 204), **headers: str) -> Any:
        answer = await self.api.post(path, json=body, headers=headers)
        wanted = (status,) if isinstance(status, int) else status
        assert answer.status_code in wanted, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = await self.get(path, **params, **({"after": after} if after else {}))
            found += page["items"]
            after = page.get("next")
            if not after:
                return found

    async def conversations(self, **params: Any) -> list[dict[str, Any]]:
        return await self.items("/v1/conversations", **params)

    async def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        return await self.items(f"/v1/conversations/{conversation_id}/messages")

    async def conversation_about(self, subject: str, inbox: dict[str, Any], within: float = WITHIN) -> dict[str, Any]:
        """The one among the newest conversations of the inbox whose subject holds `subject`, once it is there."""

        async def look() -> dict[str, Any] | None:
            page = await self.get("/v1/conversations", limit=100, inbox=inbox["id"], sort="newest")
            found = [c for c in page["items"] if subject in c["subject"]]
            assert len(found) < 2, f"{len(found)} conversations about {subject!r}"
            return found[0] if found else None

        return await until(f"a conversation about {subject!r}", look, within)  # type: ignore[no-any-return]

    async def connect_inbox(self, mailbox: Mailbox, smtp: tuple[str, int, str, str], **more: Any) -> dict[str, Any]:
        """Create the inbox and wait until it is healthy. `smtp` is host, port, user, password."""
        host, port, user, password = smtp
        made = await self.post("/v1/inboxes", {
            "name": f"Inbox {uuid.uuid4().hex[:6]}",
            "email_address": mailbox.address,
            "display_name": "Larkspur Cycles",
            "imap": {"host": mailbox.imap_host, "port": mailbox.imap_port, "security": "plain", "username": mailbox.address, "password": mailbox.password, "auth": "password"},
            "smtp": {"host": host, "port": port, "security": "plain", "username": user, "password": password, "auth": "password"},
            "backfill_days": 90,
            "undo_send_seconds": 0,
            **more,
        })

        async def healthy() -> dict[str, Any] | None:
            inbox: dict[str, Any] = await self.get(f"/v1/inboxes/{made['id']}")
            assert inbox["health"] in {"connecting", "ok"}, inbox
            return inbox if inbox["health"] == "ok" else None

        return await until("the inbox is connected", healthy)  # type: ignore[no-any-return]

    async def reply(self, conversation: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
        """Answer as an agent who has seen everything. Gives the queued message."""
        fresh = await self.get(f"/v1/conversations/{conversation['id']}")
        body = {"text": text, "seen_version": fresh["version"], **more}
        answer: dict[str, Any] = await self.post(
            f"/v1/conversations/{conversation['id']}/messages", body, status=201, **{"Idempotency-Key": uuid.uuid4().hex}
        )
        return answer

    async def sent(self, message_id: str, status: str = "sent", within: float = WITHIN) -> dict[str, Any]:
        """The message once its send status is `status`."""

        async def look() -> dict[str, Any] | None:
            message: dict[str, Any] = await self.get(f"/v1/messages/{message_id}")
            return message if message["send"]["status"] == status else None

        return await until(f"the message is {status}", look, within)  # type: ignore[no-any-return]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Heard]:
        """Hear the event stream while the block runs."""
        heard, ready = Heard(), asyncio.Event()

        async def listen() -> None:
            async with aconnect_sse(self.api, "GET", "/v1/events/stream", timeout=None) as source:
                async for event in source.aiter_sse():
                    if event.event == "ready":
                        ready.set()
                    else:
                        heard.events.append({"type": event.event, "id": event.id, **event.json()})

        task = asyncio.create_task(listen())
        try:
            await asyncio.wait_for(ready.wait(), 15)
            yield heard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def letter(sender: str, to: str, subject: str, text: str, *, message_id: str | None = None, answers: str | None = None, references: str | None = None, **headers: str) -> EmailMessage:
    """A customer's plain mail."""
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = email.utils.formatdate(localtime=False)
    mail["Message-ID"] = message_id or f"<{uuid.uuid4().hex}@customers.example.com>"
    if answers:
        mail["In-Reply-To"] = answers
        mail["References"] = references or answers
    for name, value in headers.items():
        mail[re.sub("_", "-", name)] = value
    mail.set_content(text)
    return mail
