"""Domains at SES: made once, read after that; what SES answers becomes ours."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from providers.errors import AuthFailed, ProviderError, Refused, Throttled, Unreachable
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.identities import SesIdentities, SesIdentity


class Ses:
    """Answers in order, each (status, error type, body); remembers what was asked."""

    def __init__(self, *answers: tuple[int, str, dict[str, object]]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.asked.append(head.split(b" ", 2)[0].decode())
                status, word, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                text = json.dumps(body).encode()
                kind = f"x-amzn-ErrorType: {word}\r\n" if word else ""
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{kind}Content-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def identities(ses: Ses) -> AsyncIterator[SesIdentities]:
    server = await asyncio.start_server(ses.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield SesIdentities(SesAccount("eu-west-1", "AKIAEXAMPLE", Secret("example"), endpoint=f"http://127.0.0.1:{port}"))
    server.close()


MADE = {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": False, "DkimAttributes": {"Tokens": ["a", "b", "c"]}}


async def test_a_domain_is_made_where_there_is_none() -> None:
    ses = Ses((404, "NotFoundException", {"message": "no"}), (200, "", MADE))
    async with identities(ses) as one:
        assert await one.ensure("example.org") == SesIdentity(("a", "b", "c"), verified=False)
    assert ses.asked == ["GET", "POST"]


async def test_one_that_is_there_is_read() -> None:
    ses = Ses((200, "", MADE | {"VerifiedForSendingStatus": True}))
    async with identities(ses) as one:
        assert await one.ensure("example.org") == SesIdentity(("a", "b", "c"), verified=True)
    assert ses.asked == ["GET"]


async def test_another_worker_may_have_been_first() -> None:
    ses = Ses((404, "NotFoundException", {}), (400, "AlreadyExistsException", {}), (200, "", MADE))
    async with identities(ses) as one:
        assert (await one.ensure("example.org")).dkim_tokens == ("a", "b", "c")


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [(429, "TooManyRequestsException", Throttled), (403, "AccessDeniedException", AuthFailed), (400, "BadRequestException", Refused), (500, "Internal", Unreachable)],
)
async def test_what_ses_answers_becomes_ours(status: int, word: str, kind: type[ProviderError]) -> None:
    async with identities(Ses((status, word, {"message": "secret words"}))) as one:
        with pytest.raises(kind) as told:
            await one.ensure("example.org")
    assert "secret words" not in str(told.value)
