"""An admin in a real Chromium connects a Gmail mailbox at the stand-in, verifies its setup, loses the permission and connects it again.

With MAILROOM_PICTURES naming a folder the pictures of docs/screenshots are taken on the way.
"""

import asyncio
import dataclasses
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Page, async_playwright

from activities.setup_checks import SetupChecks
from api.app import WEB, SignIns, create_app
from api.mail_frames import MailFrames
from providers.gmail.endpoint import GmailEndpoint
from providers.graph.endpoint import GraphEndpoint
from providers.oauth.application import google as google_application
from providers.oauth.application import microsoft
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from rules.access_expiry import Given
from store.unit_of_work import Database
from tests.activities.mail_room import LOCAL
from tests.api.stand_ins import make_deps
from tests.api.world import PASSWORD, World, make_world
from tests.journeys.browser import WIDE, Seat, expect
from tests.journeys.driver import until
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.gmail_server import GmailServer
from tests.web.desk import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.chromium
ADDRESS = "support@example.com"
PICTURES = os.environ.get("MAILROOM_PICTURES")


@dataclasses.dataclass
class Office:
    world: World
    origin: str


@pytest_asyncio.fixture
async def office(
    database: ServerDatabase, google: GmailServer, certificates: Certificates
) -> AsyncIterator[Office]:
    """The API with the web client on a port of its own; Google is the stand-in."""
    google.add_mailbox(ADDRESS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    house = Database(database.url, pool_size=8)
    tls = certificates.client_context()
    signing_in = SigningIn(LOCAL, tls=tls)
    applications = {
        "gmail": google_application(google.oauth.client_id, Secret(google.oauth.client_secret), root=google.url),
        "graph": microsoft("client", Secret("secret")),
    }
    plain = make_deps(house, database.url)
    config = dataclasses.replace(
        plain.config, public_url=origin, web_directory=WEB, temporal_ui_url=None, given=Given(google_testing=True)
    )
    setup = SetupChecks(
        house, plain.sealer, signing_in, applications,
        google=GmailEndpoint(google.url, LOCAL, tls), microsoft=GraphEndpoint(policy=LOCAL, tls=tls),
        redirect_uri=f"{origin}/oauth/callback", topic="projects/example/topics/gmail",
    )  # fmt: skip
    deps = dataclasses.replace(
        plain, config=config, frames=MailFrames(config.origin, plain.picture_tokens),
        consents=SignIns(signing_in, applications), setup=setup,
    )  # fmt: skip
    server = uvicorn.Server(
        uvicorn.Config(create_app(deps), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
    )
    world = await make_world(deps, mail=False)
    running = asyncio.create_task(server.serve())
    await until("the server listens", lambda: started(server), 10)
    try:
        yield Office(world, origin)
    finally:
        server.should_exit = True
        await running


async def started(server: uvicorn.Server) -> bool:
    return server.started


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.wait_for_timeout(300)  # toasts and transitions are over
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


async def test_a_mailbox_is_connected_verified_lost_and_connected_again(office: Office, google: GmailServer) -> None:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium at /usr/bin/chromium; install the Debian package `chromium`")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = await browser.new_context(viewport=WIDE, ignore_https_errors=True, locale="en-GB")
        page = await context.new_page()
        seat = Seat(page, office.origin)
        await seat.sign_in(office.world.emails["admin"], PASSWORD)

        await seat.go("/inboxes/new")
        await page.locator("[name=oauth_address]").fill(ADDRESS)
        await page.locator("[name=oauth_name]").fill("Mail at Google")
        await picture(page, "connect")
        await page.get_by_role("button", name="Connect Google").click()
        await expect(page.get_by_role("heading", name="Mail at Google")).to_be_visible()
        panel = page.locator("inbox-access")
        await expect(panel).to_contain_text(ADDRESS)
        await expect(panel).to_contain_text("gmail.modify")
        await expect(panel).to_contain_text("Permission ends")

        google.faults.plan("watch", status=403, reason="forbidden", times=3)
        await panel.get_by_role("button", name="Verify setup").click()
        await expect(panel.locator(".checks li.bad")).to_contain_text("gmail-api-push@system.gserviceaccount.com")
        await expect(panel.locator(".checks li.good")).to_have_count(5)
        await panel.get_by_role("button", name="Verify setup").scroll_into_view_if_needed()
        await panel.locator(".checks").scroll_into_view_if_needed()
        await picture(page, "setup")

        google.oauth.revoke_all(ADDRESS)
        await panel.get_by_role("button", name="Verify setup").click()
        await expect(panel.locator(".notice.bad")).to_contain_text("The permission was withdrawn or has expired.")
        await expect(page.locator("status-banner")).to_contain_text("is refused")
        await page.evaluate("document.querySelector('main, .panels')?.scrollTo?.(0, 0)")
        await page.locator(".page-head h1").scroll_into_view_if_needed()
        await picture(page, "permission-lost")
        inbox_id = page.url.rpartition("/")[2]
        (row,) = await office.world.rows("select health, connected_at from inboxes where id = :i", i=inbox_id)
        assert (row["health"], row["connected_at"]) == ("auth_failed", None)

        google.oauth.consenting = "somebody-else@example.com"
        google.add_mailbox("somebody-else@example.com")
        await panel.get_by_role("button", name="Reconnect").click()
        await expect(page.locator("inbox-list > .notice")).to_contain_text("Another account signed in")
        google.oauth.consenting = None
        await page.locator("inbox-list > .notice a").click()
        await panel.get_by_role("button", name="Reconnect").click()
        await expect(page.locator(".page-head .badge")).to_have_text("Healthy")
        assert page.url.rpartition("/")[2] == inbox_id
        assert ("signal", inbox_id, "resume") in office.world.gateway.calls
        stranger = f"request: {google.url}"
        assert seat.grumbles(stranger) == []
        await browser.close()
