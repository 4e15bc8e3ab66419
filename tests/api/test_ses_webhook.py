"""The SNS webhook: proven, written down once, applied after that; whoever is not believed leaves no trace (X-40)."""

import contextlib
import datetime as dt
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.ses_notices import apply_waiting
from api import ses_webhook
from api.app import Sns
from api.rate_limits import Rate, RateLimits
from providers.ses.sns_door import SnsDoor
from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world
from tests.servers.certificates import Certificates
from tests.servers.ses_payloads import event, ses_id
from tests.servers.sns import CERTIFICATE, TOPIC, SnsHost, SnsSigner, sns_host

ANN = "ann@customer.example.com"
PATH = "/api/webhooks/ses"


@pytest.fixture(scope="module")
def signer() -> SnsSigner:
    return SnsSigner()


@pytest_asyncio.fixture(loop_scope="session")
async def post_box(house: Database, module_database, signer: SnsSigner, certificates: Certificates) -> AsyncIterator["PostBox"]:
    async with sns_host(signer, certificates) as (host, client):
        deps = make_deps(house, module_database.url, sns=Sns(SnsDoor(client, [TOPIC])))
        yield PostBox(await make_world(deps), host, signer)


class PostBox:
    """A tenant with a sent mail, and SNS before its door."""

    def __init__(self, world: World, host: SnsHost, signer: SnsSigner) -> None:
        self.world, self.host, self.signer = world, host, signer

    async def sent(self) -> uuid.UUID:
        message_id = await self.world.outgoing("sent", raw_key="out/x", send_attempts=1)
        await self.world.rows("delete from message_recipients where message_id = :id", id=message_id)
        await self.world.recipient(message_id, ANN)
        return message_id

    async def post(self, message: Any, **headers: str) -> httpx.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        async with self.world.client(None, **headers) as client:
            return await client.post(PATH, content=content, headers={"Content-Type": "text/plain; charset=UTF-8"})

    async def notices(self) -> list[dict[str, Any]]:
        async with self.world.database.system_unit_of_work() as connection:
            rows = await connection.exec_driver_sql("select * from sns_notices order by id")
            return [dict(r) for r in rows.mappings()]

    async def status(self, message_id: uuid.UUID) -> str:
        (row,) = await self.world.rows("select delivery_status from message_recipients where message_id = :id", id=message_id)
        return str(row["delivery_status"])


async def test_an_event_is_taken_once_and_shown(post_box: PostBox) -> None:
    message_id = await post_box.sent()
    notice = post_box.signer.notice(event("Bounce", ses_id(), ANN, send_id=str(message_id)))
    before = len(await post_box.notices())
    assert [(await post_box.post(notice)).status_code for _ in range(3)] == [200, 200, 200]
    new = (await post_box.notices())[before:]
    assert [(n["state"], n["body"], n["message_id"]) for n in new] == [("applied", "", notice["MessageId"])]
    assert await post_box.status(message_id) == "bounced"
    async with post_box.world.client("agent") as client:
        steps = (await client.get(f"/v1/messages/{message_id}/timeline")).json()["items"]
    assert [s["step"] for s in steps if s["kind"] == "report"] == ["report: bounced"]
    events = await post_box.world.rows("select type from events where message_id = :id", id=message_id)
    assert [e["type"] for e in events] == ["message.bounced"]


async def test_a_bad_signature_gets_401_without_detail_and_no_row(post_box: PostBox, caplog: pytest.LogCaptureFixture) -> None:
    message_id = await post_box.sent()
    good = post_box.signer.notice(event("Bounce", ses_id(), ANN, send_id=str(message_id)))
    before = await post_box.notices()
    forged = SnsSigner().notice(event("Bounce", ses_id(), ANN, send_id=str(message_id)))
    foreign = post_box.signer.notice("{}", TopicArn="arn:aws:sns:us-east-1:999999999999:other")
    late = post_box.signer.notice("{}", Timestamp="2025-03-04T09:00:00.000Z")
    told = set()
    with caplog.at_level(logging.INFO, "mailroom"):
        for bad in (forged, foreign, late, good | {"Message": "{}"}, b"", b"not json", {"Type": "Notification"}):
            answer = await post_box.post(bad)
            told.add((answer.status_code, answer.text))
    assert len(told) == 1, "one answer for every reason"
    assert answer.status_code == 401
    assert await post_box.notices() == before
    assert await post_box.status(message_id) == "pending"
    assert ANN not in caplog.text
    assert "signature_wrong" in caplog.text


