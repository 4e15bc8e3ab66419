"""The people of a storm: customers who write, and agents who answer each of them once, as stubbornly as a good client.

A client repeats a request that got no answer under the same Idempotency-Key and with the same body; it makes a new body
only after the server has refused the old one.
"""

import asyncio
import contextlib
import datetime as dt
import email.policy
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import httpx

from tests.faults.post_boxes import PostBox

GIVE_UP = 240.0


def letter(sender: str, to: str, subject: str, text: str) -> bytes:
    """A customer's plain mail."""
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = format_datetime(dt.datetime.now(dt.UTC))
    mail["Message-ID"] = f"<{uuid.uuid4().hex}@customers.example.com>"
    mail.set_content(text)
    return mail.as_bytes()


class Agents:
    """Answers letters through `api`. `asked` maps each answer's marker to the id that the API gave for it."""

    def __init__(self, api: httpx.AsyncClient, inbox: str) -> None:
        self._api = api
        self._inbox = inbox
        self._found: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, str | None] = {}
        self.repeated = 0  # requests that had to be made again

    async def answer(self, subject: str, marker: str, *, within: float = GIVE_UP) -> str:
        """Wait for the conversation about `subject` and answer it with `marker`; the message's id."""
        async with asyncio.timeout(within):
            conversation = await self._conversation(subject)
            key = uuid.uuid4().hex
            body = {"text": f"We look into it. {marker}", "seen_version": conversation["version"]}
            self.asked[marker] = None
            while True:
                answer = await self._post(f"/v1/conversations/{conversation['id']}/messages", body, key)
                if answer is not None and answer.status_code == 201:
                    self.asked[marker] = str(answer.json()["id"])
                    return str(answer.json()["id"])
                if answer is not None and answer.status_code == 409 and "current_version" in answer.json():
                    body = {**body, "seen_version": answer.json()["current_version"]}
                elif answer is not None and answer.status_code in {400, 401, 403, 404, 422}:
                    raise AssertionError(f"an answer was refused: {answer.status_code} {answer.text}")
                self.repeated += 1
                await asyncio.sleep(0.3)

    async def look(self) -> None:
        """Refresh what is known of the newest conversations; for ever, every second. Run it beside the answers."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                page = await self._api.get("/v1/conversations", params={"inbox": self._inbox, "sort": "newest", "limit": 200})
                if page.status_code == 200:
                    self._found |= {item["subject"]: item for item in page.json()["items"]}
            await asyncio.sleep(1)

    async def _conversation(self, subject: str) -> dict[str, Any]:
        while subject not in self._found:  # noqa: ASYNC110 - what `look` finds comes in pages
            await asyncio.sleep(0.2)
        return self._found[subject]

    async def _post(self, path: str, body: dict[str, Any], key: str) -> httpx.Response | None:
        try:
            return await self._api.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None


class Customers:
    """Write letters into the team's mailbox, behind everybody's back."""

    def __init__(self, box: PostBox) -> None:
        self._box = box

    def write(self, name: str, subject: str, *, text: str = "Please help.") -> None:
        self._box.put(letter(f"{name}@customers.example.com", self._box.address, subject, text), received=dt.datetime.now(dt.UTC))


@asynccontextmanager
async def beside(*work: Awaitable[Any]) -> AsyncIterator[None]:
    """Run `work` for as long as the block does; what it raised before the end is raised at the end."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one


async def all_of(work: list["asyncio.Task[Any]"], tell: Callable[[str], None]) -> list[str]:
    """Wait for every task; what went wrong, as sentences."""
    done = await asyncio.gather(*work, return_exceptions=True)
    wrong = [f"{type(one).__name__}: {one}" for one in done if isinstance(one, BaseException)]
    for sentence in wrong:
        tell(sentence)
    return wrong
