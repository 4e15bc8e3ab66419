"""A Mailroom of an operator with Amazon SES, in one process: the API behind its webhook, the worker or only its steps, and stand-ins.

SES is moto, its receipt bucket lies on the session's S3, SNS signs for real, a name server answers for the domain. What AWS does by
itself (finding the keys in DNS, putting mail into the bucket, publishing) the test does in its place.
"""

import base64
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from moto.backends import get_backend
from moto.server import ThreadedMotoServer
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.deliver_ses import SesPost
from activities.domain_check import DomainChecking
from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver
from activities.parser_pool import ParserPool
from activities.ses_spool import SesSpool
from activities.sweep import Sweeping
from api.app import Sns
from api.push_pokes import PushPokes
from api.temporal_gateway import TemporalGateway
from contracts import ids, queues
from contracts.connect import ConnectReport
from contracts.domains import DomainRef
from contracts.outbound import DeliverReport
from contracts.refs import MessageRef
from contracts.sweep import SweepState
from providers.dns.lookup import DnsLookup
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.identities import SesIdentities
from providers.ses.sender import SesSender
from providers.ses.sns_door import SnsDoor
from settings import Settings
from store.unit_of_work import Database
from tests.activities.mail_room import SEALER, SECRET
from tests.activities.ses_mail_room import SesMailRoom
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world
from tests.conftest import S3Server
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.dns import DnsServer, dns_server
from tests.servers.ses_payloads import receipt
from tests.servers.sns import REGION, TOPIC, SnsSigner, sns_host
from worker import workers
from worker_steps import SesParts, Steps, composed, ses_parts
from worker_telemetry import WorkerTelemetry

AWS_ACCOUNT = "123456789012"
TOKENS = ["tokenone", "tokentwo", "tokenthree"]


