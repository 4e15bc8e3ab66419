"""The permission for a mailbox is shown with its known ends, its setup is tried, and the application opens only what it may."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from activities.setup_checks import SetupChecks
from api.app import SignIns
from api.metrics import Metrics, first_ends
from providers.egress import tls_context
from providers.gmail.endpoint import GmailEndpoint
from providers.graph.endpoint import GraphEndpoint
from providers.oauth.application import google as google_application
from providers.oauth.application import microsoft
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from rules.access_expiry import Given
from store.grant_view import EarliestEnds
from tests.activities.mail_room import LOCAL
from tests.api.world import World
from tests.servers.certificates import Certificates
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_oauth import TENANT
from tests.servers.graph_server import GraphServer

TLS = tls_context()
TOPIC = "projects/example/topics/gmail"
ENDS = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server


@pytest.fixture
def deps(deps, google: GmailServer, graph: GraphServer, certificates: Certificates):
    """The API with both stand-ins behind it, and one domain that the application may open."""
    signing_in = SigningIn(LOCAL, tls=certificates.client_context())
    login = graph.login
    applications = {
        "gmail": google_application(google.oauth.client_id, Secret(google.oauth.client_secret), root=google.url),
        "graph": microsoft(
            login.client_id, Secret(login.client_secret), tenant=TENANT, root=f"{graph.url}/", graph=graph.root
        ),
    }
    setup = SetupChecks(
        deps.database, deps.sealer, signing_in, applications,
        google=GmailEndpoint(google.url, LOCAL, certificates.client_context()),
        microsoft=GraphEndpoint(graph.root, LOCAL, TLS),
        redirect_uri=f"{deps.config.public_url}/oauth/callback", topic=TOPIC,
    )  # fmt: skip
    config = dataclasses.replace(deps.config, given=Given(google_testing=True, secret_expires=ENDS))
    return dataclasses.replace(deps, consents=SignIns(signing_in, applications), setup=setup, config=config)


class Admin:
    """An admin with a browser who connects mailboxes."""

    def __init__(self, world: World, certificates: Certificates) -> None:
        self.world = world
        self._tls = certificates.client_context()

    async def connect(self, provider: str, address: str, **more: Any) -> str:
        """Where the browser ends up."""
        body = {"provider": provider, "email_address": address, **more}
        async with self.world.client("admin") as client:
            begun = await client.post("/v1/inboxes/oauth/start", json=body)
            assert begun.status_code == 200, begun.text
            async with httpx.AsyncClient(verify=self._tls) as browser:
                answer = await browser.get(begun.json()["url"])
            query = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}
            return str((await client.get("/oauth/callback", params=query)).headers["location"])

    async def inbox(self, provider: str, address: str, **more: Any) -> str:
        place = await self.connect(provider, address, **more)
        assert place.startswith("/inboxes/"), place
        return place.removeprefix("/inboxes/")

    async def get(self, path: str) -> dict[str, Any]:
        async with self.world.client("admin") as client:
            answer = await client.get(f"/v1/inboxes/{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def setup(self, inbox_id: str) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in (await self.get(f"{inbox_id}/setup"))["items"]}

    async def application(self, **body: Any) -> httpx.Response:
        async with self.world.client("admin") as client:
            return await client.post("/v1/inboxes/oauth/application", json=body)


@pytest.fixture
def admin(world: World, certificates: Certificates) -> Admin:
    return Admin(world, certificates)


def fresh() -> str:
    return f"team-{uuid.uuid4().hex}@example.com"


@pytest.fixture
def at_google(google: GmailServer) -> str:
    address = fresh()
    google.add_mailbox(address)
    return address


@pytest.fixture
def at_microsoft(graph: GraphServer) -> str:
    address = fresh()
    graph.mailbox(address)
    graph.login.user = address
    return address


async def test_what_was_granted_is_shown_with_its_known_ends(admin: Admin, at_google: str, at_microsoft: str) -> None:
    seen = (await admin.get(f"{await admin.inbox('gmail', at_google)}/access"))["access"]
    assert (seen["account"], seen["shared"], seen["permission"], seen["ended_reason"]) == (at_google, False, "delegated", None)
    assert any(scope.endswith("gmail.modify") for scope in seen["scopes"])
    assert [end["what"] for end in seen["expiries"]] == ["refresh_token", "unused"]
    seen = (await admin.get(f"{await admin.inbox('graph', at_microsoft)}/access"))["access"]
    assert [(end["what"], end["soon"]) for end in seen["expiries"]] == [("unused", False), ("client_secret", False)]


async def test_the_setup_of_both_is_found_in_order(admin: Admin, at_google: str, at_microsoft: str) -> None:
    for provider, address in (("gmail", at_google), ("graph", at_microsoft)):
        found = await admin.setup(await admin.inbox(provider, address))
        assert {name: item["state"] for name, item in found.items()} == {
            "application": "ok", "redirect": "unknown", "consent": "ok", "scopes": "ok", "sign-in": "ok", "mailbox": "ok",
            "announcements": "ok" if provider == "gmail" else "off",
        }  # fmt: skip
        assert found["redirect"]["detail"].endswith("/oauth/callback")


async def test_a_gmail_api_that_is_off_is_named_with_its_place(admin: Admin, at_google: str, google: GmailServer) -> None:
    inbox_id = await admin.inbox("gmail", at_google)
    google.faults.plan("labels.list", status=403, reason="accessNotConfigured", times=3)
    found = (await admin.setup(inbox_id))["mailbox"]
    assert (found["state"], found["field"]) == ("wrong", "Google Cloud console, APIs & Services, Gmail API")
    assert "Enable it" in found["remedy"]


async def test_a_topic_without_the_right_to_publish_is_named(admin: Admin, at_google: str, google: GmailServer) -> None:
    inbox_id = await admin.inbox("gmail", at_google)
    google.faults.plan("watch", status=403, reason="forbidden", times=3)
    found = (await admin.setup(inbox_id))["announcements"]
    assert found["state"] == "wrong"
    assert "gmail-api-push@system.gserviceaccount.com" in found["remedy"]


async def test_a_wrong_secret_is_the_operators(admin: Admin, at_google: str, google: GmailServer, at_microsoft: str, graph: GraphServer) -> None:
    at = [await admin.inbox("gmail", at_google), await admin.inbox("graph", at_microsoft)]
    google.oauth.client_secret = "another"
    graph.login.app_broken = "secret_expired"
    first, second = [(await admin.setup(inbox_id))["application"] for inbox_id in at]
    assert (first["state"], second["state"]) == ("wrong", "wrong")
    assert "client id or secret" in first["remedy"]
    assert "Certificates & secrets" in second["remedy"]


async def test_a_consent_that_was_withdrawn_stops_at_the_consent(admin: Admin, at_microsoft: str, graph: GraphServer) -> None:
    inbox_id = await admin.inbox("graph", at_microsoft)
    graph.login.break_refresh(at_microsoft, "consent")
    graph.login.revoke_access()
    assert (await admin.setup(inbox_id))["mailbox"]["state"] == "wrong"
    found = await admin.setup(inbox_id)
    assert found["consent"]["state"] == "wrong"
    assert "consent_missing" in found["consent"]["detail"]
    assert found["mailbox"]["state"] == "unknown"


async def test_scopes_that_are_lacking_are_named(admin: Admin, at_microsoft: str) -> None:
    inbox_id = await admin.inbox("graph", at_microsoft)
    await admin.world.rows("update oauth_grants set scopes = '{Mail.ReadWrite,User.Read}' where inbox_id = :i", i=inbox_id)
    found = (await admin.setup(inbox_id))["scopes"]
    assert (found["state"], found["detail"]) == ("wrong", "Not granted: Mail.Send")


async def test_a_mailbox_without_a_licence_is_named(admin: Admin, at_microsoft: str, graph: GraphServer) -> None:
    inbox_id = await admin.inbox("graph", at_microsoft)
    graph.faults.plan("*", 404, code="MailboxNotEnabledForRESTAPI", times=9)
    found = (await admin.setup(inbox_id))["mailbox"]
    assert found["state"] == "wrong"
    assert "licence" in found["remedy"]


async def test_a_shared_mailbox_is_opened_by_another_account(admin: Admin, graph: GraphServer, at_microsoft: str) -> None:
    shared = fresh()
    graph.mailbox(shared).delegates.add(at_microsoft)
    inbox_id = await admin.inbox("graph", shared, shared=True)
    seen = (await admin.get(f"{inbox_id}/access"))["access"]
    assert (seen["account"], seen["shared"]) == (at_microsoft, True)
    (row,) = await admin.world.rows("select settings from inboxes where id = :i", i=inbox_id)
    assert row["settings"]["graph"] == {"mailbox": shared}
    assert (await admin.setup(inbox_id))["mailbox"]["state"] == "ok"
    assert await admin.inbox("graph", shared, inbox_id=inbox_id) == inbox_id  # again, and still shared
    closed = fresh()
    graph.mailbox(closed)
    assert await admin.connect("graph", closed, shared=True) == "/inboxes?oauth_error=mailbox_not_opened"
    assert await admin.connect("graph", closed) == "/inboxes?oauth_error=other_account"


async def test_only_microsoft_has_shared_mailboxes(admin: Admin) -> None:
    async with admin.world.client("admin") as client:
        body = {"provider": "gmail", "email_address": "a@example.com", "shared": True}
        answer = await client.post("/v1/inboxes/oauth/start", json=body)
    assert answer.status_code == 422
    assert "shared" in answer.text


async def test_the_application_opens_only_what_the_operator_names(admin: Admin, at_microsoft: str, graph: GraphServer) -> None:
    refused = await admin.application(email_address=at_microsoft)
    assert refused.status_code == 422
    assert "operator" in refused.text
    assert (await admin.get("oauth/choices"))["application"] is False
    (tenant,) = await admin.world.rows("select slug from tenants where id = :t", t=admin.world.tenant_id)
    config = dataclasses.replace(admin.world.deps.config, application_mailboxes=((tenant["slug"], "@example.com"),))
    admin.world.deps = dataclasses.replace(admin.world.deps, config=config)
    assert (await admin.get("oauth/choices"))["application"] is True
    made = await admin.application(email_address=at_microsoft, name="Team")
    assert made.status_code == 201, made.text
    inbox_id = made.json()["id"]
    seen = (await admin.get(f"{inbox_id}/access"))["access"]
    assert (seen["permission"], seen["account"]) == ("application", at_microsoft)
    assert [end["what"] for end in seen["expiries"]] == ["client_secret"]
    assert (await admin.setup(inbox_id))["mailbox"]["state"] == "ok"
    assert (await admin.application(inbox_id=inbox_id)).json()["id"] == inbox_id
    assert (await admin.application(email_address="x@example.org")).status_code == 422
    nobody = await admin.application(email_address=fresh())
    assert nobody.status_code == 422
    assert "access policy" in nobody.text


async def test_an_application_that_the_policy_keeps_out_is_told_so(admin: Admin, at_microsoft: str, graph: GraphServer) -> None:
    (tenant,) = await admin.world.rows("select slug from tenants where id = :t", t=admin.world.tenant_id)
    config = dataclasses.replace(admin.world.deps.config, application_mailboxes=((tenant["slug"], at_microsoft),))
    admin.world.deps = dataclasses.replace(admin.world.deps, config=config)
    inbox_id = (await admin.application(email_address=at_microsoft)).json()["id"]
    graph.faults.plan("*", 403, code="ErrorAccessDenied", times=9)
    found = (await admin.setup(inbox_id))["mailbox"]
    assert found["state"] == "wrong"
    assert "application access policy" in found["remedy"]


def test_the_first_known_end_of_each_kind_is_told() -> None:
    day = dt.timedelta(days=1)
    ends = [
        EarliestEnds("gmail", granted_at=ENDS, refresh_expires_at=ENDS + day, renewed_at=ENDS),
        EarliestEnds("graph", granted_at=ENDS, refresh_expires_at=None, renewed_at=ENDS),
    ]
    assert first_ends(ends, Given()) == {"unused": ENDS + 90 * day, "refresh_token": ENDS + day}
    given = Given(google_testing=True, secret_expires=ENDS)
    assert first_ends(ends[1:], given) == {"client_secret": ENDS, "unused": ENDS + 90 * day}
    assert first_ends(ends[:1], given)["refresh_token"] == ENDS + day
    assert first_ends([], Given()) == {}


async def test_known_ends_are_figures(admin: Admin, at_google: str) -> None:
    metrics = Metrics(Given(google_testing=True))
    await admin.inbox("gmail", at_google)
    await metrics.refresh(admin.world.database)
    shown = metrics.text().decode()
    assert 'mailroom_access_left_seconds{kind="refresh_token"}' in shown
    assert 'kind="client_secret"' not in shown
