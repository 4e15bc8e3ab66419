"""A team on Amazon SES: its domain is proven, its inbox made, mail comes with and without notice, a reply goes out, a dead address is left alone."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest_asyncio

from contracts.outbound import DeliverOutcome
from tests.activities.mail_room import letter
from tests.conftest import S3Server
from tests.journeys.ses_mailroom import SesMailroom, ses_mailroom
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.ses_payloads import event

CARLA = "carla@customer.example.com"
GONE = "gone@customer.example.com"


@pytest_asyncio.fixture
async def operator(database: ServerDatabase, s3_server: S3Server, certificates: Certificates) -> AsyncIterator[SesMailroom]:
    async with ses_mailroom(database, s3_server, certificates) as made:
        yield made


async def test_a_team_works_through_ses(operator: SesMailroom) -> None:
    name = f"d{uuid.uuid4().hex}.example.org"
    async with operator.world.client("admin") as admin:
        # The domain: claimed, proven, made known to SES, whose keys are then shown and looked for.
        domain = (await admin.post("/v1/domains", json={"name": name})).json()
        early = await admin.post(f"/v1/domains/{domain['id']}/inboxes", json={"name": "Desk", "local_part": "desk"})
        assert early.json()["errors"][0]["field"] == "domain_id"
        operator.publish(name, domain["records"])
        assert (await operator.look_at(domain["id"]))["verified"]
        operator.ses_found_the_keys(name, verified=False)
        shown = await operator.look_at(domain["id"])
        keys = [r for r in shown["records"] if r["record"] == "dkim"]
        assert [(r["status"], r["name"].partition(".")[0]) for r in keys] == [("missing", t) for t in ("tokenone", "tokentwo", "tokenthree")]
        operator.publish(name, keys)
        operator.ses_found_the_keys(name, verified=True)
        shown = await operator.look_at(domain["id"])
        assert (shown["dkim_verified"], shown["ses_verified"]) == (True, True)

        # The inbox.
        made = await admin.post(f"/v1/domains/{domain['id']}/inboxes", json={"name": "Desk", "local_part": "desk", "undo_send_seconds": 0})
        inbox = made.json()
        assert (made.status_code, inbox["email_address"]) == (201, f"desk@{name}")
        room = await operator.room(inbox, name)
        assert (await admin.get(f"/v1/inboxes/{inbox['id']}")).json()["health"] == "ok"

        # Mail comes: told of, and not told of; to somebody who is not there.
        await operator.receive(room, letter(1, subject="Printer on fire", sender=CARLA, to=f"desk@{name}"), f"desk@{name}")
        assert operator.poked == [inbox["id"]]
        await operator.receive(room, letter(2, subject="Nobody told you", sender=GONE, to=f"desk@{name}"), f"desk@{name}", told=False)
        await operator.receive(room, letter(3, subject="For sales", sender=CARLA, to=f"sales@{name}"), f"sales@{name}")
        await room.settle()
        assert await room.subjects() == ["Printer on fire"]
        assert await room.look() == 1
        await room.settle()
        assert sorted(await room.subjects()) == ["Nobody told you", "Printer on fire"]
        assert (await admin.get(f"/v1/domains/{domain['id']}")).json()["unclaimed_mails"] == 1

    async with operator.world.client("agent") as agent:
        listed = (await agent.get("/v1/conversations", params={"inbox": inbox["id"]})).json()["items"]
        conversations = {c["subject"]: c for c in listed}
        assert set(conversations) == {"Printer on fire", "Nobody told you"}

        async def reply(subject: str) -> dict[str, object]:
            path = f"/v1/conversations/{conversations[subject]['id']}"
            body = {"text": "We are coming.", "seen_version": (await agent.get(path)).json()["version"]}
            answer = await agent.post(f"{path}/messages", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
            return {"status": answer.status_code, **answer.json()}

        # A reply goes out through SES, and its delivery is shown.
        sent = await reply("Printer on fire")
        assert (await operator.send(str(sent["id"]))).outcome is DeliverOutcome.SENT
        (row,) = await room.rows("select provider_message_id from messages where id = :id", id=sent["id"])
        ses_id = row["provider_message_id"]
        await operator.publish_notice(event("Delivery", ses_id, CARLA, send_id=str(sent["id"])))
        assert await _delivery(room, sent) == "delivered"

        # The customer answers what SES rewrote, and it is the same conversation.
        answer = letter(4, subject="Re: Printer on fire", sender=CARLA, to=f"desk@{name}", in_reply_to=f"<{ses_id}@email.amazonses.com>")
        await operator.receive(room, answer, f"desk@{name}")
        await room.settle()
        listed = (await agent.get("/v1/conversations", params={"inbox": inbox["id"]})).json()["items"]
        assert len(listed) == 2

        # A dead address bounces, and nothing is sent to it again.
        lost = await reply("Nobody told you")
        assert (await operator.send(str(lost["id"]))).outcome is DeliverOutcome.SENT
        (row,) = await room.rows("select provider_message_id from messages where id = :id", id=lost["id"])
        await operator.publish_notice(event("Bounce", row["provider_message_id"], GONE, send_id=str(lost["id"]), at=dt.datetime.now(dt.UTC)))
        assert await _delivery(room, lost) == "bounced"
        refused = await reply("Nobody told you")
        assert (refused["status"], refused["errors"][0]["field"]) == (422, "to")  # type: ignore[index]
        assert "Suppressed" in refused["errors"][0]["message"]  # type: ignore[index]

    async with operator.world.client("admin") as admin:
        # An inbox that catches the rest gets what waited for it.
        rest = await admin.post(f"/v1/domains/{domain['id']}/inboxes", json={"name": "Rest", "local_part": "rest", "is_catchall": True})
        other = await operator.room(rest.json(), name)
        await room.look()
        await other.settle()
        assert await other.subjects() == ["For sales"]
    await other.close()
    await room.close()


async def _delivery(room: object, message: dict[str, object]) -> str:
    (row,) = await room.rows("select delivery_status from message_recipients where message_id = :id", id=message["id"])  # type: ignore[attr-defined]
    return str(row["delivery_status"])
