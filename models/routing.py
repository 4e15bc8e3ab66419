"""Routing rules with their versions and what they did, dry runs over history, and the texts that agents answer with."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import DryRunState, RuleTrigger


class RoutingRule(TenantRow, Base):
    """A rule's place in the order and its current version; what it says stands in that version's row. A removed rule keeps
    its versions, because hits name them.
    """

    __tablename__ = "routing_rules"
    __table_args__ = (
        Index(
            "ix_routing_rules_order",
            "tenant_id",
            "position",
            "id",
            postgresql_where=text("deleted_at is null"),
        ),
    )

    id: Mapped[Id]
    position: Mapped[int]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]


class RoutingRuleVersion(ChildRow, Base):
    """What a rule said from `created_at` on. Never changed: every change of a rule is a new row."""

    __tablename__ = "routing_rule_versions"
    __table_args__ = (own("routing_rules", "rule_id"), one_of("trigger", RuleTrigger))

    rule_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    enabled: Mapped[bool]
    shadow: Mapped[bool]
    stop: Mapped[bool]
    trigger: Mapped[str] = mapped_column(server_default="message")
    condition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    actor: Mapped[str]
    created_at: Mapped[CreatedAt]


class RuleHit(ChildRow, Base):
    """A rule that matched, once for each cause: the mail that came in (`m`), or the change of a conversation (`e` and the
    event's id). `outcomes` say what each action did, without any word of the mail. A shadow's did nothing.
    """

    __tablename__ = "rule_hits"
    __table_args__ = (
        own("routing_rules", "rule_id"),
        own("messages", "message_id"),
        UniqueConstraint("tenant_id", "message_id", "rule_id", "cause"),
        Index("ix_rule_hits_rule", "tenant_id", "rule_id", text("id desc")),
    )

    id: Mapped[Id]
    rule_id: Mapped[uuid.UUID]
    version: Mapped[int]
    message_id: Mapped[uuid.UUID]
    cause: Mapped[str] = mapped_column(server_default="m")
    shadow: Mapped[bool]
    stopped: Mapped[bool]
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    created_at: Mapped[CreatedAt]


class RuleLook(ChildRow, Base):
    """One mail that the rules have looked at, and so will not again: which rules in which versions, in their order, and
    those facts that change later (whether the customer was a VIP, whether it was within business hours).
    """

    __tablename__ = "rule_looks"
    __table_args__ = (own("messages", "message_id"),)

    message_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    rules: Mapped[list[Any]] = mapped_column(JSONB)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class RuleDryRun(TenantRow, Base):
    """A rule tried on the mail of the last days, in bounded steps. `rule` is the definition that was tried, `behind` the last
    message that was looked at; counts and `sample` grow with each step. No word of a mail is kept.
    """

    __tablename__ = "rule_dry_runs"
    __table_args__ = (
        one_of("state", DryRunState),
        CheckConstraint("days between 1 and 90", name="days"),
        Index(None, "created_at"),
    )

    id: Mapped[Id]
    rule: Mapped[dict[str, Any]] = mapped_column(JSONB)
    rule_id: Mapped[uuid.UUID | None]
    days: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="running")
    since: Mapped[dt.datetime]
    behind: Mapped[uuid.UUID | None]
    newest: Mapped[uuid.UUID]
    looked_at: Mapped[int] = mapped_column(server_default="0")
    matched: Mapped[int] = mapped_column(server_default="0")
    unknown: Mapped[int] = mapped_column(server_default="0")
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    sample: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    actor: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class RuleAnswer(ChildRow, Base):
    """The wish of a rule that a conversation be answered automatically, with a template. The first wish counts; whether it is
    granted is decided where every automatic answer is (`auto_response_claims`).
    """

    __tablename__ = "rule_answers"
    __table_args__ = (own("conversations", "conversation_id"),)

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    template_id: Mapped[uuid.UUID]
    rule_id: Mapped[uuid.UUID]
    created_at: Mapped[CreatedAt]


class ReplyTemplate(TenantRow, Base):
    """A canned reply: everybody's, one inbox's, one team's, or one person's own."""

    __tablename__ = "templates"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("teams", "team_id"),
        own("users", "user_id"),
        CheckConstraint("num_nonnulls(inbox_id, team_id, user_id) <= 1", name="scope"),
        Index(
            "uq_templates_shortcut",
            "tenant_id",
            "shortcut",
            "inbox_id",
            "team_id",
            "user_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("shortcut is not null and deleted_at is null"),
        ),
    )

    id: Mapped[Id]
    name: Mapped[str]
    shortcut: Mapped[str | None]
    subject: Mapped[str] = mapped_column(server_default="")
    body_html: Mapped[str] = mapped_column(server_default="")
    body_text: Mapped[str] = mapped_column(server_default="")
    inbox_id: Mapped[uuid.UUID | None]
    team_id: Mapped[uuid.UUID | None]
    user_id: Mapped[uuid.UUID | None]
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    uses: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]
