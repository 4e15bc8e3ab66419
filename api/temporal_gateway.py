"""The API's way to Temporal: starts and pokes workflows after their rows are committed, and never waits long for it.

The row is the truth (integrity T-12): when Temporal is away, a call here says so once in the log and returns False; the
row waits and the sweep starts its workflow. Ids are deterministic, so starting twice is starting once.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.exceptions import TimeoutError as StepTimeout
from temporalio.service import RPCError, RPCStatusCode

from api.gateway import CheckOutcome, OrdersWait, TemporalAway
from api.patience import GivenUp, Patience
from contracts import ids, queues
from contracts.bulk import BulkRef
from contracts.connect import ConnectInput, ConnectReport
from contracts.domains import DomainRef
from contracts.erasure import ErasureRef
from contracts.inbound import InboxSyncInput, ResyncOrder
from contracts.refs import ConversationRef, FolderRef, MessageRef
from contracts.reingest import ReingestRef
from contracts.search_attributes import INBOX_ID, PROVIDER, TENANT_ID
from contracts.sla import SlaRef
from contracts.webhooks import WebhookRef

T = TypeVar("T")
log = logging.getLogger("mailroom.api.temporal")

RPC_SECONDS = 3.0
CHECK_SECONDS = 30.0
REST_SECONDS = 5.0  # after a failure, callers are told at once for this long instead of each waiting it out


class _Busy(TemporalAway):
    """It is there and takes no more of this just now: what has a row is left to the sweep all the same."""


class TemporalGateway:
    """The Gateway of a running server. Workflows are named by type, so nothing of theirs is imported."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._away = False
        self._rest_until = 0.0
        self._patience = Patience(self.ping)

    async def start_send(self, tenant_id: str, inbox_id: str, message_id: str) -> bool:
        return await self._start(
            "SendMessage",
            MessageRef(tenant_id, message_id),
            workflow_id=ids.send_message(message_id),
            attributes=_of_inbox(tenant_id, inbox_id),
            summary="Send one message",
            signal="poke",  # a run that is open (put off, in doubt) looks at the changed row at once
        )

    async def cancel_send(self, message_id: str) -> bool:
        return await self._signal(ids.send_message(message_id), "cancel")

    async def snooze(self, tenant_id: str, inbox_id: str, conversation_id: str) -> bool:
        return await self._start(
            "Snooze",
            ConversationRef(tenant_id, conversation_id),
            workflow_id=ids.snooze(conversation_id),
            attributes=_of_inbox(tenant_id, inbox_id),
            summary="Wake a snoozed conversation",
            signal="poke",  # a run that sleeps already takes the new time from the row
        )

    async def signal_snooze(self, conversation_id: str) -> bool:
        return await self._signal(ids.snooze(conversation_id), "poke")

    async def connect_inbox(self, tenant_id: str, inbox_id: str) -> bool:
        return await self._start(
            "ConnectInbox",
            ConnectInput(tenant_id, inbox_id),
            workflow_id=ids.connect_inbox(inbox_id),
            attributes=_of_inbox(tenant_id, inbox_id),
            summary="Connect an inbox",
        )

    async def check_inbox(self, tenant_id: str, inbox_id: str) -> CheckOutcome:
        """Log in to the servers of the inbox, for at most 30 s. Two callers share one check. Raises TemporalAway."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                handle = await self._reached(
                    self._client.start_workflow(
                        "ConnectInbox",
                        ConnectInput(tenant_id, inbox_id, check_only=True),
                        id=ids.check_inbox(inbox_id),
                        task_queue=queues.FLOW,
                        result_type=ConnectReport,
                        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                        execution_timeout=timedelta(seconds=CHECK_SECONDS),
                        search_attributes=TypedSearchAttributes(_of_inbox(tenant_id, inbox_id)),
                        static_summary="Check an inbox's servers",
                        rpc_timeout=timedelta(seconds=RPC_SECONDS),
                    )
                )
                return CheckOutcome(await self._reached(handle.result(), seconds=2 * CHECK_SECONDS))
        except TimeoutError:
            return CheckOutcome(None, "Unreachable")
        except WorkflowFailureError as error:
            return CheckOutcome(None, _failure_name(error))

    async def check_domain(self, tenant_id: str, domain_id: str) -> bool:
        """Look its records up, for at most 30 s; two callers share one look. False when that did not end well: the row is
        due and the sweep looks again. Raises TemporalAway.
        """
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                handle = await self._reached(
                    self._client.start_workflow(
                        "CheckDomain",
                        DomainRef(tenant_id, domain_id),
                        id=ids.check_domain(domain_id),
                        task_queue=queues.FLOW,
                        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                        search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT_ID, tenant_id)]),
                        static_summary="Look a domain's records up",
                        rpc_timeout=timedelta(seconds=RPC_SECONDS),
                    )
                )
                await self._reached(handle.result(), seconds=2 * CHECK_SECONDS)
        except (TimeoutError, WorkflowFailureError):
            return False
        return True

    async def start_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool:
        return await self._sync(tenant_id, inbox_id, provider)

    async def poke_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool:
        """Let the sync look now, in one call whether it runs or not."""
        return await self._sync(tenant_id, inbox_id, provider, signal="poke")

    async def _sync(self, tenant_id: str, inbox_id: str, provider: str, *, signal: str | None = None) -> bool:
        return await self._start(
            "InboxSync",
            InboxSyncInput(tenant_id, inbox_id, provider),
            workflow_id=ids.inbox_sync(inbox_id),
            attributes=[*_of_inbox(tenant_id, inbox_id), SearchAttributePair(PROVIDER, provider)],
            summary="Keep an inbox in step",
            signal=signal,
        )

    async def signal_sync(self, inbox_id: str, name: str) -> bool:
        """`poke`, `pause` or `resume`."""
        return await self._signal(ids.inbox_sync(inbox_id), name)

    async def _signal(self, workflow_id: str, name: str) -> bool:
        """No such run: nothing to tell, since a new one reads the row first."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            await self._reached(handle.signal(name, rpc_timeout=timedelta(seconds=RPC_SECONDS)))
        except TemporalAway:
            return False
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        return True

    async def resync(self, tenant_id: str, inbox_id: str, provider: str, order: ResyncOrder) -> bool:
        """Start the sync where it does not run, then hand it the order. Raises TemporalAway: an order has no row; and
        OrdersWait where no worker took those that were given before.
        """
        for _ in range(2):  # a run may end before it reads the order, to go on as another one: that one is asked
            if await self._order(tenant_id, inbox_id, provider, order):
                return True
        raise TemporalAway

    async def _order(self, tenant_id: str, inbox_id: str, provider: str, order: ResyncOrder) -> bool:
        """False: the run ended with the order unread."""
        if not await self.start_sync(tenant_id, inbox_id, provider):
            raise TemporalAway
        handle = self._client.get_workflow_handle(ids.inbox_sync(inbox_id))
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._reached(handle.execute_update("resync", order), seconds=CHECK_SECONDS)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            raise TemporalAway from None
        except (WorkflowUpdateFailedError, _Busy):  # the run has as many as it keeps, or ten that no worker took yet
            raise OrdersWait from None
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def start_backfill(self, tenant_id: str, inbox_id: str, folder_id: str) -> bool:
        return await self._start(
            "Backfill",
            FolderRef(tenant_id, inbox_id, folder_id),
            workflow_id=ids.backfill(inbox_id, folder_id),
            attributes=_of_inbox(tenant_id, inbox_id),
            summary="Fetch the history of one folder",
            signal="resume",  # a run that waits in a pause looks at the changed row
        )

    async def signal_backfill(self, inbox_id: str, folder_id: str, name: str) -> bool:
        return await self._signal(ids.backfill(inbox_id, folder_id), name)

    async def poke_sla(self, tenant_id: str) -> bool:
        return await self._start(
            "SlaTimer",
            SlaRef(tenant_id),
            workflow_id=ids.sla_timer(tenant_id),
            attributes=[SearchAttributePair(TENANT_ID, tenant_id)],
            summary="Warn and breach service levels",
            signal="poke",  # one that sleeps looks for the recount
        )

    async def start_reingest(self, tenant_id: str, reingest_id: str) -> bool:
        return await self._start(
            "Reingest",
            ReingestRef(tenant_id, reingest_id),
            workflow_id=ids.reingest(reingest_id),
            attributes=[SearchAttributePair(TENANT_ID, tenant_id)],
            summary="Read stored mail again",
            signal="poke",  # a run that rests, or is about to end its dry run, looks at the changed row
        )

    async def start_bulk(self, tenant_id: str, bulk_id: str) -> bool:
        return await self._start(
            "Bulk",
            BulkRef(tenant_id, bulk_id),
            workflow_id=ids.bulk(bulk_id),
            attributes=[SearchAttributePair(TENANT_ID, tenant_id)],
            summary="Change many conversations",
            signal="poke",  # one that is about to end looks at the changed row
        )

    async def start_erase(self, tenant_id: str, erasure_id: str) -> bool:
        return await self._start(
            "Erase",
            ErasureRef(tenant_id, erasure_id),
            workflow_id=ids.erase(erasure_id),
            attributes=[SearchAttributePair(TENANT_ID, tenant_id)],
            summary="Remove a person for good",
        )

    async def start_webhook(self, tenant_id: str, endpoint_id: str) -> bool:
        return await self._start(
            "WebhookEndpoint",
            WebhookRef(tenant_id, endpoint_id),
            workflow_id=ids.webhook(endpoint_id),
            attributes=[SearchAttributePair(TENANT_ID, tenant_id)],
            summary="Tell a webhook",
            signal="poke",  # one that waits until it is asked again asks now
        )

    async def signal_reingest(self, reingest_id: str) -> bool:
        return await self._signal(ids.reingest(reingest_id), "poke")

    async def ping(self) -> None:
        """One round trip. Raises TemporalAway."""
        await self._reached(
            self._client.workflow_service.get_system_info(
                GetSystemInfoRequest(), timeout=timedelta(seconds=2), retry=False
            ),
            rested=False,
        )

    async def _start(
        self,
        workflow_type: str,
        argument: Any,
        *,
        workflow_id: str,
        attributes: list[SearchAttributePair[Any]],
        summary: str,
        signal: str | None = None,
    ) -> bool:
        try:
            await self._reached(
                self._client.start_workflow(
                    workflow_type,
                    argument,
                    id=workflow_id,
                    task_queue=queues.FLOW,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    search_attributes=TypedSearchAttributes(attributes),
                    static_summary=summary,
                    start_signal=signal,
                    rpc_timeout=timedelta(seconds=RPC_SECONDS),
                )
            )
        except TemporalAway:
            return False
        return True

    async def _reached(
        self, call: Coroutine[Any, Any, T], *, seconds: float = RPC_SECONDS, rested: bool = True
    ) -> T:
        """The call's result, or TemporalAway when the server is not there. A call that may last is given up as soon as
        the server does not answer a ping either.
        """
        if rested and time.monotonic() < self._rest_until:
            call.close()
            raise TemporalAway
        try:
            async with asyncio.timeout(seconds):
                result = await (call if seconds <= RPC_SECONDS else self._patience.during(call))
        except (TimeoutError, GivenUp):
            self._note_away()
            raise TemporalAway from None
        except RPCError as error:
            if error.status in (
                RPCStatusCode.UNAVAILABLE,
                RPCStatusCode.DEADLINE_EXCEEDED,
                RPCStatusCode.CANCELLED,
            ):
                self._note_away()
                raise TemporalAway from None
            if error.status == RPCStatusCode.RESOURCE_EXHAUSTED:
                log.warning("Temporal takes no more of this just now")
                raise _Busy from None
            raise
        except RuntimeError:
            # Seen in practice: a client that connects lazily reports a refused connection as a bare RuntimeError.
            self._note_away()
            raise TemporalAway from None
        if self._away:
            self._away, self._rest_until = False, 0.0
            log.info("Temporal answers again")
        return result

    def _note_away(self) -> None:
        self._rest_until = time.monotonic() + REST_SECONDS
        if not self._away:
            self._away = True
            log.warning("Temporal does not answer; rows wait and the sweep starts their workflows")


def _of_inbox(tenant_id: str, inbox_id: str) -> list[SearchAttributePair[Any]]:
    return [SearchAttributePair(TENANT_ID, tenant_id), SearchAttributePair(INBOX_ID, inbox_id)]


def _failure_name(error: WorkflowFailureError) -> str:
    cause: BaseException | None = error.cause
    while isinstance(cause, TemporalError):
        if isinstance(cause, ApplicationError) and cause.type:
            return cause.type
        if isinstance(cause, StepTimeout):
            return "Unreachable"
        cause = cause.__cause__
    return "ProtocolBroken"
