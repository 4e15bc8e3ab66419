"""Takes the pictures in docs/screenshots from the web client on the fake API: `python -m tests.web.screenshots [folder]`."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import uvicorn
from playwright.sync_api import FilePayload, Page, ViewportSize, sync_playwright

from tests.web import fake_data
from tests.web.desk import ARGUMENTS, CHROMIUM
from tests.web.fake_api import build
from tests.web.fake_state import Fake

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=800)


def serve(fake: Fake) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fake.origin, fake.s3_origin = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    service = uvicorn.Server(uvicorn.Config(build(fake), host="127.0.0.1", port=port, log_level="warning"))

    async def run() -> None:
        fake.loop = asyncio.get_running_loop()
        await service.serve()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    while not service.started:
        threading.Event().wait(0.02)


def write_reply(page: Page) -> None:
    page.keyboard.press("r")
    page.keyboard.type("Hello Anna,\n\nthe log shows an overheated head. Please clean the sensor with the brush from the box:")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Bulleted list").click()
    page.keyboard.type("switch the printer off for ten minutes")
    page.locator("reply-box input[type=file]").set_input_files(FilePayload(name="cleaning-guide.pdf", mimeType="application/pdf", buffer=b"x" * 310_000))
    page.locator(".file.ready").wait_for()


def open_timeline(page: Page) -> None:
    page.locator("message-card menu-button button").last.click()
    page.get_by_role("menuitem", name="Timeline").click()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    fake = Fake()
    serve(fake)
    support = fake_data.INBOX_SUPPORT

    def path(number: int) -> str:
        return f"/c/{fake.number(number)['id']}"

    def nothing(page: Page) -> None:
        page.wait_for_timeout(1)

    shots: list[tuple[str, str, Literal["light", "dark"], ViewportSize, Callable[[Page], None]]] = [
        ("conversation-light", path(1042), "light", WIDE, nothing),
        ("conversation-dark", path(1041), "dark", WIDE, nothing),
        ("reply-light", path(1042), "light", WIDE, write_reply),
        ("unknown-send", path(1039), "light", WIDE, nothing),
        ("failed-send", path(1040), "dark", WIDE, nothing),
        ("inbox", f"/inboxes/{support}", "light", WIDE, nothing),
        ("quarantine", "/quarantine", "dark", WIDE, nothing),
        ("timeline", path(1042), "light", WIDE, open_timeline),
        ("phone-list", "/", "light", PHONE, nothing),
        ("phone-conversation", path(1040), "dark", PHONE, nothing),
    ]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for name, where, scheme, size, act in shots:
            context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce")
            page = context.new_page()
            page.on("console", lambda message: print(message.type, message.text) if message.type in {"error", "warning"} and "401" not in message.text else None)
            page.on("pageerror", lambda error: print("pageerror", error))
            page.goto(fake.origin + where)
            page.get_by_label("Email").fill("maya@desk.example.com")
            page.get_by_label("Password").fill(fake_data.PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.locator("side-nav .live[data-state=open]").wait_for(state="attached")
            page.wait_for_timeout(700)
            act(page)
            page.wait_for_timeout(500)
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
