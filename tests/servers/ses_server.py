"""An SES endpoint that fails on demand: real boto3 talks to it, it notes what it accepted, and says so or does not.

`moto` stands in for SES where SES works; what moto never does is to lose an answer.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.servers.ses_payloads import ses_id

Fault = Literal["reset_before_body", "reset_after_accept", "silent_after_accept", "half_answer", "no_id", "not_json"]


@dataclass(slots=True)
class TakenMail:
    id: str
    request: dict[str, Any]

    @property
    def raw(self) -> bytes:
        return base64.b64decode(self.request["Content"]["Raw"]["Data"])


@dataclass(slots=True)
class SesEndpoint:
    """`faults` are used up one for each request: a Fault, or an answer as (status, error type, taken before)."""

    port: int = 0
    taken: list[TakenMail] = field(default_factory=list)
    requests: int = 0
    faults: list[Fault | tuple[int, str, bool]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault == "reset_before_body":
            writer.transport.abort()
            return
        headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        if headers.get(b"expect", b"").lower() == b"100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        if isinstance(fault, tuple):
            status, word, before = fault
            if before:
                self._take(body)
            await self._say(writer, status, {"message": "told to fail"}, word)
            return
        mail = self._take(body)
        if fault == "reset_after_accept":
            writer.transport.abort()
        elif fault == "silent_after_accept":
            await reader.read()
        elif fault == "half_answer":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Mess')
        elif fault == "not_json":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n<ok>")
        else:
            await self._say(writer, 200, {} if fault == "no_id" else {"MessageId": mail.id})

    def _take(self, body: bytes) -> TakenMail:
        self.taken.append(TakenMail(ses_id(), json.loads(body)))
        return self.taken[-1]

    @staticmethod
    async def _say(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any], word: str = "") -> None:
        body = json.dumps(answer).encode()
        kind = f"x-amzn-ErrorType: {word}\r\n" if word else ""
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


@contextlib.asynccontextmanager
async def ses_endpoint() -> AsyncIterator[SesEndpoint]:
    endpoint = SesEndpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
