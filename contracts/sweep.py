"""The sweep: every minute, start what a crash left between a commit and a workflow start; tidy what has expired."""

from dataclasses import dataclass

from temporalio import activity

from contracts.refs import ConversationRef, FolderRef, InboxRef, MessageRef


@dataclass(frozen=True, slots=True)
class SweepFindings:
    """Rows that should have a running workflow; at most five of each kind, so that the payload stays small. `more` asks
    for another round. Starting one that already runs is harmless: its workflow id is taken.
    """

    sends: tuple[MessageRef, ...]
    inboxes: tuple[InboxRef, ...]
    connects: tuple[InboxRef, ...]
    backfills: tuple[FolderRef, ...]
    auto_responses: tuple[ConversationRef, ...]


@dataclass(frozen=True, slots=True)
class SweepPage:
    """Where the last round ended, one id for each kind, so that rounds walk on instead of finding the same rows."""

    sends: str = ""
    inboxes: str = ""
    connects: str = ""
    backfills: str = ""
    auto_responses: str = ""


@dataclass(frozen=True, slots=True)
class TidyReport:
    sessions: int
    uploads: int
    idempotency_keys: int
    login_attempts: int
    indexed: int
    partitions: int


class SweepSteps:
    @activity.defn(name="sweep.find")
    async def find(self, page: SweepPage) -> SweepFindings:
        """Queued sends, connected inboxes, unfinished connects and backfills, unanswered conversations. Reads only."""
        raise NotImplementedError

    @activity.defn(name="sweep.tidy")
    async def tidy(self) -> TidyReport:
        """Delete expired sessions, uploads, idempotency keys and login attempts; index what search lacks; make partitions."""
        raise NotImplementedError
