"""Connecting a Gmail mailbox: the state is this browser's and good once, the account is the expected one, the inbox stays the same."""

import dataclasses
import uuid
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.app import SignIns
from providers.egress import EgressPolicy
from providers.oauth.application import google as google_application
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from store.oauth_grants import COLUMN
from tests.api.world import World, client_of
from tests.servers.certificates import Certificates
from tests.servers.gmail_server import GmailServer

START = "/v1/inboxes/oauth/start"
LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), check_ports=False)


@pytest.fixture
def address(google: GmailServer) -> str:
    made = f"team-{uuid.uuid4().hex}@example.com"
    google.add_mailbox(made)
    google.add_mailbox("other@example.com")
    return made


@pytest.fixture
def deps(deps, google: GmailServer, certificates: Certificates):
    """The API with Google's stand-in behind it."""
    application = google_application(
        google.oauth.client_id, Secret(google.oauth.client_secret), root=google.url
    )
    signing_in = SigningIn(LOCAL, tls=certificates.client_context())
    return dataclasses.replace(deps, consents=SignIns(signing_in, {"gmail": application}))


class Person:
    """An admin with a browser."""

    def __init__(self, world: World, certificates: Certificates, address: str, who: str = "admin") -> None:
        self.world, self.address, self.who = world, address, who
        self._tls = certificates.client_context()

    async def begin(self, **more: Any) -> httpx.Response:
        async with self.world.client(self.who) as client:
            return await client.post(START, json={"provider": "gmail", "email_address": self.address, **more})

    async def agree(self, **more: Any) -> dict[str, str]:
        """What the consent page sends the browser back with."""
        begun = await self.begin(**more)
        assert begun.status_code == 200, begun.text
        async with httpx.AsyncClient(verify=self._tls) as browser:
            answer = await browser.get(begun.json()["url"])
        where = urlsplit(answer.headers["location"])
        assert where.path == "/oauth/callback"
        return {name: values[0] for name, values in parse_qs(where.query).items()}

    async def back(self, query: dict[str, str], who: str | None = None) -> str:
        async with self.world.client(who or self.who) as client:
            answer = await client.get("/oauth/callback", params=query)
        assert answer.status_code == 303, answer.text
        assert answer.headers["referrer-policy"] == "no-referrer"
        return str(answer.headers["location"])

    async def inbox(self) -> dict[str, Any]:
        (row,) = await self.world.rows("select * from inboxes where email_address = :a", a=self.address)
        return row


@pytest.fixture
def person(world: World, certificates: Certificates, address: str) -> Person:
    return Person(world, certificates, address)


async def test_a_consent_makes_an_inbox_that_is_synced(person: Person, google: GmailServer) -> None:
    place = await person.back(await person.agree(name="Team"))
    inbox = await person.inbox()
    assert place == f"/inboxes/{inbox['id']}"
    assert (inbox["name"], inbox["provider"], inbox["health"]) == ("Team", "gmail", "ok")
    assert inbox["connected_at"] is not None
    assert ("poke", str(person.world.tenant_id), str(inbox["id"]), "gmail") in person.world.gateway.calls
    (grant,) = await person.world.rows("select * from oauth_grants where inbox_id = :i", i=inbox["id"])
    tokens = person.world.deps.sealer.open(
        bytes(grant["tokens_sealed"]),
        grant["tokens_key_id"],
        tenant_id=str(person.world.tenant_id),
        inbox_id=str(inbox["id"]),
        column=COLUMN,
    )
    assert google.oauth.grant_of(tokens["access"]) is not None


