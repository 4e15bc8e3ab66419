"""Takes the pictures in docs/screenshots from the real demo: `python -m tests.journeys.screenshots [folder] [data directory]`.

With a data directory whose demo runs already, that one is used; otherwise a demo is started in a directory of its own and
stopped again. Everything on the pictures happened: the mails travelled, the refusals and the lost answer were a server's.
"""

import asyncio
import contextlib
import email.utils
import json
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import FilePayload

from tests.journeys.browser import PHONE, Seat, chromium, expect, seat
from tests.journeys.doubt import cut_doubt_short
from tests.journeys.driver import PROJECT, READY_WITHIN, letter
from tests.journeys.letters import bottomless, designed
from tests.journeys.lost_rows import lose_rows
from tests.journeys.older_reading import leave_older_readings
from tests.servers.scripted_smtp import Close, Reply, ScriptedSmtp

FOLDER = PROJECT / "docs" / "screenshots"
GUIDE = FilePayload(name="frame-sizes.pdf", mimeType="application/pdf", buffer=b"%PDF-1.4\n" + bytes(240_000))
ORDER = "Order of the cycling club"
ADA, GRACE, LINUS = "ada@customers.example.com", "grace@customers.example.com", "linus@customers.example.org"


@contextlib.contextmanager
def demo(data: Path | None) -> Iterator[dict[str, Any]]:
    """stack.json of a running demo."""
    if data is not None and (data / "stack.json").exists():
        yield json.loads((data / "stack.json").read_text())
        return
    own = Path(tempfile.mkdtemp(prefix="mailroom-pictures-"))
    running = subprocess.Popen([sys.executable, "-m", "cli", "demo", "--data", str(own), "--json", "--no-web-open"], cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + READY_WITHIN
        while not (own / "stack.json").exists():
            if running.poll() is not None or time.monotonic() > ends:
                raise SystemExit("the demo did not start; run `./mailroom demo` to see why")
            time.sleep(0.2)
        yield json.loads((own / "stack.json").read_text())
    finally:
        running.terminate()
        running.wait(60)
        shutil.rmtree(own, ignore_errors=True)


class Studio:
    """The demo, its shop and the pictures' folder."""

    def __init__(self, stack: dict[str, Any], folder: Path, api: httpx.AsyncClient) -> None:
        self.stack = stack
        self.folder = folder
        self.api = api
        self.inbox: dict[str, Any] = {}

    async def find_inbox(self) -> None:
        (self.inbox,) = (await self.api.get("/v1/inboxes")).json()["items"]

    async def mail(self, sender: str, raw: bytes) -> None:
        """From a customer to the shop, through the demo's SMTP server."""

        def submit() -> None:
            with smtplib.SMTP(self.stack["smtp"]["host"], self.stack["smtp"]["port"]) as server:
                server.sendmail(sender, [self.inbox["email_address"]], raw)

        await asyncio.to_thread(submit)

    async def write(self, name: str, sender: str, subject: str, text: str) -> None:
        mail: EmailMessage = letter(email.utils.formataddr((name, sender)), self.inbox["email_address"], subject, text)
        await self.mail(sender, mail.as_bytes())

    @contextlib.asynccontextmanager
    async def odd_server(self) -> AsyncIterator[ScriptedSmtp]:
        """The shop sends through a server with moods while the block runs."""
        usual = self.inbox["settings"]["smtp"]
        password = next(a["password"] for a in self.stack["mail_accounts"] if a["address"] == usual["username"])
        server = ScriptedSmtp()
        server.users = {usual["username"]: password}
        await server.start()
        try:
            await self._send_through(usual | {"host": server.host, "port": server.port, "password": password})
            yield server
            await self._send_through(usual | {"password": password})
        finally:
            await server.stop()

    async def _send_through(self, smtp: dict[str, Any]) -> None:
        answer = await self.api.patch(f"/v1/inboxes/{self.inbox['id']}", json={"smtp": smtp})
        answer.raise_for_status()

    async def picture(self, me: Seat, name: str) -> None:
        """Once nothing moves any more and no notice covers the page."""
        await expect(me.page.locator(".toast")).to_have_count(0)
        await expect(me.page.locator(".skeleton >> visible=true")).to_have_count(0)  # a loader that has done its work is hidden
        await me.page.mouse.move(0, 0)
        await me.page.locator("conversation-list > .scroller").evaluate_all("lists => lists.forEach((list) => list.scrollTo(0, 0))")
        await me.page.wait_for_timeout(500)
        place = self.folder / f"{name}.png"
        await me.page.screenshot(path=place)
        size = place.stat().st_size
        print(f"{name}.png {size // 1024} KB")
        assert size < 300_000, name


async def tell_the_story(studio: Studio, me: Seat) -> None:
    page = me.page
    await page.goto(me.origin)
    await page.get_by_label("Email").fill(studio.stack["sign_in"]["email"])
    await page.get_by_label("Password").fill(studio.stack["sign_in"]["password"])
    await studio.picture(me, "sign-in")
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("side-nav .live[data-state=open]").wait_for(state="attached")

    await me.row("Gears slip under load").last.click()
    await expect(page.locator("message-card").first).to_be_visible()
    await studio.write("Grace Okonjo", GRACE, "My order has two left pedals", "Hello, the parcel came just now, thank you. There are two left pedals in it and no right one.\n\nGrace")
    await expect(me.row("My order has two left pedals").first).to_be_visible()
    await studio.picture(me, "live")

    await studio.mail(ADA, designed(f"Ada Whitcombe <{ADA}>", studio.inbox["email_address"], ORDER, remote="https://pictures.club.test/badge.png"))
    await me.open(ORDER)
    await expect(page.frame_locator("mail-frame iframe").get_by_alt_text("Frame sizes")).to_have_js_property("naturalWidth", 320)
    await studio.picture(me, "conversation")
    await me.write("Hello Ada,\n\nthank you for the order. All three are in the workshop and can be fetched on Friday. The sheet with the frame sizes is attached.", GUIDE)
    await studio.picture(me, "reply-attachment")
    await me.send()
    await expect(me.last_sent).to_contain_text("Handed to the server", timeout=30_000)
    await studio.picture(me, "sent")


async def tell_of_trouble(studio: Studio, me: Seat) -> None:
    page = me.page
    async with studio.odd_server() as server:
        server.on("rcpt", Reply("550 5.2.1 The mailbox is closed for maintenance"), times=1)
        await studio.write("Linus Bergström", LINUS, "Is my bike ready?", "Hi, you said Thursday. May I come by?\n\nLinus")
        await me.open("Is my bike ready?")
        await me.reply("Hello Linus,\n\nyes, it stands by the door. We are here until six.")
        await expect(me.last_sent).to_contain_text("Failed")
        await studio.picture(me, "failed")
        await me.last_sent.get_by_role("button", name="Retry").click()
        await expect(me.last_sent).to_contain_text("Handed to the server")
        await studio.picture(me, "retry")

        server.on("dot", Close(), times=1, stored=True)
        await studio.write("Grace Okonjo", GRACE, "Change of address", "We have moved. Please send the pump to the new address.\n\nGrace")
        await me.open("Change of address")
        await me.reply("Hello Grace,\n\ndone. The pump leaves tomorrow.")
        await expect(page.locator("message-card[data-direction=outbound]")).to_have_count(1)
        await cut_doubt_short(studio.stack, str(await page.locator("message-card[data-direction=outbound]").get_attribute("data-id")))
        await expect(me.last_sent).to_contain_text("Unknown")
        await studio.picture(me, "unknown")


async def show_the_rooms(studio: Studio, me: Seat) -> None:
    await studio.mail(LINUS, bottomless(f"Linus Bergström <{LINUS}>", studio.inbox["email_address"], f"Deep {uuid.uuid4().hex[:6]}"))
    await me.go("/quarantine")
    line = me.page.locator("quarantine-page li").first
    await expect(line).to_be_visible()
    await line.get_by_role("button", name="View as plain text").click()
    await expect(line.locator("pre")).to_be_visible()
    await studio.picture(me, "quarantine")
    await me.go(f"/inboxes/{studio.inbox['id']}")
    await expect(me.page.locator(".page-head")).to_contain_text("Healthy")
    await expect(me.page.locator("inbox-ledger tbody tr").first).to_be_attached()
    await studio.picture(me, "inbox")


async def count_the_mailbox(studio: Studio, me: Seat) -> None:
    """Some rows are taken out of the ledger by hand; that the next sheet finds them missing and brings them back is not made up."""
    await asyncio.to_thread(lose_rows, studio.stack, 3)
    await me.go("/balance")
    line = me.page.locator(".balance").first
    await line.get_by_role("button", name="Audit now").click()
    await expect(line).to_contain_text("Proven after a refill", timeout=60_000)
    await line.locator(".balance-foot button").click()
    await expect(line.locator(".gaps")).to_contain_text("3 mails missing, 3 fetched")
    await studio.picture(me, "balance")


async def read_again(studio: Studio, me: Seat) -> None:
    """The older readings are made up; that they are found, shown and mended is not."""
    page = me.page
    await asyncio.to_thread(leave_older_readings, studio.stack)
    await me.go("/reingest")
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator(".page-head .badge")).to_have_text("Compared", timeout=60_000)
    await page.get_by_role("button", name="Text", exact=True).click()
    first = page.locator("reingest-change", has_text="Crack in the frame").first
    await first.locator(".change-head").click()
    await expect(first.locator("table.diff").first).to_be_visible()
    await studio.picture(me, "reingest")
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    await expect(page.locator(".page-head .badge")).to_have_text("Done", timeout=60_000)


