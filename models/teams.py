"""Teams, whom they consist of, which inboxes they may see, how their conversations find somebody, and invitations."""

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import AssignmentStrategy, HandBack


class Team(TenantRow, Base):
    __tablename__ = "teams"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("length(name) between 1 and 200", name="name"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]


class TeamMember(TenantRow, Base):
    __tablename__ = "team_members"
    __table_args__ = (
        own("teams", "team_id"),
        own("users", "user_id"),
        Index(None, "tenant_id", "user_id"),
    )

    team_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class InboxTeam(TenantRow, Base):
    """A team all of whose members are members of an inbox."""

    __tablename__ = "inbox_teams"
    __table_args__ = (own("inboxes", "inbox_id"), own("teams", "team_id"), Index(None, "tenant_id", "team_id"))

    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    team_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class AssignmentPolicy(TenantRow, Base):
    """How waiting conversations of one inbox, or of one team, are given out, and what becomes of those whose agent goes.

    `include_away`: agents who are away are given work too. `must_match`: wait for somebody who fits rather than take who
    comes nearest. `senior_from`: from this seniority on an agent counts as senior.
    """

    __tablename__ = "assignment_policies"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("teams", "team_id"),
        UniqueConstraint("tenant_id", "inbox_id"),
        UniqueConstraint("tenant_id", "team_id"),
        one_of("strategy", AssignmentStrategy),
        one_of("hand_back", HandBack),
        CheckConstraint("(inbox_id is null) <> (team_id is null)", name="of_one"),
        CheckConstraint("hand_back_minutes between 1 and 10080", name="hand_back_minutes"),
        CheckConstraint("senior_from between 0 and 100", name="senior_from"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID | None]
    team_id: Mapped[uuid.UUID | None]
    strategy: Mapped[str] = mapped_column(server_default="manual")
    include_away: Mapped[bool] = mapped_column(server_default=text("false"))
    must_match: Mapped[bool] = mapped_column(server_default=text("false"))
    senior_from: Mapped[int] = mapped_column(server_default="1")
    hand_back: Mapped[str] = mapped_column(server_default="never")
    hand_back_minutes: Mapped[int] = mapped_column(server_default="30")
    keep_answered: Mapped[bool] = mapped_column(server_default=text("true"))
    updated_at: Mapped[CreatedAt]


class AssignmentTurn(TenantRow, Base):
    """When it was last somebody's turn under a policy: the lowest number is next."""

    __tablename__ = "assignment_turns"
    __table_args__ = (own("assignment_policies", "policy_id"), own("users", "user_id"))

    policy_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    turn: Mapped[int] = mapped_column(server_default="0")


class Invitation(TenantRow, Base):
    """A link by which a person sets their password, once. Only the sha256 of its token is kept."""

    __tablename__ = "invitations"
    __table_args__ = (own("users", "user_id"), UniqueConstraint("token_sha256"), Index(None, "tenant_id", "user_id"))

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID]
    token_sha256: Mapped[bytes]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[dt.datetime]
