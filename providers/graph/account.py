"""One Microsoft 365 mailbox to talk to: token, at most four calls at a time, and the header for immutable ids on every one."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from providers.egress_http import EgressTransport
from providers.errors import ProtocolBroken, ProviderError, Throttled, TooLarge, Unreachable
from providers.graph.endpoint import GraphEndpoint, quoted
from providers.graph.faults import TokenRefused, fault_of
from providers.secret import Secret

AccessToken = Callable[[], Awaitable[Secret]]
TokenReport = Callable[[Secret], Awaitable[None]]

# Graph answers more than four calls at a time for a mailbox with 429 (MailboxConcurrency).
CONCURRENT = 4
CALL_SECONDS = 180.0
ANSWER_LIMIT = 32 * 1024 * 1024
IMMUTABLE_IDS = 'IdType="ImmutableId"'
BATCH_SIZE = 20
_TRIES = 3
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer below 300."""

    status: int
    content: bytes

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.content)
        except ValueError:
            raise ProtocolBroken from None
        if not isinstance(value, dict):
            raise ProtocolBroken
        return value


@dataclass(frozen=True, slots=True)
class Request:
    """A call. `target` is relative to the mailbox; with `/` before it, to the API; or a whole address that was checked."""

    method: str
    target: str
    json: object = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    prefer: str = ""
    limit: int = ANSWER_LIMIT