async def test_connecting_again_keeps_the_inbox(person: Person) -> None:
    await person.back(await person.agree())
    before = await person.inbox()
    await person.world.rows(
        "update inboxes set health = 'auth_failed', connected_at = null, last_sync_at = now() where id = :i", i=before["id"]
    )
    await person.world.rows("update oauth_grants set ended_reason = 'grant_revoked' where inbox_id = :i", i=before["id"])
    assert await person.back(await person.agree(inbox_id=str(before["id"]))) == f"/inboxes/{before['id']}"
    after = await person.inbox()
    assert (after["id"], after["health"]) == (before["id"], "ok")
    (grant,) = await person.world.rows("select ended_reason from oauth_grants where inbox_id = :i", i=before["id"])
    assert grant["ended_reason"] is None


async def test_a_state_is_good_once(person: Person) -> None:
    query = await person.agree()
    await person.back(query)
    assert await person.back(query) == "/inboxes?oauth_error=state_used"


async def test_a_state_runs_out_after_ten_minutes(person: Person) -> None:
    query = await person.agree()
    (row,) = await person.world.rows("select expires_at - now() < interval '601 s' as soon from oauth_starts")
    assert row["soon"]
    await person.world.rows("update oauth_starts set expires_at = now() - interval '1 second'")
    assert await person.back(query) == "/inboxes?oauth_error=state_used"


async def test_the_state_itself_is_not_stored(person: Person) -> None:
    query = await person.agree()
    (row,) = await person.world.rows("select state_hash from oauth_starts")
    assert query["state"].encode() not in bytes(row["state_hash"])


async def test_a_link_that_somebody_else_began_connects_nothing(person: Person, other: World) -> None:
    query = await person.agree()
    assert await person.back(query, who="owner") == "/inboxes?oauth_error=state_unknown"
    async with other.client("admin") as client:
        answer = await client.get("/oauth/callback", params=query)
    assert answer.headers["location"] == "/inboxes?oauth_error=state_unknown"
    async with client_of(person.world.deps, None, None) as client:
        answer = await client.get("/oauth/callback", params=query)
    assert answer.headers["location"] == "/inboxes?oauth_error=not_signed_in"
    assert await person.back(query, who="agent") == "/inboxes?oauth_error=not_allowed"
    assert (await person.back(query)).startswith("/inboxes/")  # none of them used it up


async def test_another_account_than_expected_is_refused(person: Person, google: GmailServer) -> None:
    google.oauth.consenting = "other@example.com"
    assert await person.back(await person.agree()) == "/inboxes?oauth_error=other_account"
    assert await person.world.rows("select 1 from oauth_grants") == []


async def test_a_scope_that_was_not_ticked_is_told(person: Person, google: GmailServer) -> None:
    google.oauth.granted_scopes = ()
    assert await person.back(await person.agree()) == "/inboxes?oauth_error=scopes_missing"


async def test_a_person_who_says_no(person: Person) -> None:
    query = await person.agree()
    told = {"state": query["state"], "error": "access_denied"}
    assert await person.back(told) == "/inboxes?oauth_error=consent_refused"


async def test_a_code_that_the_provider_does_not_take(person: Person) -> None:
    query = await person.agree()
    assert await person.back({**query, "code": "4/other"}) == "/inboxes?oauth_error=grant_revoked"


async def test_an_address_that_is_read_by_imap_stays_so(person: Person) -> None:
    await person.world.insert("inboxes", name="Old", email_address=person.address)
    assert await person.back(await person.agree()) == "/inboxes?oauth_error=address_taken"


async def test_a_foreign_inbox_is_as_unknown_as_none(person: Person, other: World) -> None:
    foreign = await person.begin(inbox_id=str(other.ids["inbox"]))
    unknown = await person.begin(inbox_id=str(uuid.uuid4()))
    assert (foreign.status_code, foreign.json()) == (422, unknown.json())


@pytest.mark.parametrize(
    ("more", "field"), [({"provider": "graph"}, "provider"), ({"email_address": None}, "email_address")]
)
async def test_what_cannot_be_begun_is_named(person: Person, more: dict[str, Any], field: str) -> None:
    answer = await person.begin(**more)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [field]


async def test_a_key_cannot_agree(person: Person) -> None:
    person.who = "key:admin"
    assert (await person.begin()).status_code == 422
