"""Step `inbound.open`: whether and how to sync an inbox now."""

from temporalio import activity

from activities._edges import edges
from activities.accounts import Accounts
from contracts.inbound import InboundSteps, InboxPlan
from contracts.refs import InboxRef


class InboundOpen(InboundSteps):
    """`poll_seconds` is the operator's longest time between two looks at a mailbox."""

    def __init__(self, accounts: Accounts, *, poll_seconds: int = 300) -> None:
        self._accounts = accounts
        self._poll_seconds = poll_seconds

    @activity.defn(name="inbound.open")
    async def open(self, ref: InboxRef) -> InboxPlan:
        """Reads the row only. Fails with NotFound when the inbox was removed: then its workflow ends."""
        with edges():
            inbox = await self._accounts.inbox(ref.tenant_id, ref.inbox_id)
            return InboxPlan(
                connected=inbox.connected_at is not None,
                paused=inbox.paused_at is not None,
                provider=inbox.provider,
                poll_seconds=self._poll_seconds,
                max_syncs_per_hour=inbox.max_syncs_per_hour,
            )
