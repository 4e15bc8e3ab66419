"""The steps of the send flow for an inbox that sends through Amazon SES, with an endpoint that fails on demand."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.deliver_ses import SesPost
from activities.outbound_deliver import OutboundDeliver
from activities.outbound_verify import OutboundVerify
from contracts.outbound import SendState, VerifyReport
from contracts.refs import MessageRef
from providers.imap.pool import ImapPool
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.sender import SesSender
from store.outbound import Recipient
from tests.activities.send_room import LOCAL, SendRoom
from tests.servers.ses_server import SesEndpoint
from tests.store.desk import Desk

REGION = "eu-west-1"
CARLA = "carla@customer.example.com"


def ses_account(url: str) -> SesAccount:
    return SesAccount(REGION, "AKIAEXAMPLE", Secret("example"), configuration_set="mailroom", endpoint=url)


async def give_domain(rows: Callable[..., Awaitable[Any]], inbox_id: uuid.UUID, name: str, *, catchall: bool = False) -> None:
    """The inbox becomes an SES inbox at `name`, which its tenant holds and SES sends as."""
    await rows(
        "insert into domains (tenant_id, id, name, challenge, verified_at, ses_verified)"
        " values (:tenant, :id, :name, 'c', now(), true)",
        id=uuid.uuid4(), name=name,
    )  # fmt: skip
    await rows(
        "update inboxes set provider = 'ses', settings = '{}', credentials_sealed = null, credentials_key_id = null,"
        " domain_id = (select id from domains where tenant_id = :tenant and name = :name), is_catchall = :catchall,"
        " local_part = split_part(email_address, '@', 1), email_address = split_part(email_address, '@', 1) || '@' || :name"
        " where tenant_id = :tenant and id = :id",
        id=inbox_id, name=name, catchall=catchall,
    )  # fmt: skip


class SesRoom(SendRoom):
    """`open` it before use."""

    def __init__(self, desk: Desk, endpoint: SesEndpoint) -> None:
        super().__init__(desk)
        self.endpoint = endpoint
        self.delivering = OutboundDeliver(
            desk.database, self.accounts, self.blobs, self.sender, clock=self.clock, chance=lambda: 0.5,
            ses=SesPost(SesSender(ses_account(endpoint.url)), REGION),
        )  # fmt: skip
        self.verifying = OutboundVerify(desk.database, self.accounts, ImapPool(LOCAL), clock=self.clock)

    async def open(self) -> "SesRoom":
        await give_domain(self.desk.rows, self.desk.inbox_id, f"d{uuid.uuid4().hex[:10]}.example.org")
        return self

    async def composed(self, **given: Any) -> MessageRef:
        ref = await self.reply(**{"recipients": (Recipient("to", CARLA),), **given})
        assert (await self.compose(ref)).state is SendState.DUE
        return ref

    async def verify(self, ref: MessageRef) -> VerifyReport:
        return await ActivityEnvironment().run(self.verifying.verify, ref)
