"""Starting and poking workflows on a real Temporal, and being quick when there is none."""

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api.gateway import CheckOutcome, OrdersWait, TemporalAway
from api.temporal_gateway import TemporalGateway
from contracts import ids
from contracts.connect import ConnectCheck, ConnectInput, ConnectReport
from contracts.domains import DomainRef, DomainReport
from contracts.inbound import InboxSyncInput, ResyncOrder, ResyncScope
from contracts.refs import MessageRef


@workflow.defn(name="SendMessage")
class Sending:
    def __init__(self) -> None:
        self.pokes: list[str] = []

    @workflow.signal
    def poke(self) -> None:
        self.pokes.append("poke")

    @workflow.signal
    def cancel(self) -> None:
        self.pokes.append("cancel")

    @workflow.run
    async def run(self, ref: MessageRef) -> list[str]:
        await workflow.wait_condition(lambda: "cancel" in self.pokes)
        return [ref.message_id, *self.pokes]


@workflow.defn(name="ConnectInbox")
class Checking:
    @workflow.run
    async def run(self, order: ConnectInput) -> ConnectReport:
        assert order.check_only
        return ConnectReport((ConnectCheck("imap", "AuthFailed"), ConnectCheck("smtp")))


@workflow.defn(name="CheckDomain")
class Looking:
    @workflow.run
    async def run(self, ref: DomainRef) -> DomainReport:
        if ref.tenant_id == "fails":
            raise ApplicationError("gone", type="NotFound", non_retryable=True)
        return DomainReport(held=True, records=5, open=1)


