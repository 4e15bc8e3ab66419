"""HTTP clients that connect to checked addresses only, with the host's name kept for TLS, and errors in the house's words."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from providers.egress import EgressPolicy
from providers.egress_http import blocking_web_client, web_client
from providers.errors import EgressBlocked, ProtocolBroken, ProviderError, TlsFailed, Unreachable
from tests.providers.test_egress_tricks import answering
from tests.servers.certificates import Certificates

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextlib.asynccontextmanager
async def web(certificates: Certificates | None, answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """A server that answers each request once, under TLS where certificates are given."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
        writer.close()

    context = certificates.server_context() if certificates else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_name_is_kept_and_the_checked_address_reached(
    certificates: Certificates, local_policy: EgressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X-20: resolved once; a second, other answer would not matter. Host, SNI and certificate are of the name."""
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return OK

    async with web(certificates, answer) as port:
        monkeypatch.setattr(socket, "getaddrinfo", answering(["127.0.0.1"], ["10.0.0.1"]))
        async with web_client(local_policy, tls=certificates.client_context()) as client:
            got = await client.post(f"https://localhost:{port}/token", data={"a": "b"})
    assert (got.status_code, got.text) == (200, "ok")
    assert f"Host: localhost:{port}".encode() in asked[0]


async def test_the_blocking_client_does_the_same(certificates: Certificates, local_policy: EgressPolicy) -> None:
    def ask(port: int) -> str:
        with blocking_web_client(local_policy, tls=certificates.client_context()) as client:
            return client.get(f"https://localhost:{port}/").text

    async with web(certificates, lambda _: OK) as port:
        assert await asyncio.to_thread(ask, port) == "ok"
    with blocking_web_client(EgressPolicy()) as client, pytest.raises(EgressBlocked):
        client.get("https://127.0.0.1/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://127.0.0.1/", "egress_blocked"), ("https://[::1]/", "egress_blocked"), ("https://169.254.169.254/latest", "egress_blocked"),
        ("http://8.8.8.8/", "port_blocked"), ("http://8.8.8.8:443/", "not_encrypted"), ("https://8.8.8.8:8443/", "port_blocked"),
    ],
)  # fmt: skip
async def test_what_is_not_reached(url: str, reason: str) -> None:
    async with web_client(EgressPolicy()) as client:
        with pytest.raises(EgressBlocked) as caught:
            await client.get(url)
    assert caught.value.reason == reason


async def test_redirects_are_not_followed_unasked_and_checked_when_asked(
    certificates: Certificates, local_policy: EgressPolicy
) -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/latest\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with web(certificates, lambda _: away) as port, web_client(local_policy, tls=certificates.client_context()) as client:
        assert (await client.get(f"https://localhost:{port}/")).status_code == 302
        with pytest.raises(EgressBlocked):
            await client.get(f"https://localhost:{port}/", follow_redirects=True)


async def test_the_environments_proxy_is_not_asked(local_policy: EgressPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with web(None, lambda _: OK) as port, web_client(local_policy) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
    async with web_client(EgressPolicy()) as client:
        with pytest.raises(EgressBlocked):
            await client.get("https://10.0.0.1/")


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", ProtocolBroken, "not_http"),
        (b"", Unreachable, "answer_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ProtocolBroken, "not_http"),
    ],
)
async def test_errors_are_ours_and_quote_nothing(
    answer: bytes, kind: type[ProviderError], reason: str, local_policy: EgressPolicy
) -> None:
    async with web(None, lambda _: answer) as port, web_client(local_policy) as client:
        with pytest.raises(kind) as caught:
            await client.get(f"http://127.0.0.1:{port}/")
    assert caught.value.reason == reason
    assert "SSH" not in str(caught.value)


async def test_no_answer_and_no_listener(local_policy: EgressPolicy, closed_port: int, certificates: Certificates) -> None:
    async with web_client(local_policy, seconds=0.3) as client:
        with pytest.raises(Unreachable):
            await client.get(f"http://127.0.0.1:{closed_port}/")
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable) as caught:
            await client.get(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert caught.value.reason == "answer_timeout"
    async with web(certificates, lambda _: OK) as port, web_client(local_policy) as client:
        with pytest.raises(TlsFailed) as untrusted:
            await client.get(f"https://localhost:{port}/")
    assert untrusted.value.reason == "certificate_invalid"