async def run(stack: dict[str, Any], folder: Path) -> None:
    headers = {"Authorization": f"Bearer {stack['api_key']}"}
    async with httpx.AsyncClient(base_url=stack["api_url"], headers=headers, trust_env=False, timeout=30) as api, chromium() as browser:
        studio = Studio(stack, folder, api)
        await studio.find_inbox()
        async with seat(browser, stack["web_url"]) as me:
            await tell_the_story(studio, me)
            await tell_of_trouble(studio, me)
            await show_the_rooms(studio, me)
            await count_the_mailbox(studio, me)
            await read_again(studio, me)
            cookies = await me.page.context.cookies()
            print(*me.complaints, sep="\n")
        for name, subject, scheme, size in (("dark", "Quote for twelve bikes", "dark", None), ("phone", ORDER, "light", PHONE)):
            async with seat(browser, stack["web_url"], scheme=scheme, **({"size": size} if size else {})) as me:  # type: ignore[arg-type]
                await me.page.context.add_cookies(cookies)  # type: ignore[arg-type]
                await me.go("/")
                await me.row(subject).first.click()
                await expect(me.page.locator("mail-frame iframe").first).to_be_visible()
                await studio.picture(me, name)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with demo(Path(sys.argv[2]) if len(sys.argv) > 2 else None) as stack:
        asyncio.run(run(stack, folder))


if __name__ == "__main__":
    main()
