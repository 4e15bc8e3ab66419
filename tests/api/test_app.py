"""The program itself, as it is deployed: starts from its settings, serves, streams, and ends when told."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest_asyncio
from httpx_sse import aconnect_sse

from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import PASSWORD, make_world

ROOT = Path(__file__).parents[2]
SECRET = base64.b64encode(b"k" * 32).decode()


@dataclass
class Program:
    process: asyncio.subprocess.Process
    url: str
    log: Path


@pytest_asyncio.fixture(loop_scope="session")
async def program(module_database, temporal_server, s3_server, tmp_path) -> AsyncIterator[Program]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "MAILROOM_DATABASE_URL": module_database.url,
        "MAILROOM_TEMPORAL_ADDRESS": temporal_server.address,
        "MAILROOM_S3_ENDPOINT": s3_server.endpoint,
        "MAILROOM_S3_ACCESS_KEY": s3_server.access_key,
        "MAILROOM_S3_SECRET_KEY": s3_server.secret_key,
        "MAILROOM_CREDENTIAL_KEYS": f"k1:{SECRET}",
        "MAILROOM_SESSION_SECRET": SECRET,
        "MAILROOM_TOKEN_SECRET": SECRET,
        "MAILROOM_API_PORT": str(port),
        "MAILROOM_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    log = tmp_path / "api.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "api.app", cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(300):
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
            else:
                raise AssertionError(log.read_text())
        yield Program(process, url, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_serves_streams_and_ends_when_told(program, module_database) -> None:
    database = Database(module_database.url, pool_size=2)
    world = await make_world(make_deps(database, module_database.url), mail=False)
    browser = {"Origin": program.url, "X-Mailroom": "1"}
    async with httpx.AsyncClient(base_url=program.url, headers=browser, trust_env=False) as client:
        ready = (await client.get("/readyz")).json()
        assert all(part["ok"] for part in ready["parts"].values())
        signed_in = await client.post(
            "/v1/session", json={"email": world.emails["agent"], "password": PASSWORD}
        )
        assert signed_in.status_code == 200
        assert signed_in.json()["user"]["role"] == "agent"
        client.headers["Authorization"] = f"Bearer {world.keys['read']}"
        assert (await client.get("/v1/session")).json()["tenant"]["name"] == "Example Org"
        async with aconnect_sse(client, "GET", "/v1/events/stream") as source:
            events = source.aiter_sse()
            assert (await anext(events)).event == "ready"
            program.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(httpx.HTTPError):
                async for _ in events:
                    pass
    await asyncio.wait_for(program.process.wait(), 10)
    await database.close()
    log = program.log.read_text()
    assert "Traceback" not in log
    assert "GET /v1/events/stream 200" in log
    assert world.emails["agent"] not in log
