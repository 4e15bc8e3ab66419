"""What rules and subscriptions write reaches a real receiver once for each id, in order, signed, and again until it is taken."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.desk_route import DeskRoute
from activities.desk_turn import DeskTurn
from activities.desk_webhooks import DeskWebhooks
from activities.event_line import EventLine
from activities.webhook_drain import WebhookDraining
from contracts.desk import Followup, FollowupKind
from contracts.webhooks import WebhookRef, WebhookReport
from providers import egress
from providers.egress import EgressPolicy, tls_context
from providers.s3.blobs import BlobMissing
from providers.webhook_post import WebhookPost
from rules.webhooks import ATTEMPTS, make_secret
from store.event_log import NewEvent, append_events
from store.routing_rules import RuleText, create_rule
from store.sealing import Sealer
from store.timeline import read_timeline
from store.timeline_steps import StepKind, TimelineStep
from store.unit_of_work import Database
from store.visibility import Viewer
from store.webhook_deliveries import Result, deliver_again, queue_test, settle, take_next
from store.webhook_endpoints import add_endpoint, change_endpoint, remove_endpoint, rotate_secret
from tests.servers.databases import Database as ServerDatabase
from tests.servers.webhook_receiver import Receiver, Told, receiver
from tests.store.desk import Desk, open_desk

SECRET, OTHER = make_secret(b"\x01" * 32), make_secret(b"\x02" * 32)
TLS = tls_context()
LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"),))
DAY = dt.timedelta(days=1)


@dataclass
class Hooks:
    """A desk whose events become deliveries, and the step that makes them, by a clock that the test moves."""

    desk: Desk
    turn: DeskTurn
    sealer: Sealer
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    policy: EgressPolicy = LOCAL

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.desk.tenant_id, self.desk.agent_id, sees_all=True)

    async def endpoint(self, url: str, *events: str, inbox_ids: list[uuid.UUID] | None = None) -> uuid.UUID:
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return await add_endpoint(
                connection, self.viewer, self.sealer, secret=SECRET, name="Tickets", url=url, events=events, inbox_ids=inbox_ids
            )

    async def rule(self, *actions: dict[str, Any]) -> uuid.UUID:
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            said = RuleText("Fire", {"all": []}, list(actions))
            return await create_rule(connection, self.desk.tenant_id, said, actor="system")

    async def tell(self, kind: str = "message.received", **more: Any) -> None:
        event = NewEvent(
            kind, self.desk.tenant_id, conversation_id=self.desk.conversation_id, message_id=self.desk.first_message_id,
            payload={"classification": "message"}, **{"inbox_id": self.desk.inbox_id, **more},
        )  # fmt: skip
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            await append_events(connection, [event])

    async def settle_desk(self) -> list[Followup]:
        asked: list[Followup] = []
        for _ in range(30):
            turned = await self.turn.once(self.desk.tenant_id)
            assert turned.failed == 0, await self.desk.rows("select reactor, error from desk_failures")
            asked += turned.followups
            if not turned.events and not turned.more:
                return asked
        pytest.fail("the desk never came to rest")

    async def test(self, endpoint: uuid.UUID) -> uuid.UUID:
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return await queue_test(connection, self.desk.tenant_id, endpoint)

    async def drain(self, endpoint: uuid.UUID) -> WebhookReport:
        step = WebhookDraining(
            self.desk.database, self.sealer, lambda: WebhookPost(self.policy, TLS), public_url="https://desk.example.com/", clock=lambda: self.now
        )
        return await ActivityEnvironment().run(step.drain, WebhookRef(str(self.desk.tenant_id), str(endpoint)))

    async def drain_through(self, endpoint: uuid.UUID, most: int = 60) -> int:
        """Waits as the workflow would, until nothing is left to wait for. How many batches that took."""
        for batch in range(1, most + 1):
            report = await self.drain(endpoint)
            if report.wait_seconds is None:
                return batch
            self.now += dt.timedelta(seconds=report.wait_seconds)
        pytest.fail("it never came to an end")

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.desk.rows("select * from webhook_deliveries order by id")

    async def state(self, endpoint: uuid.UUID) -> dict[str, Any]:
        return (await self.desk.rows("select * from webhook_endpoints where id = :id", id=endpoint))[0]

    async def timeline(self) -> list[TimelineStep]:
        """What the mail's timeline says of webhooks."""
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            found = await read_timeline(connection, self.viewer, self.desk.first_message_id)
        assert found is not None
        return [step for step in found.steps if step.kind is StepKind.WEBHOOK]

    async def told(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.desk.rows("select payload from events where type = :kind order by id", kind=kind)
        return [row["payload"] for row in rows]


@pytest_asyncio.fixture
async def hooks(module_database: ServerDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hooks]:
    monkeypatch.setattr(egress, "BLUR", (0.0, 0.0))
    database = Database(module_database.url, pool_size=3)

    async def no_raw(key: str, offset: int, length: int) -> bytes:
        raise BlobMissing

    line = EventLine(module_database.url)
    desk = await open_desk(database)
    made = Hooks(desk, DeskTurn(database, line, [DeskRoute(no_raw), DeskWebhooks()]), Sealer({"k1": b"k" * 32}))
    await made.turn.once(desk.tenant_id)
    yield made
    await line.close()
    await database.close()


def verified(told: Told, *secrets: str) -> dict[str, Any]:
    """What a receiver believes: each signature is of one of these secrets, in their order."""
    signed = b".".join((told.headers["webhook-id"].encode(), told.headers["webhook-timestamp"].encode(), told.body))
    macs = [hmac.new(base64.b64decode(s.removeprefix("whsec_")), signed, hashlib.sha256).digest() for s in secrets]
    assert told.headers["webhook-signature"] == " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
    body: dict[str, Any] = json.loads(told.body)
    return body


def ids(there: Receiver) -> list[str]:
    return [told.headers["webhook-id"] for told in there.told]


async def test_a_rule_that_fires_once_is_told_under_one_id_until_it_is_taken(hooks: Hooks) -> None:
    async with receiver(500, 200) as there:
        endpoint = await hooks.endpoint(there.url)
        rule = await hooks.rule(
            {"type": "webhook", "endpoint": str(endpoint)}, {"type": "priority", "value": "urgent"}, {"type": "tag", "names": ["fire"]}
        )
        await hooks.tell()
        assert Followup(FollowupKind.WEBHOOK, str(endpoint)) in await hooks.settle_desk()
        await hooks.tell()  # the very same mail told again, as after a repeated batch
        await hooks.settle_desk()
        first = await hooks.drain(endpoint)
        assert (first.delivered, first.failed) == (0, 1)
        assert await hooks.drain(endpoint) == WebhookReport(0, 0, first.wait_seconds)
        assert len(there.told) == 1
        assert first.wait_seconds == 5
        (put_off,) = await hooks.timeline()
        assert (put_off.step, put_off.detail, put_off.attempt, put_off.code) == ("webhook put off", "“Tickets”: server_error", 1, 500)
        assert put_off.next_at == hooks.now + dt.timedelta(seconds=5)
        hooks.now += dt.timedelta(seconds=5)
        assert await hooks.drain(endpoint) == WebhookReport(1, 0, None)
    (row,) = await hooks.deliveries()
    assert ids(there) == [str(row["id"])] * 2
    (taken,) = await hooks.timeline()
    assert (taken.step, taken.detail, taken.attempt, taken.code, taken.next_at) == ("webhook delivered", "“Tickets”", 2, 200, None)
    assert (row["status"], row["attempts"], row["response_status"], row["error"]) == ("delivered", 2, 200, None)
    earlier, later = (int(told.headers["webhook-timestamp"]) for told in there.told)
    assert later - earlier == 5
    told = [verified(one, SECRET) for one in there.told]
    assert told[0] == told[1]
    data, number = told[0]["data"], hooks.desk.number
    assert (told[0]["type"], data["rule"]) == ("rule.matched", {"id": str(rule), "name": "Fire", "version": 1})
    conversation = {"id": str(hooks.desk.conversation_id), "number": number, "inbox_id": str(hooks.desk.inbox_id)}
    assert data["conversation"] == conversation | {"status": "open", "priority": "urgent", "tags": ["fire"]}
    assert data["links"]["message"] == f"https://desk.example.com/v1/messages/{hooks.desk.first_message_id}"
    assert data["event_id"] == row["event_id"]
    message = await hooks.desk.message(hooks.desk.first_message_id)
    for word in (message["subject"], message["body_text"], "@customer", "Carla"):
        assert word.encode() not in there.told[0].body
    state = await hooks.state(endpoint)
    assert (state["status"], state["failing_since"], state["failure_count"]) == ("active", None, 0)
    (hit,) = await hooks.desk.rows("select outcomes from rule_hits")
    assert hit["outcomes"][0] == {"type": "webhook", "done": True, "endpoint": str(endpoint)}


async def test_a_rule_says_why_nobody_was_told(hooks: Hooks) -> None:
    gone, off = await hooks.endpoint("https://gone.example.com/"), await hooks.endpoint("https://off.example.com/")
    async with hooks.desk.database.unit_of_work(hooks.desk.tenant_id) as connection:
        await remove_endpoint(connection, hooks.viewer, gone)
        await change_endpoint(connection, hooks.viewer, off, {"status": "disabled"})
    await hooks.rule({"type": "webhook", "endpoint": str(gone)}, {"type": "webhook", "endpoint": str(off)}, {"type": "priority", "value": "low"})
    await hooks.tell()
    assert FollowupKind.WEBHOOK not in {f.kind for f in await hooks.settle_desk()}
    (hit,) = await hooks.desk.rows("select outcomes from rule_hits")
    assert [(o["done"], o.get("why")) for o in hit["outcomes"]] == [(False, "no such webhook"), (False, "webhook is off"), (True, None)]
    assert await hooks.deliveries() == []


async def test_endpoints_are_told_the_events_that_they_asked_for_in_the_order_of_the_log(hooks: Hooks) -> None:
    async with receiver(200) as there:
        asked = await hooks.endpoint(there.url, "message.received", "note.added")
        silent = await hooks.endpoint(there.url)
        await hooks.tell("note.added")
        await hooks.tell("conversation.created")
        await hooks.tell("notification.added")
        await hooks.tell()
        follow = await hooks.settle_desk()
        assert follow.count(Followup(FollowupKind.WEBHOOK, str(asked))) >= 1
        assert Followup(FollowupKind.WEBHOOK, str(silent)) not in follow
        assert (await hooks.drain(asked)).delivered == 2
    bodies = [verified(told, SECRET) for told in there.told]
    assert [b["type"] for b in bodies] == ["note.added", "message.received"]
    assert bodies[1]["data"]["payload"] == {"classification": "message"}
    assert bodies[1]["data"]["conversation_id"] == str(hooks.desk.conversation_id)
    assert [d["event_id"] for d in await hooks.deliveries()] == [b["data"]["event_id"] for b in bodies]


async def test_events_of_other_inboxes_are_not_told(hooks: Hooks) -> None:
    ours = await hooks.endpoint("https://a.example.com/", "note.added", inbox_ids=[hooks.desk.inbox_id])
    await hooks.tell("note.added")
    await hooks.tell("note.added", inbox_id=None)
    await hooks.settle_desk()
    assert [d["endpoint_id"] for d in await hooks.deliveries()] == [ours]


@pytest.mark.parametrize(("answer", "said"), [(410, "gone"), (None, "blocked")])
async def test_what_will_never_do_switches_it_off_and_what_waits_goes_out_when_it_is_on_again(
    hooks: Hooks, answer: int | None, said: str
) -> None:
    async with receiver(*([answer] if answer else []), 200) as there:
        endpoint = await hooks.endpoint(there.url)
        delivery = await hooks.test(endpoint)
        if answer is None:
            hooks.policy = EgressPolicy()
        assert await hooks.drain_through(endpoint) == 1
        state = await hooks.state(endpoint)
        assert (state["status"], state["disabled_reason"], state["next_attempt_at"]) == ("disabled", said, None)
        assert await hooks.told("webhook.disabled") == [{"webhook_id": str(endpoint), "error": said, "reason": said}]
        assert [(d["status"], d["error"]) for d in await hooks.deliveries()] == [("pending", said)]
        hooks.policy = LOCAL
        async with hooks.desk.database.unit_of_work(hooks.desk.tenant_id) as connection:
            assert await change_endpoint(connection, hooks.viewer, endpoint, {"status": "active"})
        assert (await hooks.drain(endpoint)).delivered == 1
    assert set(ids(there)) == {str(delivery)}
    assert [d["status"] for d in await hooks.deliveries()] == ["delivered"]


async def test_order_holds_while_it_is_tried_again_and_days_of_failure_end_in_silence(hooks: Hooks) -> None:
    async with receiver(503) as there:
        endpoint = await hooks.endpoint(there.url)
        waiting = [await hooks.test(endpoint) for _ in range(4)]
        began = hooks.now
        await hooks.drain(endpoint)
        # As if it had failed for four days: the fifth is enough to see.
        await hooks.desk.rows("update webhook_endpoints set failing_since = :at where id = :id", at=began - 4 * DAY, id=endpoint)
        await hooks.drain_through(endpoint, most=60)
        passed = hooks.now - began
        state = await hooks.state(endpoint)
        assert (state["status"], state["disabled_reason"], state["last_error"]) == ("disabled", "failing", "server_error")
        assert DAY <= passed < 2 * DAY
        assert [len(await hooks.told(kind)) for kind in ("webhook.failing", "webhook.disabled")] == [1, 1]
        rows = await hooks.deliveries()
        assert [r["id"] for r in rows] == waiting
        assert {r["attempts"] for r in rows if r["status"] == "failed"} == {ATTEMPTS}
        assert [r["status"] for r in rows] == sorted((r["status"] for r in rows), key=["failed", "pending"].index)
        assert ids(there) == sorted(ids(there))  # ids grow with time
        there.answers[:] = [200]
        async with hooks.desk.database.unit_of_work(hooks.desk.tenant_id) as connection:
            await change_endpoint(connection, hooks.viewer, endpoint, {"status": "active"})
            assert await deliver_again(connection, hooks.desk.tenant_id, endpoint, waiting[0])
        before = len(there.told)
        await hooks.drain_through(endpoint)
        left = [str(r["id"]) for r in rows if r["status"] == "pending"]
        assert ids(there)[before:] == [str(waiting[0]), *left]
    assert (await hooks.state(endpoint))["status"] == "active"


async def test_both_secrets_sign_for_a_day_after_a_rotation(hooks: Hooks) -> None:
    async with receiver(200) as there:
        endpoint = await hooks.endpoint(there.url)
        async with hooks.desk.database.unit_of_work(hooks.desk.tenant_id) as connection:
            until = hooks.now + DAY
            assert await rotate_secret(connection, hooks.viewer, hooks.sealer, endpoint, secret=OTHER, until=until)
        for _ in range(2):
            await hooks.test(endpoint)
            await hooks.drain(endpoint)
            hooks.now += DAY
    verified(there.told[0], OTHER, SECRET)
    verified(there.told[1], OTHER)


async def test_a_secret_that_no_key_opens_tells_nobody_and_is_tried_again(hooks: Hooks) -> None:
    async with receiver(200) as there:
        endpoint = await hooks.endpoint(there.url)
        await hooks.test(endpoint)
        right, hooks.sealer = hooks.sealer, Sealer({"k2": b"x" * 32})
        assert (await hooks.drain(endpoint)).failed == 1
        assert (await hooks.state(endpoint))["last_error"] == "secret_unreadable"
        assert there.told == []
        hooks.sealer = right
        await hooks.drain_through(endpoint)
        assert len(there.told) == 1


async def test_the_result_of_an_attempt_that_was_overtaken_is_not_written(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("https://a.example.com/")
    await hooks.test(endpoint)
    tenant = hooks.desk.tenant_id
    async with hooks.desk.database.unit_of_work(tenant) as connection:
        slow = (await take_next(connection, tenant, endpoint, now=hooks.now)).taken
        swift = (await take_next(connection, tenant, endpoint, now=hooks.now + dt.timedelta(seconds=40))).taken
        assert slow is not None
        assert swift is not None
        assert (slow.id, slow.attempt, swift.attempt) == (swift.id, 1, 2)
        assert not await settle(connection, tenant, slow, Result("pending", 500, "server_error"), now=hooks.now)
        assert await settle(connection, tenant, swift, Result("delivered", 200), now=hooks.now)
    assert [(d["status"], d["response_status"]) for d in await hooks.deliveries()] == [("delivered", 200)]
    assert (await hooks.state(endpoint))["failure_count"] == 0
