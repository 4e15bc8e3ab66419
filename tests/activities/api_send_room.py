"""The steps of the send flow for an inbox behind a web API, with a stand-in as the provider and a clock to turn."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.accounts import AccessToken, Accounts
from activities.outbound_deliver import OutboundDeliver
from activities.outbound_verify import OutboundVerify
from contracts.outbound import DeliverOutcome, SendState, VerifyOutcome, VerifyReport
from contracts.refs import MessageRef
from providers.imap.pool import ImapPool
from providers.mail_api import MailApiSender
from store.inbox_state import InboxState
from store.outbound import resolve_message
from store.sealing import Sealer
from tests.activities.api_room import Tokens
from tests.activities.send_room import LOCAL, SendRoom

ADDRESS = "desk@example.org"
SEND = {"gmail": "drafts.send", "graph": "messages.send"}


@dataclass
class Provider:
    """One of the stand-ins, with its one mailbox."""

    name: str
    server: Any
    box: Any
    make: Callable[[AccessToken], MailApiSender]

    def fail(self, operation: dict[str, str], **how: Any) -> None:
        self.server.faults.plan(operation[self.name], **how)

    @property
    def accepted(self) -> list[Any]:
        return list(self.box.accepted)

    def drafts(self) -> list[str]:
        if self.name == "gmail":
            return list(self.box.drafts.values())
        return [one.immutable_id for one in self.box.items.values() if one.is_draft]

    def lose_drafts(self) -> None:
        for one in self.drafts():
            self.box.delete(one)


@dataclass
class ApiSendRoom(SendRoom):
    provider: Provider = field(default=None)  # type: ignore[assignment]  # given always; the base has defaults

    def __post_init__(self) -> None:
        super().__post_init__()
        oauth = self.provider.server.oauth if self.provider.name == "gmail" else self.provider.server.login
        self.accounts = Accounts(
            self.desk.database,
            Sealer({"k1": b"k" * 32}),
            tokens=Tokens(lambda: oauth.access_token(ADDRESS)),
            senders={self.provider.name: self._made},
        )
        self.delivering = OutboundDeliver(
            self.desk.database, self.accounts, self.blobs, self.sender, clock=self.clock, chance=lambda: 0.5
        )
        self.verifying = OutboundVerify(
            self.desk.database, self.accounts, ImapPool(LOCAL), clock=self.clock, chance=lambda: 0.5
        )

    def _made(self, _: InboxState, token: AccessToken) -> MailApiSender:
        return self.provider.make(token)

    async def composed(self, **given: Any) -> MessageRef:
        ref = await self.reply(**given)
        assert (await self.compose(ref)).state is SendState.DUE
        return ref

    async def verify(self, ref: MessageRef) -> VerifyReport:
        return await ActivityEnvironment().run(self.verifying.verify, ref)

    async def send_again(self, ref: MessageRef) -> bool:
        """A person says so, about a mail of which nobody knows whether it left."""
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return await resolve_message(
                connection, tenant_id=self.desk.tenant_id, message_id=uuid.UUID(ref.message_id),
                outcome="send_again", actor="agent", now=self.clock(),
            )  # fmt: skip

    async def flow(self, ref: MessageRef) -> str:
        """What the workflow does from here on, with the clock turned instead of waited for."""
        for _ in range(12):
            plan = await self.plan(ref)
            if plan.state is SendState.DUE:
                report = await self.deliver(ref)
                self.clock.pass_(seconds=report.retry_after_seconds or 1)
            elif plan.state is SendState.DOUBT:
                await self._settle_doubt(ref)
            else:
                return plan.state.value
        raise AssertionError("the flow does not end")

    async def _settle_doubt(self, ref: MessageRef) -> None:
        for pause in (0, 5, 10, 30, 75):
            self.clock.pass_(seconds=pause)
            look = await self.verify(ref)
            if look.outcome is VerifyOutcome.FOUND:
                await self.settle(ref, DeliverOutcome.SENT)
                return
            if look.outcome is VerifyOutcome.UNSENT:
                self.clock.pass_(seconds=look.retry_after_seconds or 60)
                return
        await self.settle(ref, DeliverOutcome.UNKNOWN)