@dataclass
class SesMailroom:
    """`poked` are the inboxes that were woken. `ahead` is how far the sweep's clock is before ours."""

    url: str
    world: World
    blobs: BlobStore
    parsers: ParserPool
    s3: S3Server
    ses: SesAccount
    signer: SnsSigner
    dns: DnsServer
    poked: list[str]
    prefix: str = field(default_factory=lambda: f"ses-{uuid.uuid4().hex}/")
    ahead: dt.timedelta = dt.timedelta()

    def checking(self) -> DomainChecking:
        return DomainChecking(self.world.database, DnsLookup([self.dns.address], seconds=0.5), identities=SesIdentities(self.ses))

    async def look_at(self, domain_id: str) -> dict[str, Any]:
        """What the sweep has done for a domain that is due; what the page shows then."""
        await self.checking().check(DomainRef(str(self.world.tenant_id), domain_id))
        async with self.world.client("admin") as client:
            return dict((await client.get(f"/v1/domains/{domain_id}")).json())

    def publish(self, name: str, records: list[dict[str, Any]]) -> None:
        """The admin sets what the page shows."""
        for one in records:
            if one["record"] == "ownership":
                self.dns.put(one["name"], "TXT", f'"{one["value"]}"')
            if one["record"] == "dkim" and one["name"] != name:
                self.dns.put(one["name"], "CNAME", f"{one['value'].rstrip('.')}.")
                self.dns.put(one["value"].rstrip("."), "TXT", '"v=DKIM1; p=AAAA"')

    def ses_found_the_keys(self, name: str, *, verified: bool) -> None:
        """What moto leaves out: SES gives keys with a new identity, and verifies it when it finds them."""
        backend = get_backend("sesv2")[AWS_ACCOUNT][REGION].core_backend
        identity = backend.email_identities[name]
        identity.dkim_attributes["Tokens"] = TOKENS
        identity.verified_for_sending_status = verified
        if verified:
            client = boto3.client("ses", region_name=REGION, endpoint_url=self.ses.endpoint, aws_access_key_id="x", aws_secret_access_key="x")
            client.verify_domain_identity(Domain=name)
            client.close()

    async def held_domain(self) -> dict[str, Any]:
        """A domain that the team holds and SES sends as, by the way that `test_ses_journey.py` walks step by step."""
        name = f"d{uuid.uuid4().hex}.example.org"
        async with self.world.client("admin") as admin:
            domain = (await admin.post("/v1/domains", json={"name": name})).json()
        self.publish(name, domain["records"])
        await self.look_at(domain["id"])
        self.ses_found_the_keys(name, verified=False)
        shown = await self.look_at(domain["id"])
        self.publish(name, [r for r in shown["records"] if r["record"] == "dkim"])
        self.ses_found_the_keys(name, verified=True)
        shown = await self.look_at(domain["id"])
        assert (shown["verified"], shown["ses_verified"]) == (True, True), shown
        return shown

    async def add_desk(self, domain: dict[str, Any]) -> dict[str, Any]:
        """An inbox at the domain."""
        async with self.world.client("admin") as admin:
            wanted = {"name": "Desk", "local_part": "desk", "undo_send_seconds": 0}
            made = await admin.post(f"/v1/domains/{domain['id']}/inboxes", json=wanted)
        assert made.status_code == 201, made.text
        return dict(made.json())

    def desk(self, inbox: dict[str, Any], domain: str) -> SesMailRoom:
        """The rows, steps and receipt bucket of an inbox that the API made."""
        return SesMailRoom(
            self.world.database, self.blobs, self.parsers, port=1, user="", password="", s3=self.s3, domain=domain,
            tenant_id=self.world.tenant_id, inbox_id=uuid.UUID(inbox["id"]), prefix=self.prefix,
        )  # fmt: skip

    async def room(self, inbox: dict[str, Any], domain: str) -> SesMailRoom:
        """The steps for an inbox that the API made, connected as its workflow does."""
        made = self.desk(inbox, domain)
        report: ConnectReport = await ActivityEnvironment().run(made.connecting.verify, made.ref)
        assert report.ok, report
        await ActivityEnvironment().run(made.connecting.discover, made.ref)
        return made

    async def publish_notice(self, payload: dict[str, Any]) -> None:
        """SNS posts it to the webhook."""
        async with self.world.client(None) as client:
            answer = await client.post("/api/webhooks/ses", content=json.dumps(self.signer.notice(payload)).encode(), headers={"Content-Type": "text/plain; charset=UTF-8"})
        assert answer.status_code == 200, answer.text
        await self.world.deps.pokes.quiet()

    async def receive(self, room: SesMailRoom, raw: bytes, to: str, *, told: bool = True) -> str:
        object_id = await room.put(raw, to, told=False)
        if told:
            bucket, _, key = object_id.partition("/")
            await self.publish_notice(receipt(key.removeprefix(room.prefix), to, bucket=bucket, key=key, at=dt.datetime.now(dt.UTC)))
        return object_id

    def call_on(self, client: Client) -> None:
        """From here on the API and its webhooks talk to this Temporal."""
        gateway = TemporalGateway(client)

        async def poke(tenant: str, inbox_id: str, provider: str) -> bool:
            self.poked.append(inbox_id)
            return await gateway.poke_sync(tenant, inbox_id, provider)

        self.world.deps = replace(self.world.deps, gateway=gateway, pokes=PushPokes(poke, rest_seconds=0.0))

    @asynccontextmanager
    async def working(self, client: Client, *, ses: str, poll_seconds: int = 300) -> AsyncIterator[None]:
        """The worker as it is composed and run, on a Temporal that only this test has. `ses` is where mail is handed over."""
        settings = self._settings(ses, poll_seconds)
        parts = ses_parts(settings)
        try:
            async with composed(settings) as steps, AsyncExitStack() as stack:
                for one in workers(client, self._ahead(steps, parts, poll_seconds), queues.ALL, settings, WorkerTelemetry()):
                    await stack.enter_async_context(one)
                yield
        finally:
            parts.close()

    def _settings(self, ses: str, poll_seconds: int) -> Settings:
        given = {
            "database_url": self.url, "database_pool_size": 8,
            "s3_endpoint": self.s3.endpoint, "s3_region": self.s3.region, "s3_bucket": self.s3.bucket,
            "s3_access_key": self.s3.access_key, "s3_secret_key": self.s3.secret_key,
            "credential_keys": f"k1:{base64.b64encode(b'k' * 32).decode()}",
            "session_secret": SECRET.decode(), "token_secret": SECRET.decode(),
            "worker_parsers": 1, "dns_servers": self.dns.address,
            "ses_region": REGION, "ses_access_key": self.s3.access_key, "ses_secret_key": self.s3.secret_key,
            "ses_configuration_set": "mailroom", "ses_endpoint": ses,
            "ses_receipt_bucket": self.s3.bucket, "ses_receipt_prefix": self.prefix, "ses_receipt_endpoint": self.s3.endpoint,
        }  # fmt: skip
        # An operator may look every five seconds at most, which is long for a test.
        return Settings.model_validate(given).model_copy(update={"poll_seconds": poll_seconds})

    def _ahead(self, steps: Steps, parts: SesParts, poll_seconds: int) -> Steps:
        """The same steps; the sweep's are on a clock that the test can put forward."""

        def clock() -> dt.datetime:
            return dt.datetime.now(dt.UTC) + self.ahead

        assert parts.bucket is not None
        spool = SesSpool(steps.database, parts.bucket, every=poll_seconds, ticks=lambda: clock().timestamp())
        sweeping = Sweeping(steps.database, poll_seconds=poll_seconds, spool=spool, clock=clock)
        return replace(steps, objects=tuple(sweeping if isinstance(o, Sweeping) else o for o in steps.objects))

    async def sweep(self, client: Client) -> SweepState:
        """The schedule's part: a time-skipping server has none."""
        done: SweepState = await client.execute_workflow("Sweep", id=ids.SWEEP, task_queue=queues.FLOW, result_type=SweepState)
        return done

    def accepted(self, domain: str) -> list[Any]:
        """What moto took from this domain."""
        taken = get_backend("ses")[AWS_ACCOUNT][REGION].sent_messages
        return [mail for mail in taken if mail.source.endswith(f"@{domain}")]

    async def about(self, subject: str) -> dict[str, Any] | None:
        """The conversation, as an agent's list shows it."""
        async with self.world.client("agent") as agent:
            listed = (await agent.get("/v1/conversations", params={"limit": 50})).json()["items"]
        found = [c for c in listed if c["subject"] == subject]
        assert len(found) <= 1
        return found[0] if found else None

    async def messages(self, conversation: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.world.client("agent") as agent:
            return list((await agent.get(f"/v1/conversations/{conversation['id']}/messages")).json()["items"])

    async def message(self, message_id: str) -> dict[str, Any]:
        async with self.world.client("agent") as agent:
            return dict((await agent.get(f"/v1/messages/{message_id}")).json())

    async def timeline(self, message_id: str) -> list[str]:
        """The steps of a message, by name."""
        async with self.world.client("agent") as agent:
            return [s["step"] for s in (await agent.get(f"/v1/messages/{message_id}/timeline")).json()["items"]]

    async def reply(self, conversation: dict[str, Any], words: str) -> str:
        """An agent answers; the message's id."""
        path = f"/v1/conversations/{conversation['id']}"
        async with self.world.client("agent") as agent:
            body = {"text": words, "seen_version": (await agent.get(path)).json()["version"]}
            answer = await agent.post(f"{path}/messages", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def send(self, message_id: str) -> DeliverReport:
        """What the workflow does with a reply that is due."""
        ref = MessageRef(str(self.world.tenant_id), message_id)
        database = self.world.database
        composing = OutboundCompose(database, self.blobs, SECRET)
        delivering = OutboundDeliver(
            database, Accounts(database, SEALER), self.blobs, _no_smtp, ses=SesPost(SesSender(self.ses), self.ses.region)
        )
        await ActivityEnvironment().run(composing.compose, ref)
        report: DeliverReport = await ActivityEnvironment().run(delivering.deliver, ref)
        return report


def _no_smtp(_: object) -> Any:
    raise AssertionError("an inbox of SES has no SMTP server")


@contextmanager
def moto_server() -> Iterator[str]:
    """SES as moto has it; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@asynccontextmanager
async def ses_mailroom(database: ServerDatabase, s3: S3Server, certificates: Certificates) -> AsyncIterator[SesMailroom]:
    """Nobody works there yet: the API notes what it would tell Temporal."""
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(s3.endpoint, s3.bucket, s3.access_key, s3.secret_key, s3.region)
    parsers, signer = ParserPool(workers=1, secret=SECRET), SnsSigner()
    poked: list[str] = []

    async def poke(_tenant: str, inbox_id: str, provider: str) -> bool:
        assert provider == "ses"
        poked.append(inbox_id)
        return True

    with moto_server() as moto:
        async with dns_server() as dns, sns_host(signer, certificates) as (_, client):
            deps = make_deps(house, database.url, sns=Sns(SnsDoor(client, [TOPIC])), pokes=PushPokes(poke, rest_seconds=0.0))
            ses = SesAccount(REGION, "AKIAEXAMPLE", Secret("example"), endpoint=moto)
            world = await make_world(deps, mail=False)
            await world.rows("update inboxes set paused_at = now()")  # it has no mailbox
            yield SesMailroom(database.url, world, blobs, parsers, s3, ses, signer, dns, poked)
    parsers.close()
    blobs.close()
    await house.close()
