"""One attempt through SES: suppressed addresses are left out, the id that SES gives is noted, and doubt stays doubt."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.deliver_ses import SesRoute
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.sender import SesSender
from providers.smtp.outcome import Stage, SubmitOutcome
from store.outbound import NewReply, Recipient, queue_reply
from store.outbound_frozen import Envelope, read_envelope
from store.suppression import suppress
from store.unit_of_work import Database
from tests.activities.ses_room import give_domain
from tests.servers.databases import Database as ServerDatabase
from tests.servers.ses_server import SesEndpoint, ses_endpoint
from tests.store.desk import NOW, Desk, open_desk

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"
LATER = NOW + dt.timedelta(hours=1)


class Post:
    """A desk whose mails go to an SES endpoint."""

    def __init__(self, desk: Desk, endpoint: SesEndpoint) -> None:
        self.desk, self.endpoint = desk, endpoint
        account = SesAccount("eu-west-1", "AKIAEXAMPLE", Secret("example"), endpoint=endpoint.url)
        self.route = SesRoute(desk.database, desk.tenant_id, SesSender(account), "eu-west-1", lambda: LATER)
        self.stages: list[Stage] = []

    async def envelope(self, *to: str) -> Envelope:
        reply = NewReply(self.desk.conversation_id, self.desk.agent_id, recipients=tuple(Recipient("to", a) for a in to), text="Hello.")
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            queued = await queue_reply(connection, tenant_id=self.desk.tenant_id, reply=reply, now=NOW)
        await self.desk.rows(
            "update messages set raw_key = 'out/x', raw_sha256 = 'x', message_id_header = :header where id = :id",
            id=queued.message_id, header=f"<{queued.message_id}@example.org>",
        )  # fmt: skip
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            found = await read_envelope(connection, tenant_id=self.desk.tenant_id, message_id=queued.message_id)
        assert found is not None
        return found

    async def hand_over(self, envelope: Envelope) -> SubmitOutcome:
        async def on_stage(stage: Stage) -> None:
            self.stages.append(stage)

        raw = f"From: desk@example.org\r\nX-Mailroom-Send-ID: {envelope.id}\r\n\r\nHello.\r\n".encode()
        return await self.route.hand_over(raw, envelope, on_stage)

    async def suppress(self, address: str) -> None:
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            await suppress(connection, tenant_id=self.desk.tenant_id, address=address, complaint=True, message_id=uuid.uuid4(), at=NOW)


@pytest_asyncio.fixture
async def post(module_database: ServerDatabase) -> AsyncIterator[Post]:
    database = Database(module_database.url)
    async with ses_endpoint() as endpoint:
        desk = await open_desk(database)
        await give_domain(desk.rows, desk.inbox_id, f"d{desk.tenant_id.hex}.example.org")
        yield Post(desk, endpoint)
    await database.close()


async def test_the_id_that_ses_gives_is_noted_and_leads_to_the_conversation(post: Post) -> None:
    envelope = await post.envelope(ANN, BOB)
    handed = await post.hand_over(envelope)
    (mail,) = post.endpoint.taken
    assert (handed.kind, handed.provider_id) == ("accepted", mail.id)
    assert post.stages == [Stage.CONNECT, Stage.DOT]
    assert mail.request["EmailTags"] == [{"Name": "send_id", "Value": str(envelope.id)}]
    assert (await post.desk.message(envelope.id))["provider_message_id"] == mail.id
    keys = await post.desk.rows("select key from thread_keys where conversation_id = :c and key like '%amazonses%'", c=post.desk.conversation_id)
    assert {k["key"] for k in keys} == {f"<{mail.id}@email.amazonses.com>", f"<{mail.id}@eu-west-1.amazonses.com>"}


async def test_who_was_suppressed_since_queuing_is_left_out_and_told(post: Post) -> None:
    envelope = await post.envelope(ANN, BOB)
    await post.suppress(ANN)
    handed = await post.hand_over(envelope)
    (mail,) = post.endpoint.taken
    assert mail.request["Destination"] == {"ToAddresses": [BOB]}
    assert {r.address: r.kind for r in handed.recipients} == {BOB: "accepted", ANN: "rejected"}


async def test_with_nobody_left_nothing_is_sent(post: Post) -> None:
    envelope = await post.envelope(ANN)
    await post.suppress(ANN)
    handed = await post.hand_over(envelope)
    assert (handed.kind, handed.reason, handed.provider_id) == ("rejected", "address_suppressed", None)
    assert "lift" in getattr(handed.error, "sentence", "")
    assert post.endpoint.requests == 0
    assert post.stages == []


@pytest.mark.parametrize("fault", ["reset_after_accept", "no_id"])
async def test_a_lost_answer_stays_a_doubt(post: Post, fault: str) -> None:
    post.endpoint.faults = [fault]  # type: ignore[list-item]
    envelope = await post.envelope(ANN)
    handed = await post.hand_over(envelope)
    assert (handed.kind, handed.provider_id, len(post.endpoint.taken)) == ("unknown", None, 1)
    assert (await post.desk.message(envelope.id))["provider_message_id"] is None


async def test_what_cannot_be_noted_does_not_hide_that_ses_has_the_mail(post: Post) -> None:
    envelope = await post.envelope(ANN)
    blocked = SesRoute(_Half(post.desk.database), post.desk.tenant_id, post.route._sender, "eu-west-1", lambda: LATER)  # type: ignore[arg-type]

    async def on_stage(_stage: Stage) -> None:
        return None

    handed = await blocked.hand_over(b"Subject: x\r\n\r\nHello.\r\n", envelope, on_stage)
    assert handed.kind == "accepted"


class _Half:
    """A database that answers once and is away then."""

    def __init__(self, database: Database) -> None:
        self._database, self._used = database, False

    def unit_of_work(self, tenant_id: uuid.UUID) -> object:
        if self._used:
            return Database("postgresql+psycopg://nobody@127.0.0.1:1/none").unit_of_work(tenant_id)
        self._used = True
        return self._database.unit_of_work(tenant_id)
