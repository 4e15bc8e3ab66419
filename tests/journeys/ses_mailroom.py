"""A Mailroom of an operator with Amazon SES, in one process: the API behind its webhook, the steps of the worker, and stand-ins.

SES is moto, its receipt bucket lies on the session's S3, SNS signs for real, a name server answers for the domain. What AWS does by
itself (finding the keys in DNS, putting mail into the bucket, publishing) the test does in its place.
"""

import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.backends import get_backend
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.deliver_ses import SesPost
from activities.domain_check import DomainChecking
from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver
from activities.parser_pool import ParserPool
from api.app import Sns
from api.push_pokes import PushPokes
from contracts.connect import ConnectReport
from contracts.domains import DomainRef
from contracts.outbound import DeliverReport
from contracts.refs import MessageRef
from providers.dns.lookup import DnsLookup
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.identities import SesIdentities
from providers.ses.sender import SesSender
from providers.ses.sns_door import SnsDoor
from store.unit_of_work import Database
from tests.activities.mail_room import SEALER, SECRET
from tests.activities.ses_mail_room import SesMailRoom
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world
from tests.conftest import S3Server
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.dns import DnsServer
from tests.servers.ses_payloads import receipt
from tests.servers.sns import REGION, TOPIC, SnsSigner, sns_host

AWS_ACCOUNT = "123456789012"
TOKENS = ["tokenone", "tokentwo", "tokenthree"]


@dataclass
class SesMailroom:
    """`poked` are the inboxes that were woken."""

    world: World
    blobs: BlobStore
    parsers: ParserPool
    s3: S3Server
    ses: SesAccount
    signer: SnsSigner
    dns: DnsServer
    poked: list[str]

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

    async def room(self, inbox: dict[str, Any], domain: str) -> SesMailRoom:
        """The steps for an inbox that the API made, connected as its workflow does."""
        made = SesMailRoom(
            self.world.database, self.blobs, self.parsers, port=1, user="", password="", s3=self.s3, domain=domain,
            tenant_id=self.world.tenant_id, inbox_id=uuid.UUID(inbox["id"]),
        )  # fmt: skip
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


@asynccontextmanager
async def ses_mailroom(
    database: ServerDatabase, s3: S3Server, parsers: ParserPool, signer: SnsSigner, certificates: Certificates, dns: DnsServer, moto: str
) -> AsyncIterator[SesMailroom]:
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(s3.endpoint, s3.bucket, s3.access_key, s3.secret_key, s3.region)
    poked: list[str] = []

    async def poke(_tenant: str, inbox_id: str, provider: str) -> bool:
        assert provider == "ses"
        poked.append(inbox_id)
        return True

    async with sns_host(signer, certificates) as (_, client):
        deps = make_deps(house, database.url, sns=Sns(SnsDoor(client, [TOPIC])), pokes=PushPokes(poke, rest_seconds=0.0))
        ses = SesAccount(REGION, "AKIAEXAMPLE", Secret("example"), endpoint=moto)
        yield SesMailroom(await make_world(deps, mail=False), blobs, parsers, s3, ses, signer, dns, poked)
    blobs.close()
    await house.close()
