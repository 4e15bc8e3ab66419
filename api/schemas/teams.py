"""Teams, who is let into an inbox, how conversations are given out, and who has had one."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Instant, Name, Named, PageQuery
from api.schemas.conversations import Conversation

Strategy = Literal["manual", "round_robin", "least_busy", "skills", "priority"]
HandBack = Literal["never", "after", "at_once"]
Ids = Annotated[tuple[uuid.UUID, ...], Field(max_length=1000)]


class Team(Answer):
    id: str
    name: str
    description: str
    members: list[str]


class NewTeam(Asked):
    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""


class ChangeTeam(Asked):
    """What is left out stays."""

    name: Name = ""
    description: Annotated[str, Field(max_length=1000)] = ""


class TeamMembers(Asked):
    """Exactly these."""

    user_ids: Ids


class InboxMembers(Answer):
    """Who may see and work an inbox, beside owners and admins. Both empty: everybody."""

    user_ids: list[str]
    team_ids: list[str]


class AskedInboxMembers(Asked):
    """Exactly these."""

    user_ids: Ids
    team_ids: Ids = ()


class AssignmentPolicy(Answer):
    """How what waits is given out. `senior_from`: the seniority from which somebody counts as senior."""

    strategy: Strategy
    include_away: bool
    must_match: bool
    senior_from: int
    hand_back: HandBack
    hand_back_minutes: int
    keep_answered: bool


class ChangeAssignmentPolicy(Asked):
    """What is left out stays."""

    strategy: Strategy = "manual"
    include_away: bool = False
    must_match: bool = False
    senior_from: Annotated[int, Field(ge=0, le=100)] = 1
    hand_back: HandBack = "never"
    hand_back_minutes: Annotated[int, Field(ge=1, le=10_080)] = 30
    keep_answered: bool = True


class Assign(Asked):
    """`user_id` null: back into the queue. `team_id` alone: into that team's queue; null: out of its team. Left out, the team stays."""

    user_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None
    reason: Annotated[str, Field(max_length=500)] = ""


class Assignment(Answer):
    """One stretch: with a person, or without one waiting in a queue. `by` is who did it, null for a policy or a rule."""

    id: str
    agent: Named | None
    team: Named | None
    by: Named | None
    method: str
    reason: str
    assigned_at: Instant
    unassigned_at: Instant | None


class Taken(Answer):
    """`conversation` null: nothing waits."""

    conversation: Conversation | None


class QueueQuery(PageQuery):
    team: uuid.UUID | None = None
