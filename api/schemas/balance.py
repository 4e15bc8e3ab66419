"""The balance of a mailbox: sheets by folder, gaps with their counts, and the overview of all inboxes."""

from typing import Literal

from api.schemas.base import Answer, Health, Instant, Named

AuditReason = Literal["nightly", "asked", "refilled"]
GapCause = Literal["uidvalidity", "missed", "reauth", "lost_state", "audit", "history_404", "delta_410"]


class Audit(Answer):
    """One balance sheet, all figures in mails. `at_provider` = `in_ledger` - `extra` + what follows `vanished`, and
    `in_ledger` is the sum of the five states behind it.
    """

    id: str
    folder_id: str
    folder: str
    at: Instant
    reason: AuditReason
    uidvalidity: int
    at_provider: int
    in_ledger: int
    stored: int
    ingested: int
    skipped: int
    quarantined: int
    seen: int
    gone: int
    vanished: int
    deleted: int
    ahead: int
    history_waiting: int
    beyond_horizon: int
    not_asked_for: int
    missing: int
    extra: int


class Gap(Answer):
    """`since` is the last moment of which we know that nothing was missing. Without `closed_at` it is being filled."""

    id: str
    cause: GapCause
    folder_id: str | None
    folder: str | None
    since: Instant | None
    opened_at: Instant
    closed_at: Instant | None
    listed: int
    missing: int
    refilled: int
    quarantined: int


class FolderBalance(Answer):
    id: str
    name: str
    role: str
    state: str
    history: Literal["none", "waiting", "running", "paused", "done", "cancelled"]
    gaps_closed: int
    audit: Audit | None


class InboxBalance(Answer):
    """`audit_asked`: new sheets are on their way. `missing` and `extra` are the sums of the last sheets."""

    inbox: Named
    email_address: str
    health: Health
    connected: bool
    audit_due_at: Instant | None
    audit_asked: bool
    missing: int
    extra: int
    folders: list[FolderBalance]
    open_gaps: list[Gap]


class Balance(Answer):
    items: list[InboxBalance]