async def test_a_subscription_is_confirmed_once(post_box: PostBox) -> None:
    offer = post_box.signer.subscription()
    for _ in range(2):
        assert (await post_box.post(offer)).status_code == 200
    assert sum("ConfirmSubscription" in t for t in post_box.host.asked) == 1
    foreign = post_box.signer.subscription(TopicArn="arn:aws:sns:us-east-1:999999999999:other")
    assert (await post_box.post(foreign)).status_code == 401
    assert sum("ConfirmSubscription" in t for t in post_box.host.asked) == 1


async def test_a_subscription_that_fails_is_offered_again(post_box: PostBox) -> None:
    offer, good = post_box.signer.subscription(), post_box.host.answers["/"]
    post_box.host.answers["/"] = (500, b"")
    assert (await post_box.post(offer)).status_code == 503
    post_box.host.answers["/"] = good
    assert (await post_box.post(offer)).status_code == 200


async def test_an_unsubscribed_topic_is_told_to_the_operator(post_box: PostBox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mailroom"):
        assert (await post_box.post(post_box.signer.subscription("UnsubscribeConfirmation"))).status_code == 200
    assert "unsubscribed" in caplog.text
    assert not any("ConfirmSubscription" in t for t in post_box.host.asked)


async def test_without_the_certificate_sns_is_asked_to_tell_it_again(post_box: PostBox) -> None:
    notice, good = post_box.signer.notice("{}"), post_box.host.answers[CERTIFICATE]
    post_box.host.answers[CERTIFICATE] = (503, b"")
    answer = await post_box.post(notice)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    post_box.host.answers[CERTIFICATE] = good
    assert (await post_box.post(notice)).status_code == 200


async def test_more_than_a_megabyte_is_not_read(post_box: PostBox) -> None:
    assert (await post_box.post(b"x" * (1024 * 1024 + 1))).status_code == 413
    assert (await post_box.post(post_box.signer.notice("{}"), **{"Content-Encoding": "gzip"})).status_code == 415


async def test_a_source_that_floods_is_slowed_down(post_box: PostBox) -> None:
    deps = make_deps(post_box.world.database, "", limits=RateLimits(hook=Rate(60, 2)))
    slow = PostBox(World(deps, post_box.world.database, post_box.world.tenant_id), post_box.host, post_box.signer)
    assert [(await slow.post(b"")).status_code for _ in range(3)] == [401, 401, 429]


async def test_what_could_not_be_applied_at_once_is_applied_by_the_sweep(post_box: PostBox, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await post_box.sent()

    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(ses_webhook, "apply_notice", broken)
        assert (await post_box.post(post_box.signer.notice(event("Delivery", ses_id(), ANN, send_id=str(message_id))))).status_code == 200
    assert await post_box.status(message_id) == "pending"
    for minutes in (0, 1, 2):
        await apply_waiting(post_box.world.database, now=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes))
        assert await post_box.status(message_id) == ("delivered" if minutes else "pending")


async def test_a_notice_that_breaks_the_sweep_holds_up_no_other(post_box: PostBox, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await post_box.sent()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    monkeypatch.setattr(ses_webhook, "apply_notice", _nothing)
    poison = post_box.signer.notice(event("Delivery", ses_id(), ANN, send_id=str(uuid.uuid4())))
    good = post_box.signer.notice(event("Delivery", ses_id(), ANN, send_id=str(message_id)))
    for notice in (poison, good):
        assert (await post_box.post(notice)).status_code == 200
    real = apply_waiting.__globals__["apply_notice"]

    async def sometimes(connection: Any, notice_id: uuid.UUID, **given: Any) -> Any:
        found = await connection.exec_driver_sql("select message_id from sns_notices where id = %s", (notice_id,))
        if found.scalar_one() == poison["MessageId"]:
            raise ValueError("a defect")
        return await real(connection, notice_id, **given)

    monkeypatch.setitem(apply_waiting.__globals__, "apply_notice", sometimes)
    for _ in range(6):
        with contextlib.suppress(ValueError):
            await apply_waiting(post_box.world.database, now=later)
    assert await post_box.status(message_id) == "delivered"
    (row,) = [n for n in await post_box.notices() if n["message_id"] == poison["MessageId"]]
    assert (row["state"], row["attempts"], row["reason"]) == ("failed", 5, "ValueError")


async def _nothing(*_: Any, **__: Any) -> None:
    return None
