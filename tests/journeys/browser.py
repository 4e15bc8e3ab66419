"""A person at the web client of a running Mailroom: a real Chromium, and everything that its page complained about."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    FilePayload,
    Locator,
    Page,
    Request,
    ViewportSize,
    async_playwright,
    expect,
)

from tests.web.desk import ARGUMENTS, CHROMIUM, LONG_MS

__all__ = ["CHROMIUM", "PHONE", "WIDE", "Seat", "chromium", "expect", "seat"]

WIDE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=800)
expect.set_options(timeout=LONG_MS)  # behind a click stand a workflow and two mail servers


class Seat:
    """One page. `complaints` are console errors and warnings, script errors, violations of a policy, dialogs and tabs that
    nobody asked for, and requests to anybody but the server."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("popup", lambda tab: self.complaints.append(f"tab: {tab.url}"))
        page.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        # The first question of a visitor without a session is answered 401, and Chromium writes each such answer down.
        asked_at_the_door = "401" in message.text and urlsplit(message.location.get("url", "")).path == "/v1/session"
        if message.type in {"error", "warning"} and not asked_at_the_door:
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:", "about:")):
            self.complaints.append(f"request: {request.url}")

    async def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def grumbles(self, *expected: str) -> list[str]:
        """The complaints without those that hold one of `expected`."""
        return [one for one in self.complaints if not any(text in one for text in expected)]

    async def sign_in(self, email: str, password: str) -> None:
        await self.page.goto(self.origin)
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.locator("side-nav .live[data-state=open]").wait_for(state="attached")

    async def go(self, path: str) -> None:
        """Within the client where a link leads there, as people do; else by the address."""
        await self.page.goto(self.origin + path)
        await self.page.locator("side-nav .live[data-state=open]").wait_for(state="attached")

    def row(self, subject: str) -> Locator:
        return self.page.locator("conversation-row", has_text=subject)

    async def open(self, subject: str) -> None:
        await self.row(subject).click()
        await expect(self.page.locator("conversation-header .subject")).to_have_text(subject)

    @property
    def last_sent(self) -> Locator:
        """The state of the newest message of ours in the open conversation."""
        return self.page.locator("message-card[data-direction=outbound]").last.locator("send-state")

    async def write(self, text: str, *files: FilePayload) -> None:
        """Into the reply box, with files chosen in the browser; not sent yet."""
        await self.page.locator("conversation-view .conversation-scroll").focus()
        await self.page.keyboard.press("r")
        await expect(self.page.locator(".editor-area")).to_be_focused()
        await self.page.keyboard.type(text)
        if files:
            async with self.page.expect_file_chooser() as chosen:
                await self.page.get_by_role("button", name="Attach files").click()
            await (await chosen.value).set_files(list(files))
            await expect(self.page.locator("upload-tray .file.ready")).to_have_count(len(files))

    async def send(self) -> None:
        await self.page.get_by_role("button", name="Send", exact=True).click()
        await expect(self.page.locator("reply-box .reply-form")).to_be_hidden()

    async def reply(self, text: str, *files: FilePayload) -> None:
        await self.write(text, *files)
        await self.send()

    async def overflow(self) -> int:
        """How many pixels the page is wider than the screen."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def seat(
    browser: Browser, origin: str, *, size: ViewportSize = WIDE, scheme: Literal["light", "dark"] = "light"
) -> AsyncIterator[Seat]:
    """A person of their own, with nobody else's cookies."""
    context = await browser.new_context(
        viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce", accept_downloads=True
    )
    context.set_default_timeout(LONG_MS)
    try:
        yield Seat(await context.new_page(), origin)
    finally:
        await context.close()
