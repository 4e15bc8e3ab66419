"""Sending: the row first, once per key, never past a newer message, and every wrong field by its name."""

import asyncio
import uuid

import pytest

from store.idempotency import claim_key
from tests.api.world import World

BODY = {"text": "We come at once.", "seen_version": 99}


def path_of(world: World) -> str:
    return f"/v1/conversations/{world.ids['conversation']}/messages"


async def outgoing(world: World) -> int:
    return len(
        await world.rows(
            "select 1 from messages where direction = 'outbound' and body_text = 'We come at once.'"
        )
    )


async def test_a_reply_is_queued_and_its_workflow_started(world) -> None:
    async with world.client("agent") as client:
        answer = await client.post(path_of(world), json=BODY)
    message = answer.json()
    assert answer.status_code == 201
    assert message["send"]["status"] == "queued"
    assert message["to"] == [{"address": "carla@customer.example.com", "name": "Carla"}]
    assert message["author"]["name"] == "The agent"
    assert ("send", str(world.tenant_id), message["inbox_id"], message["id"]) in world.gateway.calls


async def test_with_temporal_away_the_row_waits(world) -> None:
    world.gateway.away = True
    async with world.client("key:write") as client:
        answer = await client.post(path_of(world), json=BODY)
    assert answer.status_code == 201
    assert answer.json()["author"] is None
    assert await outgoing(world) == 1


async def test_the_same_key_and_body_get_the_same_answer_whatever_the_spelling(world) -> None:
    async with world.client("agent", **{"Idempotency-Key": "k-1"}) as client:
        first = await client.post(path_of(world), json=BODY)
        again = await client.post(
            path_of(world),
            content=b'{ "seen_version": 99,  "text": "We come at once." }',
            headers={"Content-Type": "application/json"},
        )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert await outgoing(world) == 1


async def test_another_body_caller_or_conversation_under_a_used_key_is_refused(world) -> None:
    key = {"Idempotency-Key": "k-2"}
    other = await world.conversation(43)
    async with world.client("agent", **key) as agent, world.client("owner", **key) as owner:
        assert (await agent.post(path_of(world), json=BODY)).status_code == 201
        for answer in (
            await agent.post(path_of(world), json={**BODY, "text": "Other words"}),
            await agent.post(f"/v1/conversations/{other}/messages", json=BODY),
            await owner.post(path_of(world), json=BODY),
        ):
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/key-reused")
    assert await outgoing(world) == 1


async def test_another_tenant_may_use_the_same_key(world, other) -> None:
    for one in (world, other):
        async with one.client("agent", **{"Idempotency-Key": "k-3"}) as client:
            assert (await client.post(path_of(one), json=BODY)).status_code == 201


async def test_of_requests_that_race_under_one_key_exactly_one_sends(world) -> None:
    async with world.client("agent", **{"Idempotency-Key": "k-race"}) as client:
        answers = await asyncio.gather(*(client.post(path_of(world), json=BODY) for _ in range(6)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    assert await outgoing(world) == 1


async def test_a_request_that_is_still_under_way_is_said_to_be(world) -> None:
    async with world.database.unit_of_work(world.tenant_id) as connection:
        assert await claim_key(connection, world.tenant_id, "k-slow", route="r", request_hash=b"h") is None
        async with world.client("agent", **{"Idempotency-Key": "k-slow"}) as client:
            answer = await client.post(path_of(world), json=BODY)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/key-in-flight")
    assert answer.headers["retry-after"] == "1"
    assert await outgoing(world) == 0


async def test_a_refused_request_leaves_its_key_free(world) -> None:
    async with world.client("agent", **{"Idempotency-Key": "k-4"}) as client:
        assert (await client.post(path_of(world), json={**BODY, "text": " "})).status_code == 422
        assert (await client.post(path_of(world), json=BODY)).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
async def test_a_key_that_is_none(world, key) -> None:
    async with world.client("agent") as client:
        answer = await client.post(path_of(world), json=BODY, headers={"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_newer_message_stops_the_reply_and_is_shown(world) -> None:
    await world.rows("update messages set at_version = 7 where id = :m", m=world.ids["message"])
    async with world.client("agent") as client:
        answer = await client.post(path_of(world), json={**BODY, "seen_version": 3})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/problems/stale-view")
        assert [m["id"] for m in problem["newer_messages"]] == [str(world.ids["message"])]
        again = await client.post(
            path_of(world), json={**BODY, "seen_version": problem["current_version"] + 7}
        )
    assert again.status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": None}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"subject": "a\r\nBcc: x@example.com"}, "subject"),
        ({"to": [{"address": "a@example.com\nBcc: b@example.com", "name": ""}]}, "to[0].address"),
        ({"to": [{"address": "a@example.com", "name": "x\r\ny"}]}, "to[0].name"),
        (
            {
                "cc": [{"address": "a@example.com"}, {"address": "nobody"}],
                "to": [{"address": "c@example.com"}],
            },
            "cc[1].address",
        ),
        ({"to": []}, "to"),
        ({"to": [{"address": "a@example.com", "nick": "x"}]}, "to[0].nick"),
        ({"attachments": [str(uuid.uuid4())]}, "attachments[0]"),
        ({"attachments": ["x"]}, "attachments[0]"),
        ({"seen_version": "3"}, "seen_version"),
        ({"seen_version": None}, "seen_version"),
        ({"send_at": "2030-01-01T00:00:00"}, "send_at"),
        ({"send_at": "tomorrow"}, "send_at"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_sent(world, change, field) -> None:
    async with world.client("agent") as client:
        answer = await client.post(path_of(world), json={**BODY, **change})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert await outgoing(world) == 0


async def test_a_scheduled_reply_says_when(world) -> None:
    async with world.client("agent") as client:
        answer = await client.post(path_of(world), json={**BODY, "send_at": "2099-01-01T00:00:00+01:00"})
    send = answer.json()["send"]
    assert (send["status"], send["scheduled_at"], send["can"]) == (
        "scheduled",
        "2098-12-31T23:00:00Z",
        ["cancel"],
    )


async def test_decisions_of_people(world) -> None:
    ids = world.ids
    async with world.client("agent") as client:

        async def decide(row: str, what: str, body: dict | None = None) -> tuple[int, str]:
            answer = await client.post(f"/v1/messages/{ids[row]}/{what}", json=body)
            found = answer.json()
            return answer.status_code, found["send"]["status"] if answer.status_code == 200 else found["type"]

        assert await decide("queued", "cancel") == (200, "cancelled")
        assert await decide("queued", "cancel") == (409, "/problems/too-late")
        assert await decide("failed", "retry") == (200, "queued")
        assert await decide("sent", "retry") == (409, "/problems/not-failed")
        assert await decide("unknown", "resolve", {"outcome": "send_again"}) == (200, "queued")
        assert await decide("unknown", "resolve", {"outcome": "sent"}) == (409, "/problems/not-unknown")
        assert await decide("message", "cancel") == (409, "/problems/too-late")
    calls = world.gateway.calls
    assert ("cancel", str(ids["queued"])) in calls
    assert [c[3] for c in calls if c[0] == "send"] == [str(ids["failed"]), str(ids["unknown"])]


async def test_not_spam_becomes_a_conversation_once(world) -> None:
    path = f"/v1/messages/{world.ids['spam']}/not-spam"
    async with world.client("agent") as client:
        first, again = (await client.post(path)).json(), (await client.post(path)).json()
        assert (await client.post(f"/v1/messages/{world.ids['message']}/not-spam")).status_code == 200
    assert first["conversation_id"] == again["conversation_id"] is not None
    assert first["spam"] is False
