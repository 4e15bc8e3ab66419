"""The outbound flow: wait out the undo window, freeze the bytes, submit them, settle what is unknown, file a copy.

The message row is the lock (integrity T-6): with Temporal wiped, its status and stage still forbid a second submission.
"""

from dataclasses import dataclass
from enum import StrEnum

from temporalio import activity

from contracts.refs import MessageRef


class SendState(StrEnum):
    """What the row says before a step: `due`: go on. `waiting`: not yet. `doubt`: look for it in Sent. The others end the
    workflow: `sent`, `failed`, `cancelled`, `unknown` (a person is asked), `gone` (there is no such message).
    """

    WAITING = "waiting"
    DUE = "due"
    DOUBT = "doubt"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    GONE = "gone"


class DeliverOutcome(StrEnum):
    """`deferred`: proof of non-acceptance, try later. `unknown`: may have been accepted, never submit again by ourselves.
    `stale`: another attempt owns the row.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    STALE = "stale"


class VerifyOutcome(StrEnum):
    """`unsent`: proven not sent, and the row is queued again (or failed, when its time was over). `awaited`: whoever took it
    may report it within ten minutes.
    """

    FOUND = "found"
    NOT_FOUND = "not_found"
    CANNOT_LOOK = "cannot_look"
    UNSENT = "unsent"
    AWAITED = "awaited"


@dataclass(frozen=True, slots=True)
class SendPlan:
    """`wait_seconds` until the undo window or the scheduled time is over. `copy_missing`: a server took the message
    and Sent may lack it.
    """

    state: SendState
    wait_seconds: float = 0.0
    kind: str = "message"
    copy_missing: bool = False


@dataclass(frozen=True, slots=True)
class ComposeReport:
    """`state` is `due` when the bytes are frozen; else how the message ended before or by this step."""

    state: SendState
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """`retry_after_seconds` stands beside `deferred`: the step knows how long the mail has been waiting (S-6)."""

    outcome: DeliverOutcome
    attempt: int = 0
    stage: str | None = None
    code: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SettleOrder:
    """How an open end is closed: `sent` with proof, `unknown` for the agent to decide, `failed` after giving up."""

    tenant_id: str
    message_id: str
    outcome: DeliverOutcome
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class SettleReport:
    """What the row became. `again`: it is to be submitted once more, because recipients are left or because the inbox
    chose to send twice rather than not at all (S-5).
    """

    outcome: DeliverOutcome
    again: bool = False


@dataclass(frozen=True, slots=True)
class SendEnd:
    """How a run of the send flow ended, for people who read workflow results: the row's state, and the number of the
    last attempt that this run made (0: none).
    """

    state: SendState
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`retry_after_seconds` stands beside `unsent`."""

    outcome: VerifyOutcome
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CopyReport:
    filed: bool
    already: bool = False


class OutboundSteps:
    """Signatures of the outbound activities; `activities/outbound_*.py` overrides each."""

    @activity.defn(name="outbound.plan")
    async def plan(self, ref: MessageRef) -> SendPlan:
        """What the row says now. Reads only."""
        raise NotImplementedError

    @activity.defn(name="outbound.compose")
    async def compose(self, ref: MessageRef) -> ComposeReport:
        """Bytes, Message-ID, Date and envelope to S3 and PostgreSQL. Twice: the frozen bytes stand, nothing is made anew."""
        raise NotImplementedError

    @activity.defn(name="outbound.deliver")
    async def deliver(self, ref: MessageRef) -> DeliverReport:
        """One submission of the frozen bytes. The stage `dot` is committed before the final dot leaves; a row found at
        `dot` is unknown, never submitted again. Temporal never retries this step.
        """
        raise NotImplementedError

    @activity.defn(name="outbound.verify")
    async def verify(self, ref: MessageRef) -> VerifyReport:
        """Look for the mail in Sent, or for its draft behind a web API. Found is proof; not found is none (integrity: Sending
        once).
        """
        raise NotImplementedError

    @activity.defn(name="outbound.settle")
    async def settle(self, order: SettleOrder) -> SettleReport:
        """Write the outcome to the row with its event. A row that is already settled stays as it is: `stale`."""
        raise NotImplementedError

    @activity.defn(name="outbound.file_copy")
    async def file_copy(self, ref: MessageRef) -> CopyReport:
        """One copy in Sent: searched for first, appended at most once. Failing to file never sends again (S-11)."""
        raise NotImplementedError