@workflow.defn(name="InboxSync")
class Syncing:
    def __init__(self) -> None:
        self.orders: list[str] = []

    @workflow.signal
    def resume(self) -> None:
        self.orders.append("resume")

    @workflow.update
    def resync(self, order: ResyncOrder) -> None:
        self.orders.append(order.scope.value)

    @workflow.run
    async def run(self, order: InboxSyncInput) -> list[str]:
        await workflow.wait_condition(lambda: len(self.orders) == 2)
        return [order.provider, *self.orders]


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(temporal_client: Client, monkeypatch) -> TemporalGateway:
    queue = f"gateway-{uuid.uuid4().hex}"
    monkeypatch.setattr("contracts.queues.FLOW", queue)
    worker = Worker(
        temporal_client,
        task_queue=queue,
        workflows=[Sending, Checking, Syncing, Looking],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        yield TemporalGateway(temporal_client)


async def test_a_send_is_started_once_and_poked_again(gateway, temporal_client) -> None:
    tenant, inbox, message = (str(uuid.uuid4()) for _ in range(3))
    assert await gateway.start_send(tenant, inbox, message)
    assert await gateway.start_send(tenant, inbox, message)
    assert await gateway.cancel_send(message)
    handle = temporal_client.get_workflow_handle(ids.send_message(message))
    assert await handle.result() == [message, "poke", "poke", "cancel"]
    described = await handle.describe()
    assert described.typed_search_attributes[SearchAttributeKey.for_keyword("TenantId")] == tenant
    assert described.typed_search_attributes[SearchAttributeKey.for_keyword("InboxId")] == inbox
    assert await described.static_summary() == "Send one message"


async def test_telling_a_run_that_is_over_is_no_error(gateway) -> None:
    assert await gateway.cancel_send(str(uuid.uuid4()))
    assert await gateway.signal_sync(str(uuid.uuid4()), "pause")


async def test_a_check_reports(gateway) -> None:
    found = await gateway.check_inbox(str(uuid.uuid4()), str(uuid.uuid4()))
    assert found == CheckOutcome(ConnectReport((ConnectCheck("imap", "AuthFailed"), ConnectCheck("smtp"))))


async def test_a_domain_is_looked_up_and_what_ends_badly_is_said(gateway) -> None:
    assert await gateway.check_domain(str(uuid.uuid4()), str(uuid.uuid4()))
    assert not await gateway.check_domain("fails", str(uuid.uuid4()))


async def test_a_resync_starts_what_does_not_run(gateway, temporal_client) -> None:
    tenant, inbox = str(uuid.uuid4()), str(uuid.uuid4())
    assert await gateway.resync(tenant, inbox, "imap", ResyncOrder(ResyncScope.ALL))
    assert await gateway.signal_sync(inbox, "resume")
    assert await temporal_client.get_workflow_handle(ids.inbox_sync(inbox)).result() == [
        "imap",
        "all",
        "resume",
    ]
    await gateway.ping()


async def test_an_order_whose_run_ends_unread_goes_to_the_next_run(gateway, temporal_client) -> None:
    tenant, inbox = str(uuid.uuid4()), str(uuid.uuid4())
    unserved = await temporal_client.start_workflow(
        "InboxSync", InboxSyncInput(tenant, inbox, "imap"), id=ids.inbox_sync(inbox), task_queue=f"nobody-{uuid.uuid4().hex}"
    )
    ordered = asyncio.create_task(gateway.resync(tenant, inbox, "imap", ResyncOrder(ResyncScope.ALL)))
    await asyncio.sleep(0.5)
    await unserved.terminate()
    assert await ordered
    await gateway.signal_sync(inbox, "resume")
    assert await temporal_client.get_workflow_handle(ids.inbox_sync(inbox)).result() == ["imap", "all", "resume"]


async def test_orders_that_nobody_takes_are_refused_and_no_defect(temporal_client, monkeypatch) -> None:
    """A run takes ten updates at a time; the next was a 500."""
    monkeypatch.setattr("contracts.queues.FLOW", f"nobody-{uuid.uuid4().hex}")
    gateway, tenant, inbox = TemporalGateway(temporal_client), str(uuid.uuid4()), str(uuid.uuid4())

    def order() -> Coroutine[Any, Any, bool]:
        return gateway.resync(tenant, inbox, "imap", ResyncOrder(ResyncScope.ALL))

    taken = [asyncio.create_task(order()) for _ in range(10)]
    await asyncio.sleep(0.5)
    with pytest.raises(OrdersWait):  # after the ten seconds for which the client tries by itself
        await order()
    for one in taken:
        one.cancel()
    await asyncio.gather(*taken, return_exceptions=True)


async def test_where_temporal_takes_no_more_the_row_waits_and_the_next_call_goes_out(
    gateway: TemporalGateway, temporal_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its limits for a namespace: the row is committed by then, so this was a 500 for a reply that went out all the same."""
    tenant, inbox, message = (str(uuid.uuid4()) for _ in range(3))

    async def refused(*_: object, **__: object) -> None:
        raise RPCError("namespace rate limit exceeded", RPCStatusCode.RESOURCE_EXHAUSTED, b"")

    with monkeypatch.context() as limited:
        limited.setattr(temporal_client, "start_workflow", refused)
        assert not await gateway.start_send(tenant, inbox, message)
        with pytest.raises(TemporalAway):
            await gateway.check_inbox(tenant, inbox)
    assert await gateway.start_send(tenant, inbox, message)
    assert await gateway.cancel_send(message)


async def test_with_temporal_away_it_says_so_once_and_at_once(caplog) -> None:
    gateway = TemporalGateway(await Client.connect("127.0.0.1:1", lazy=True))
    with caplog.at_level(logging.INFO, logger="mailroom.api.temporal"):
        began = time.monotonic()
        assert not await gateway.start_send("t", "i", "m")
        assert time.monotonic() - began < 4
        began = time.monotonic()
        assert not any(await asyncio.gather(*(gateway.start_send("t", "i", "m") for _ in range(20))))
        assert time.monotonic() - began < 0.5
        with pytest.raises(TemporalAway):
            await gateway.check_inbox("t", "i")
        with pytest.raises(TemporalAway):
            await gateway.check_domain("t", "d")
        with pytest.raises(TemporalAway):
            await gateway.resync("t", "i", "imap", ResyncOrder(ResyncScope.NEW))
        with pytest.raises(TemporalAway):
            await gateway.ping()
    assert len(caplog.records) == 1
