"""The webhooks of Gmail and Graph: proven, written down once, the right inbox woken, and nobody told why something was refused."""

import datetime as dt
import json
import logging
import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api import push_webhooks
from api.app import Push
from api.rate_limits import Rate, RateLimits
from providers.gmail.push_token import PushTokens
from store.push_notices import KEPT, client_state_hash
from store.unit_of_work import Database
from tests.api.stand_ins import RecordingGateway, make_deps
from tests.api.world import World, make_world
from tests.servers.google_push import ACCOUNT, AUDIENCE, GooglePush, announcement

GMAIL, GRAPH = "/api/webhooks/gmail-push", "/api/webhooks/graph-push"
LONG_AGO = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)


class Door:
    """A tenant whose Gmail and Graph inboxes are announced."""

    def __init__(self, world: World, google: GooglePush) -> None:
        self.world, self.google = world, google
        self.address = f"team-{uuid.uuid4().hex[:12]}@example.com"
        self.subscription, self.state = uuid.uuid4().hex, uuid.uuid4().hex
        self.inboxes: dict[str, uuid.UUID] = {}

    async def fill(self) -> "Door":
        values: dict[str, dict[str, Any]] = {
            "gmail": {"email_address": self.address.title(), "gmail_history_id": "1000"},
            "graph": {"graph_subscription_id": self.subscription, "graph_client_state_hash": client_state_hash(self.state)},
        }
        for provider, more in values.items():
            given = {"name": provider, "provider": provider, "email_address": "desk@example.com", "connected_at": LONG_AGO} | more
            self.inboxes[provider] = await self.world.insert("inboxes", **given)
        return self

    async def gmail(self, body: Any, *, token: str | None = "good", **headers: str) -> httpx.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {self.google.token() if token == 'good' else token}"
        async with self.world.client(None, **headers) as client:
            given = {"content": body} if isinstance(body, bytes) else {"json": body}
            return await client.post(GMAIL, **given)

    async def graph(self, *notices: dict[str, Any], **given: Any) -> httpx.Response:
        async with self.world.client(None) as client:
            return await client.post(GRAPH, **(given or {"json": {"value": list(notices)}}))

    def notice(self, etag: str = "1", **changes: Any) -> dict[str, Any]:
        data = {"@odata.type": "#Microsoft.Graph.Message", "@odata.etag": f'W/"{etag}"', "id": "AAMk"}
        told = {"subscriptionId": self.subscription, "changeType": "created", "clientState": self.state, "resource": "Users/u/Messages/AAMk", "resourceData": data}
        return {k: v for k, v in (told | changes).items() if v is not None}

    def lifecycle(self, event: str) -> dict[str, Any]:
        return self.notice(lifecycleEvent=event, changeType=None, resource=None, resourceData=None)

    async def rows(self) -> list[dict[str, Any]]:
        return await self.world.rows("select * from push_notices order by id")

    async def inbox(self, provider: str) -> dict[str, Any]:
        (row,) = await self.world.rows("select * from inboxes where id = :id", id=self.inboxes[provider])
        return row

    async def pokes(self) -> list[tuple[str, ...]]:
        """Whom the API has woken since the last time."""
        await self.world.deps.pokes.quiet()
        calls, self.world.gateway.calls[:] = list(self.world.gateway.calls), []
        return [c for c in calls if c[0] == "poke"]

    def poke(self, provider: str) -> tuple[str, ...]:
        return ("poke", str(self.world.tenant_id), str(self.inboxes[provider]), provider)


@pytest.fixture(scope="module")
def google() -> GooglePush:
    return GooglePush()


@pytest_asyncio.fixture(loop_scope="session")
async def door(house: Database, module_database, google: GooglePush) -> AsyncIterator[Door]:
    google.served, google.status = [google.public()], 200
    push = Push(PushTokens(google.client(), audience=AUDIENCE, account=ACCOUNT), graph=True)
    made = Door(await make_world(make_deps(house, module_database.url, push=push)), google)
    yield await made.fill()
    await made.world.deps.pokes.close()
    await push.close()


async def test_acknowledge_an_announcement_is_written_down_once_answered_and_wakes_its_inbox(door: Door) -> None:
    body = announcement(door.address, 2000, "e1")
    assert [(await door.gmail(body)).status_code for _ in range(3)] == [202, 202, 202]
    (row,) = await door.rows()
    assert (row["inbox_id"], row["event_id"], row["history_id"], row["news"]) == (door.inboxes["gmail"], "e1", 2000, True)
    assert await door.pokes() == [door.poke("gmail")]


async def test_push_payload_stale_and_reordered_announcements_wake_nobody(door: Door) -> None:
    assert (await door.gmail(announcement(door.address, "900", "older than the cursor"))).status_code == 202
    assert await door.pokes() == []
    await door.gmail(announcement(door.address, "3000", "first"))
    assert len(await door.pokes()) == 1
    for number, history in enumerate((2999, 3000, 1001)):
        assert (await door.gmail(announcement(door.address, history, f"late{number}"))).status_code == 202
    assert await door.pokes() == []
    assert [r["news"] for r in await door.rows()] == [False, True, False, False, False]


