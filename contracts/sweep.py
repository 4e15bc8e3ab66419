"""The sweep: every minute, start what a crash left between a commit and a workflow start; tidy what has expired."""

from dataclasses import dataclass
from enum import StrEnum

from temporalio import activity


class SweepKind(StrEnum):
    """Rows that should have a running workflow: SendMessage, InboxSync, ConnectInbox, Backfill, AutoResponse, Reingest,
    CheckDomain, WatchRenewal, Desk, Snooze, SlaTimer, Erase, Digest, Bulk, WebhookEndpoint.
    """

    SENDS = "sends"
    INBOXES = "inboxes"
    CONNECTS = "connects"
    BACKFILLS = "backfills"
    AUTO_RESPONSES = "auto_responses"
    REINGESTS = "reingests"
    DOMAINS = "domains"
    WATCHES = "watches"
    DESKS = "desks"
    SNOOZES = "snoozes"
    SLA_TIMERS = "sla_timers"
    ERASURES = "erasures"
    DIGESTS = "digests"
    BULKS = "bulks"
    WEBHOOKS = "webhooks"


@dataclass(frozen=True, slots=True)
class SweepQuestion:
    """The rows of one kind behind the id `after`. `full` asks for every such row; otherwise those are left out whose
    workflow has shown life lately (an idle inbox and a mail that waits an hour must not cost a start each minute).
    """

    kind: SweepKind
    after: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class SweepFound:
    """A row by its tenant and id; folders name their inbox too."""

    tenant_id: str
    id: str
    inbox_id: str = ""


@dataclass(frozen=True, slots=True)
class SweepFindings:
    """At most ten rows, so that the payload stays small; `next` is what to ask `after`, None at the end. Starting a
    workflow that already runs is harmless: its id is taken.
    """

    found: tuple[SweepFound, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class SweepState:
    """What one run tells the next: when every row was last looked at (epoch seconds), and what was started. A schedule
    without a run before it (a new or a lost Temporal database) begins with a full sweep.
    """

    full_at: int = 0
    started: int = 0
    kinds: tuple[SweepKind, ...] = ()
    after: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class TidyReport:
    sessions: int
    uploads: int
    idempotency_keys: int
    login_attempts: int
    indexed: int
    partitions: int


class SweepSteps:
    """Signatures of the sweep activities; `activities/sweep.py` overrides each."""

    @activity.defn(name="sweep.find")
    async def find(self, question: SweepQuestion) -> SweepFindings:
        """Due sends, connected inboxes, unfinished connects and backfills, unanswered conversations. Reads only."""
        raise NotImplementedError

    @activity.defn(name="sweep.tidy")
    async def tidy(self) -> TidyReport:
        """Delete expired sessions, uploads, idempotency keys and login attempts; index what search lacks; make partitions."""
        raise NotImplementedError
