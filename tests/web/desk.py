"""What a browser test holds: a page of the web client on the fake API, and everything that it complained about."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import ConsoleMessage, FloatRect, Locator, Page, Request

from tests.web.fake_state import Fake

T = TypeVar("T")
LONG_SECONDS = 40.0
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
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
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
        self._until(lambda: look() == wanted, lambda: f"{look()!r} instead of {wanted!r}")

    def called(self, method: str, path: str, times: int = 1) -> list[Any]:
        """The bodies of the calls that reached the server, once there are that many; a mistaken further one is in the list too."""
        self._until(lambda: len(self.fake.called(method, path)) >= times, lambda: f"{method} {path} was called {len(self.fake.called(method, path))} times, not {times}")
        return self.fake.called(method, path)

    def _until(self, holds: Callable[[], bool], complaint: Callable[[], str]) -> None:
        end = time.monotonic() + LONG_SECONDS
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