async def test_push_authenticity_a_bad_token_gets_401_without_detail_and_no_row(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    body, told = announcement(door.address, 2000, "e1"), set()
    token = door.google.token
    bad = (None, "", "a.b.c", GooglePush().token(), token(aud="https://other.example.com"), token(email="x@example.com"), token(exp=1))
    with caplog.at_level(logging.INFO, "mailroom"):
        for one in bad:
            answer = await door.gmail(body, token=one)
            told.add((answer.status_code, answer.text))
        answer = await door.gmail(body, token=None, Authorization=f"Basic {token()}")
        told.add((answer.status_code, answer.text))
    assert len(told) == 1, "one answer for every reason"
    assert answer.status_code == 401
    assert (await door.rows(), await door.pokes()) == ([], [])
    assert door.address not in caplog.text
    assert "token_refused" in caplog.text


async def test_without_googles_keys_pubsub_is_asked_to_tell_it_again(door: Door) -> None:
    door.google.status = 503
    answer = await door.gmail(announcement(door.address, 2000, "e1"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert await door.rows() == []


async def test_what_google_says_unreadably_is_taken_and_does_nothing(door: Door) -> None:
    good = announcement(door.address, 2000, "e1")
    broken = [b"", b"not json", b"[]", b"[" * 100_000, {"message": {}}, good | {"message": "x"}, {"message": good["message"] | {"data": "!"}},
        announcement(door.address, "x", "e"), announcement(door.address, 10**30, "e"), announcement(door.address, "0" * 19 + "1" + "0" * 9000, "e"),
        announcement("\0", 1, "e"), announcement(door.address, 5000, "")]  # fmt: skip
    for body in broken:
        assert (await door.gmail(body)).status_code == 202, body
    assert (await door.gmail(announcement("nobody@example.com", 2000, "e1"))).status_code == 202
    assert (await door.rows(), await door.pokes()) == ([], [])


@pytest.mark.parametrize("path", [GMAIL, GRAPH])
async def test_more_than_a_megabyte_is_not_read(door: Door, path: str) -> None:
    async with door.world.client(None, Authorization=f"Bearer {door.google.token()}") as client:
        assert (await client.post(path, content=b"x" * (1024 * 1024 + 1))).status_code == 413
        assert (await client.post(path, content=b"x", headers={"Content-Encoding": "gzip"})).status_code == 415


async def test_no_inbox_is_woken_for_a_mailbox_that_was_never_proven_or_is_gone(door: Door) -> None:
    for change in ("connected_at = null", "connected_at = now(), deleted_at = now()"):
        await door.world.rows(f"update inboxes set {change} where id = :id", id=door.inboxes["gmail"])
        await door.gmail(announcement(door.address, 2000, f"e {change}"))
    assert (await door.rows(), await door.pokes()) == ([], [])


async def test_a_paused_inbox_is_written_to_but_not_woken(door: Door) -> None:
    await door.world.rows("update inboxes set paused_at = now() where id = :id", id=door.inboxes["gmail"])
    await door.gmail(announcement(door.address, 2000, "e1"))
    assert (len(await door.rows()), await door.pokes()) == (1, [])


async def test_one_mailbox_in_two_tenants_wakes_both_and_neither_sees_the_others_row(door: Door) -> None:
    other = Door(await make_world(door.world.deps), door.google)
    other.address = door.address
    await other.fill()
    await door.gmail(announcement(door.address, 2000, "e1"))
    assert [len(await d.rows()) for d in (door, other)] == [1, 1]
    assert sorted(await door.pokes()) == sorted([door.poke("gmail"), other.poke("gmail")])


async def test_push_rate_and_loss_many_in_any_order_wake_a_bounded_number_of_times(door: Door) -> None:
    """Repeated, shuffled and stale: sixty announcements come as two hundred and forty."""
    gateway = door.world.gateway
    assert isinstance(gateway, RecordingGateway)
    calls = [announcement(door.address, 960 + n, f"e{n}") for n in range(60)] * 4
    random.Random(5).shuffle(calls)
    async with door.world.client(None, Authorization=f"Bearer {door.google.token()}") as client:
        for body in calls:
            assert (await client.post(GMAIL, json=body)).status_code == 202
    rows = await door.rows()
    assert len(rows) == 60
    news = [r["history_id"] for r in rows if r["news"]]
    assert news == sorted(news), "each was newer than all before"
    assert news[-1] == 1019
    assert 1 <= len(await door.pokes()) <= len(news) < 20


async def test_rows_are_forgotten_after_two_days(door: Door) -> None:
    await door.gmail(announcement(door.address, 2000, "e1"))
    await door.world.rows("update push_notices set received_at = :at", at=dt.datetime.now(dt.UTC) - KEPT - dt.timedelta(hours=1))
    await door.gmail(announcement(door.address, 2001, "e2"))
    assert [r["event_id"] for r in await door.rows()] == ["e2"]


# --- Graph ----------------------------------------------------------------------------------------------------------


async def test_validation_the_token_is_echoed_decoded_once_as_text(door: Door) -> None:
    for token in ("Validation: Testing <script>alert(1)</script> & more", "a%2525b", "ü +"):
        answer = await door.graph(params={"validationToken": token}, content=b"")
        assert (answer.status_code, answer.text) == (200, token)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await door.graph(params={"validationToken": "x" * 2048})).status_code == 200
    assert (await door.graph(params={"validationToken": "x" * 2049})).status_code == 422
    assert await door.rows() == []


async def test_where_no_notices_are_expected_nothing_is_echoed_or_taken(door: Door) -> None:
    push = Push(PushTokens(door.google.client(), audience=None, account=None), graph=False)
    closed = Door(await make_world(make_deps(door.world.database, "", push=push)), door.google)
    answer = await closed.graph(params={"validationToken": "x"})
    assert (answer.status_code, "x" in answer.json().values()) == (401, False)
    assert (await closed.graph(door.notice())).status_code == 401
    await push.close()


async def test_acknowledge_a_notice_is_written_down_once_and_wakes_its_inbox(door: Door) -> None:
    for _ in range(3):
        assert (await door.graph(door.notice(), door.notice())).status_code == 202
    assert await door.pokes() == [door.poke("graph")]
    await door.graph(door.notice("2"), door.notice("3"), door.notice(id="own"), door.notice(id="own"))
    assert len(await door.rows()) == 4
    assert 1 <= len(await door.pokes()) <= 3
    assert {r["inbox_id"] for r in await door.rows()} == {door.inboxes["graph"]}


async def test_client_state_decides_and_a_refusal_has_no_detail_and_no_row(door: Door) -> None:
    told = set()
    bad = [
        door.notice(clientState="x" * 32), door.notice(clientState=None), door.notice(clientState=client_state_hash(door.state)),
        door.notice(clientState="\ud800"), door.notice(clientState=7), door.notice(subscriptionId="unknown"),
        door.notice(subscriptionId="unknown", clientState="no subscription"), door.notice(subscriptionId=None), door.notice(changeType=None),
    ]  # fmt: skip
    for one in bad:
        answer = await door.graph(content=json.dumps({"value": [one]}).encode())
        told.add((answer.status_code, answer.text))
    for body in (b"", b"not json", b"[]", b'{"value": 1}', b'{"value": []}', b'{"value": [1]}', b"[" * 100_000):
        answer = await door.graph(content=body)
        told.add((answer.status_code, answer.text))
    assert len(told) == 1
    assert answer.status_code == 401
    assert (await door.rows(), await door.pokes()) == ([], [])


async def test_of_a_mixed_message_only_what_is_proven_counts(door: Door) -> None:
    other = await Door(await make_world(door.world.deps), door.google).fill()
    stolen = other.notice(clientState=door.state)  # one tenant's secret opens no other's subscription
    assert (await door.graph(stolen, door.notice())).status_code == 202
    assert (len(await door.rows()), await other.rows()) == (1, [])
    assert await door.pokes() == [door.poke("graph")]


async def test_lifecycle_missed_is_looked_after_at_once(door: Door) -> None:
    assert (await door.graph(door.lifecycle("missed"))).status_code == 202
    assert await door.pokes() == [door.poke("graph")]
    row = await door.inbox("graph")
    assert (row["watch_due_at"], row["graph_subscription_id"]) == (None, door.subscription)


async def test_lifecycle_reauthorization_makes_the_watch_due(door: Door) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    await door.world.rows("update inboxes set watch_due_at = :at where id = :id", at=later, id=door.inboxes["graph"])
    await door.graph(door.lifecycle("reauthorizationRequired"))
    row = await door.inbox("graph")
    assert row["watch_due_at"] < later - dt.timedelta(days=2)
    assert row["graph_subscription_id"] == door.subscription


async def test_lifecycle_a_removed_subscription_is_forgotten_and_its_mailbox_looked_at(door: Door) -> None:
    assert (await door.graph(door.lifecycle("subscriptionRemoved"))).status_code == 202
    row = await door.inbox("graph")
    assert (row["graph_subscription_id"], row["graph_client_state_hash"]) == (None, None)
    assert row["watch_due_at"] is not None
    assert await door.pokes() == [door.poke("graph")]
    assert (await door.graph(door.lifecycle("subscriptionRemoved"))).status_code == 401, "nobody's any more"


async def test_dying_after_the_row_costs_a_wake_up_and_nothing_else(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(push_webhooks, "_wake", lambda *_: None)  # as if the process had ended here
        await door.gmail(announcement(door.address, 2000, "e1"))
    assert (await door.gmail(announcement(door.address, 2000, "e1"))).status_code == 202
    assert await door.pokes() == [], "polling finds it"
    await door.gmail(announcement(door.address, 2001, "e2"))
    assert await door.pokes() == [door.poke("gmail")]


async def test_a_source_that_floods_is_slowed_down(door: Door) -> None:
    deps = make_deps(door.world.database, "", limits=RateLimits(hook=Rate(1, 2)))
    slow = Door(World(deps, door.world.database, door.world.tenant_id), door.google)
    assert [(await slow.gmail(b"")).status_code for _ in range(3)] == [401, 401, 429]
