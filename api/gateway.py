"""What the API asks of Temporal, whoever does it: starts, signals and orders of workflows, and how that can fail."""

from dataclasses import dataclass
from typing import Protocol

from contracts.connect import ConnectReport
from contracts.inbound import ResyncOrder


class TemporalAway(Exception):
    """Temporal did not answer in time. Rows that stand are started by the sweep."""


class OrdersWait(Exception):
    """As many orders as a workflow takes wait for it already; they are done when a worker gets to them."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """`report` is None when the check itself did not finish; `failure` then names why (`contracts.failures`)."""

    report: ConnectReport | None
    failure: str | None = None


class Gateway(Protocol):
    """Methods that answer bool say whether Temporal took it; False leaves it to the sweep."""

    async def start_send(self, tenant_id: str, inbox_id: str, message_id: str) -> bool: ...

    async def cancel_send(self, message_id: str) -> bool: ...

    async def snooze(self, tenant_id: str, inbox_id: str, conversation_id: str) -> bool: ...

    async def signal_snooze(self, conversation_id: str) -> bool: ...

    async def connect_inbox(self, tenant_id: str, inbox_id: str) -> bool: ...

    async def check_inbox(self, tenant_id: str, inbox_id: str) -> CheckOutcome: ...

    async def check_domain(self, tenant_id: str, domain_id: str) -> bool: ...

    async def start_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool: ...

    async def poke_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool: ...

    async def signal_sync(self, inbox_id: str, name: str) -> bool: ...

    async def resync(self, tenant_id: str, inbox_id: str, provider: str, order: ResyncOrder) -> bool: ...

    async def start_backfill(self, tenant_id: str, inbox_id: str, folder_id: str) -> bool: ...

    async def signal_backfill(self, inbox_id: str, folder_id: str, name: str) -> bool: ...

    async def poke_sla(self, tenant_id: str) -> bool: ...

    async def start_reingest(self, tenant_id: str, reingest_id: str) -> bool: ...

    async def signal_reingest(self, reingest_id: str) -> bool: ...

    async def start_bulk(self, tenant_id: str, bulk_id: str) -> bool: ...

    async def start_erase(self, tenant_id: str, erasure_id: str) -> bool: ...

    async def start_webhook(self, tenant_id: str, endpoint_id: str) -> bool: ...

    async def ping(self) -> None: ...
