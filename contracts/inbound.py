"""The inbound flow: open the inbox, fetch raw mail, ingest it into conversations, watch for more, react.

Every attempt of fetch and ingest takes a new lease epoch on the inbox, so an attempt that timed out but still runs finds
another epoch and writes nothing (integrity T-7). Running a step twice repeats work and changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from temporalio import activity

from contracts.refs import ConversationRef, InboxRef


class ResyncScope(StrEnum):
    """`new`: look now. `folder`: list one folder whole and fetch what the ledger lacks. `all`: every synced folder so."""

    NEW = "new"
    FOLDER = "folder"
    ALL = "all"


class WakeReason(StrEnum):
    """Why a watch ended. `flags`: only flags or deletions changed. `unsupported`: this provider cannot be watched."""

    NEW = "new"
    FLAGS = "flags"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    UNSUPPORTED = "unsupported"
    NOT_CONNECTED = "not_connected"


@dataclass(frozen=True, slots=True)
class InboxSyncInput:
    """State that survives continue-as-new. `tokens` are the syncs that may begin at once, counted at `counted_at` (epoch
    seconds; 0 means a full bucket); `failures` is how many syncs in a row could not reach the server.
    """

    tenant_id: str
    inbox_id: str
    provider: str = "imap"
    paused: bool = False
    tokens: float = 0.0
    counted_at: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class InboxPlan:
    connected: bool
    paused: bool
    provider: str
    poll_seconds: int
    max_syncs_per_hour: int


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """`flags`: read flags now, also where they were read a moment ago."""

    tenant_id: str
    inbox_id: str
    scope: ResyncScope = ResyncScope.NEW
    folder_id: str | None = None
    flags: bool = False


@dataclass(frozen=True, slots=True)
class FetchReport:
    """Counts of one pass over all folders. `pending` mails wait to be ingested; few are ingested in the same step, and `answerable`
    says how many of their conversations await a decision on an answer. `health` is the inbox's after the pass;
    `failure` is why the server could not be asked, `retry_seconds` when it wants to be asked again. `more`: a gap is being
    filled and should be gone on with at once.
    """

    stored: int
    vanished: int
    quarantined: int
    flags_changed: int
    folders: int
    pending: int
    health: str
    failure: str | None = None
    retry_seconds: int | None = None
    more: bool = False
    answerable: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    ingested: int
    skipped: int
    quarantined: int
    remaining: int
    answerable: int


@dataclass(frozen=True, slots=True)
class WatchOrder:
    tenant_id: str
    inbox_id: str
    seconds: int


@dataclass(frozen=True, slots=True)
class WatchReport:
    """`answerable`: of the conversations of mails that the watch took itself, how many await a decision on an answer.
    `poll_seconds`: after how long the mailbox is looked at, where it cannot be watched; None leaves it to the plan.
    """

    reason: WakeReason
    answerable: int = 0
    poll_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ReactReport:
    """Conversations that await an automatic answer, at most ten; ask again while `more`."""

    conversations: tuple[ConversationRef, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class ResyncOrder:
    scope: ResyncScope
    folder_id: str | None = None


class InboundSteps:
    """Signatures of the inbound activities; `activities/inbound_*.py` overrides each."""

    @activity.defn(name="inbound.open")
    async def open(self, ref: InboxRef) -> InboxPlan:
        """Whether and how to sync this inbox now. Reads only."""
        raise NotImplementedError

    @activity.defn(name="inbound.fetch")
    async def fetch(self, order: FetchOrder) -> FetchReport:
        """Raw bytes of new mail to S3, then ledger rows and cursor in one transaction; flags and deletions mirrored."""
        raise NotImplementedError

    @activity.defn(name="inbound.ingest")
    async def ingest(self, ref: InboxRef) -> IngestReport:
        """Stored ledger rows of live mail to parsed, classified, threaded messages with their events."""
        raise NotImplementedError

    @activity.defn(name="inbound.watch")
    async def watch(self, order: WatchOrder) -> WatchReport:
        """IDLE on the inbox folder until something happens or the time is up; takes the few mails it hears of. Heartbeats."""
        raise NotImplementedError

    @activity.defn(name="inbound.react")
    async def react(self, ref: InboxRef) -> ReactReport:
        """Which new conversations await an automatic answer. Reads only, so running it twice names them twice; the
        claim row of the answer makes the second start harmless.
        """
        raise NotImplementedError