class GraphAccount:
    """`mailbox` is None for the person who signed in; else the address or id of a shared or delegated mailbox, or with
    application permission of any one. `access_token` gives a token that is good now and is asked before each call.

    After a 401 `refused` is told which token it was, and the token is asked for once more: another one is tried, the same one
    means `token_refused`. Belongs to one event
    loop. Close it when done.
    """

    def __init__(
        self,
        access_token: AccessToken,
        *,
        refused: TokenReport | None = None,
        mailbox: str | None = None,
        endpoint: GraphEndpoint | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access_token = access_token
        self._refused = refused
        self.endpoint = endpoint or GraphEndpoint()
        self.base = "me" if mailbox is None else f"users/{quoted(mailbox)}"
        self.mailbox = mailbox
        self.sleep = sleep
        self._seats = asyncio.Semaphore(CONCURRENT)
        self._quiet_until = 0.0
        self._client: httpx.AsyncClient | None = None

    async def read(self, request: Request) -> Reply:
        """Make a call that may be made twice, again after a passing fault. Raises ProviderError."""
        return await self._patiently(request, repeat=True)

    async def write(self, request: Request) -> Reply:
        """Make a call once, on a connection of its own, so that a lost answer is not the end of an old connection. Repeated only
        after 401 and 429, which prove that nothing was done. Raises ProviderError; Unreachable says nothing about the outcome.
        """
        return await self._patiently(request, repeat=False)

    async def batch(self, requests: Sequence[Request]) -> list[Reply | ProviderError]:
        """Reading calls in as few requests as possible; one answer or error for each, in their order. Items fail singly."""
        answers: list[Reply | ProviderError] = []
        for start in range(0, len(requests), BATCH_SIZE):
            answers += await self._batched(requests[start : start + BATCH_SIZE])
        return answers

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # --- one call ---------------------------------------------------------------------------------------------------

    async def _patiently(self, request: Request, *, repeat: bool) -> Reply:
        tries = 0
        while True:
            tries += 1
            try:
                async with self._seats:
                    await self._quiet()
                    return await self._with_token(request, fresh=not repeat)
            except Throttled as fault:
                wait = self._slow_down(fault, tries)
                if tries >= _TRIES or wait > _PATIENCE:
                    raise
            except Unreachable as fault:
                wait = fault.retry_after or 0.25 * 2**tries * (0.5 + random.random() / 2)  # noqa: S311  # jitter
                if not repeat or tries >= _TRIES or wait > _PATIENCE:
                    raise
                await self.sleep(wait)

    def _slow_down(self, fault: Throttled, tries: int) -> float:
        """All calls for this mailbox wait: going on at once would only make the refusal longer."""
        wait = fault.retry_after if fault.retry_after is not None else 2.0**tries
        self._quiet_until = max(self._quiet_until, time.monotonic() + wait)
        return wait

    async def _quiet(self) -> None:
        left = self._quiet_until - time.monotonic()
        if left > _PATIENCE:
            raise Throttled(retry_after=left)
        if left > 0:
            await self.sleep(left)

    async def _with_token(self, request: Request, *, fresh: bool) -> Reply:
        token = await self._access_token()
        try:
            return await self._once(request, token, fresh=fresh)
        except TokenRefused:
            if self._refused is not None:
                await self._refused(token)
            other = await self._access_token()
            if other == token:
                raise
            return await self._once(request, other, fresh=fresh)

    async def _once(self, request: Request, token: Secret, *, fresh: bool) -> Reply:
        headers = {
            **request.headers,
            "Authorization": f"Bearer {token.reveal()}",
            "Prefer": self._prefer(request),
        }
        content = request.content
        if request.json is not None:
            content = json.dumps(request.json).encode()
            headers["Content-Type"] = "application/json"
        if fresh:
            async with self._new_client() as client:
                return await self._sent(client, request, self._address(request.target), headers, content)
        if self._client is None:
            self._client = self._new_client()
        return await self._sent(self._client, request, self._address(request.target), headers, content)

    async def upload(self, url: str, chunk: bytes, content_range: str) -> Reply:
        """One part of an upload session, once. Its address is its permission: no token goes with it. Raises ProviderError."""
        headers = {
            "Content-Range": content_range,
            "Content-Type": "application/octet-stream",
            "Prefer": IMMUTABLE_IDS,
        }
        request = Request("PUT", self.endpoint.uploaded_to(url))
        async with self._seats, self._new_client() as client:
            return await self._sent(client, request, request.target, headers, chunk)

    def _prefer(self, request: Request) -> str:
        return f"{IMMUTABLE_IDS}, {request.prefer}" if request.prefer else IMMUTABLE_IDS

    def _address(self, target: str) -> str:
        if "://" in target:
            return self.endpoint.followed(target)
        if target.startswith("/"):
            return self.endpoint.root_url + target[1:]
        gap = "" if not target or target.startswith("?") else "/"
        return f"{self.endpoint.root_url}{self.base}{gap}{target}"

    def _new_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=EgressTransport(self.endpoint.policy, self.endpoint.tls),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(60.0, connect=15.0),
        )

    async def _sent(
        self,
        client: httpx.AsyncClient,
        request: Request,
        address: str,
        headers: dict[str, str],
        content: bytes | None,
    ) -> Reply:
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                client.stream(request.method, address, headers=headers, content=content) as answer,
            ):
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > request.limit:
                        raise TooLarge
        except TimeoutError:
            raise Unreachable("answer_timeout", "The server did not answer in time.") from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.DecodingError):
            raise ProtocolBroken from None
        except httpx.TransportError:
            raise Unreachable from None
        if answer.status_code >= 300:
            raise fault_of(answer.status_code, answer.headers, bytes(body))
        return Reply(answer.status_code, bytes(body))

    # --- batches ----------------------------------------------------------------------------------------------------

    async def _batched(self, requests: Sequence[Request]) -> list[Reply | ProviderError]:
        """Items that are told to wait are asked again, by themselves."""
        answers: dict[int, Reply | ProviderError] = {}
        for tries in range(1, _TRIES + 1):
            waiting = [
                at for at in range(len(requests)) if isinstance(answers.get(at, Throttled()), Throttled)
            ]
            if not waiting:
                break
            answers.update(await self._batch_once({at: requests[at] for at in waiting}))
            faults = [fault for fault in answers.values() if isinstance(fault, Throttled)]
            for fault in faults:
                self._slow_down(fault, tries)
        return [answers[at] for at in range(len(requests))]

    async def _batch_once(self, requests: dict[int, Request]) -> dict[int, Reply | ProviderError]:
        items = [
            {
                "id": str(at), "method": one.method, "url": "/" + self._address(one.target).removeprefix(self.endpoint.root_url),
                "headers": {"Prefer": self._prefer(one)},
            }
            for at, one in requests.items()
        ]  # fmt: skip
        reply = await self.read(Request("POST", "/$batch", json={"requests": items}))
        answers: dict[int, Reply | ProviderError] = {}
        try:
            for one in reply.json()["responses"]:
                content = json.dumps(one.get("body")).encode()
                status = int(one["status"])
                headers = httpx.Headers(
                    {name: str(value) for name, value in (one.get("headers") or {}).items()}
                )
                answers[int(one["id"])] = (
                    Reply(status, content) if status < 300 else fault_of(status, headers, content)
                )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ProtocolBroken from None
        if set(answers) != set(requests):
            raise ProtocolBroken("batch_incomplete")
        return answers
