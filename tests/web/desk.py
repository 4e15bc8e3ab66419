"""What a browser test holds: a page of the web client on the fake API, and everything that it complained about."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import ConsoleMessage, FloatRect, Locator, Page, Request

from tests.web.fake_state import Fake

T = TypeVar("T")
LONG_MS = 60_000  # a machine with much else to do is slow, not wrong
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
        self._asked: set[Request] = set()
        self._requests = 0
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("requestfinished", self._answered)
        page.on("requestfailed", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _answered(self, request: Request) -> None:
        self._asked.discard(request)

    def _request(self, request: Request) -> None:
        if request.resource_type != "eventsource":
            self._asked.add(request)
            self._requests += 1
        if not request.url.startswith((self.fake.origin, self.fake.s3_origin, "data:", "blob:", "about:")):
            self.strangers.append(request.url)

    def allow(self, *texts: str) -> None:
        """Complaints that this test provokes, such as a refused request, which Chromium logs as an error."""
        self.expected.extend(texts)

    @staticmethod
    def box(locator: Locator) -> FloatRect:
        box = locator.bounding_box()
        assert box is not None, f"{locator} is not shown"
        return box

    def becomes(self, look: Callable[[], T], wanted: T) -> None:
        """Waits until the server has it so. A choice shows on the screen before it is taken, and a press before anything."""
        def now() -> object:
            try:
                return look()
            except (LookupError, TypeError) as error:  # what is looked into is not there yet
                return error

        self._until(lambda: now() == wanted, lambda: f"{now()!r} instead of {wanted!r}")

    def called(self, method: str, path: str, times: int = 1) -> list[Any]:
        """The bodies of the calls that reached the server, once there are that many; a mistaken further one is in the list too."""
        self._until(lambda: len(self.fake.called(method, path)) >= times, lambda: f"{method} {path} was called {len(self.fake.called(method, path))} times, not {times}")
        return self.fake.called(method, path)

    def loaded(self) -> None:
        """Waits until the room that is shown says what it has, live."""
        self.page.locator("side-nav .live[data-state=open]").wait_for(state="attached")
        self.page.wait_for_function("""() => {
            const shown = [...document.querySelectorAll("main:not([hidden])")].find((one) => one.checkVisibility());
            return shown && shown.querySelector("h1") && ![...shown.querySelectorAll('load-state[data-state="loading"]')].some((one) => one.checkVisibility());
        }""")

    def calm(self) -> None:
        """
        Waits until the page has done what it does at its start: heard its stream, read again for that reason, read ahead. For tests that look
        at what a single event makes it do. No timer of the client waits as long as the silence here, and both are the page's own.
        """
        self.page.evaluate("""async () => {
            const { stream } = await import("/web/js/stream.js");
            window.heard = new Promise((done) => stream.addEventListener("change", ({ detail }) => detail.type === "audit.recorded" && done()));
        }""")
        self.fake.do(self.fake.emit, "audit.recorded")
        self.page.evaluate("window.heard")
        seen = -1
        while seen != self._requests or self._asked:
            seen = self._requests
            self.page.evaluate("new Promise((done) => setTimeout(done, 1000))")

    def _until(self, holds: Callable[[], bool], complaint: Callable[[], str]) -> None:
        end = time.monotonic() + LONG_MS / 1000
        while not holds():
            assert time.monotonic() < end, complaint()
            self.page.wait_for_timeout(20)  # lets the browser speak

    def check(self) -> None:
        left = [one for one in self.complaints if not any(text in one for text in self.expected)]
        assert not left, f"the console is not clean: {left}"
        assert not self.strangers, f"requests left: {self.strangers}"

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.fake.origin + path)
        return self.page

    def sign_in(self, path: str = "/", email: str = "maya@desk.example.com") -> Page:
        """Opens the path as someone who has a session already; test_sign_in.py goes through the door itself."""
        token = self.fake.do(self.fake.open_session, email)
        self.page.context.add_cookies([{"name": "mr_session", "value": token, "url": self.fake.origin, "httpOnly": True, "sameSite": "Lax"}])
        self.open(path)
        self.page.locator("side-nav .live[data-state=open]").wait_for(state="attached")
        self.page.locator("mail-app[whole]").wait_for()  # also what comes behind the first screen
        return self.page

    def open_number(self, number: int) -> Page:
        self.sign_in(f"/c/{self.fake.number(number)['id']}")
        self.page.locator("conversation-header .number", has_text=f"#{number}").wait_for()
        return self.page
