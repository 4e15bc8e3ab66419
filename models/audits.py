"""Balance sheets of folders: what lay at the provider, what the ledger had, and what neither explains."""

import uuid

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import AuditReason


class Audit(TenantRow, Base):
    """One balance sheet of one folder in one UIDVALIDITY. All figures count mails.

    `in_ledger` counts the rows that the ledger believes to lie in the folder, and is the sum of the five states after it;
    `gone` and `vanished` rows are no longer there. Of the mails at the provider without such a row, `deleted` are only
    marked as deleted there, `ahead` are newer than the cursor, `history_waiting` await the backfill, `beyond_horizon`
    are older than what was wanted, `not_asked_for` lie in a history that nobody wanted; what is left is `missing`. `extra`
    are rows without a mail. The two CHECKs are what makes it a balance.
    """

    __tablename__ = "audits"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("folders", "folder_id"),
        one_of("reason", AuditReason),
        CheckConstraint(
            "in_ledger = stored + ingested + skipped + quarantined + seen", name="ledger_adds_up"
        ),
        CheckConstraint(
            "at_provider = in_ledger - extra + deleted + ahead + history_waiting + beyond_horizon + not_asked_for"
            " + missing",
            name="balances",
        ),
        Index("ix_audits_folder", "tenant_id", "folder_id", "id"),
        Index("ix_audits_inbox", "tenant_id", "inbox_id", "id"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    folder_id: Mapped[uuid.UUID]
    at: Mapped[CreatedAt]
    reason: Mapped[str]
    uidvalidity: Mapped[int]
    at_provider: Mapped[int]
    in_ledger: Mapped[int]
    stored: Mapped[int]
    ingested: Mapped[int]
    skipped: Mapped[int]
    quarantined: Mapped[int]
    seen: Mapped[int]
    vanished: Mapped[int]
    gone: Mapped[int]
    deleted: Mapped[int]
    ahead: Mapped[int]
    history_waiting: Mapped[int]
    beyond_horizon: Mapped[int]
    not_asked_for: Mapped[int]
    missing: Mapped[int]
    extra: Mapped[int]
