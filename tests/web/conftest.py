"""A real Chromium against the fake API. Every test ends with the check that nothing complained: no script error, no policy violation."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright

from tests.web import fake_data
from tests.web.fake_api import build
from tests.web.fake_state import Fake

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
    "--disable-dev-shm-usage",
]


class Desk:
    """A page of the web client, and what it complained about."""

    def __init__(self, page: Page, fake: Fake) -> None:
        self.page = page
        self.fake = fake
        self.complaints: list[str] = []
        self.expected: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.fake.origin, self.fake.s3_origin, "data:", "blob:", "about:")):
            self.strangers.append(request.url)

    def allow(self, *texts: str) -> None:
        """Complaints that this test provokes, such as a refused request, which Chromium logs as an error."""
        self.expected.extend(texts)

    def check(self) -> None:
        left = [one for one in self.complaints if not any(text in one for text in self.expected)]
        assert not left, f"the console is not clean: {left}"
        assert not self.strangers, f"requests left: {self.strangers}"

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.fake.origin + path)
        return self.page

    def sign_in(self, path: str = "/", email: str = "maya@desk.example.com") -> Page:
        self.allow("401 (Unauthorized)")
        self.open(path)
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(fake_data.PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("side-nav .live[data-state=open]").wait_for(state="attached")
        return self.page

    def open_number(self, number: int) -> Page:
        self.sign_in(f"/c/{self.fake.number(number)['id']}")
        self.page.locator("conversation-header .number", has_text=f"#{number}").wait_for()
        return self.page


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
def fake(server: Fake) -> Iterator[Fake]:
    server.do(server.drop_streams)
    server.do(server.reset)
    yield server


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium at /usr/bin/chromium; install the Debian package `chromium`")
    with sync_playwright() as play:
        yield play


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce")
    context.set_default_timeout(8_000)
    yield context
    context.close()


@pytest.fixture
def desk(context: BrowserContext, fake: Fake) -> Iterator[Desk]:
    desk = Desk(context.new_page(), fake)
    yield desk
    desk.check()
