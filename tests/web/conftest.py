"""A real Chromium against the fake API. Every test ends with the check that nothing complained: no script error, no policy violation."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from tests.web.desk import ARGUMENTS, CHROMIUM, LONG_MS, Desk
from tests.web.fake_api import build
from tests.web.fake_state import Fake


@pytest.fixture(scope="session")
def server() -> Iterator[Fake]:
    fake = Fake()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fake.origin = f"http://127.0.0.1:{port}"
    fake.s3_origin = f"http://localhost:{port}"  # Another origin, as the real file store is.
    service = uvicorn.Server(uvicorn.Config(build(fake), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1))
    ready = threading.Event()

    async def run() -> None:
        fake.loop = asyncio.get_running_loop()
        asyncio.get_running_loop().call_soon(ready.set)
        await service.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait(10)
    while not service.started:
        threading.Event().wait(0.02)
    yield fake
    fake.do(fake.drop_streams)
    service.should_exit = True
    thread.join(10)


@pytest.fixture
def fake(server: Fake) -> Fake:
    server.do(server.drop_streams)
    server.do(server.reset)
    return server


@pytest.fixture(scope="module")  # its event loop runs in this thread until it stops, and asynchronous tests need theirs
def playwright() -> Iterator[Playwright]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium at /usr/bin/chromium; install the Debian package `chromium`")
    expect.set_options(timeout=LONG_MS)
    with sync_playwright() as play:
        yield play


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce")
    context.set_default_timeout(LONG_MS)
    yield context
    context.close()


@pytest.fixture
def desk(context: BrowserContext, fake: Fake) -> Iterator[Desk]:
    desk = Desk(context.new_page(), fake)
    yield desk
    desk.check()
