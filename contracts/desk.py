"""The desk's flow: one workflow for each tenant reacts to what its event log tells.

Bodies and events stay in PostgreSQL; what crosses the wire is ids and counts.
"""

from dataclasses import dataclass
from enum import StrEnum

from temporalio import activity


class FollowupKind(StrEnum):
    """What somebody else has to do after a turn: a workflow to start, or to tell when it runs already."""

    ANSWER = "answer"  # a conversation that may be answered automatically
    SLA = "sla"  # the timer of the tenant's service levels: something is due earlier than it knows
    WEBHOOK = "webhook"  # an endpoint that has something to be told


@dataclass(frozen=True, slots=True)
class Followup:
    """`inbox_id` is the inbox of a conversation; what belongs to the tenant has none."""

    kind: FollowupKind
    id: str
    inbox_id: str = ""


@dataclass(frozen=True, slots=True)
class DeskRef:
    tenant_id: str


@dataclass(frozen=True, slots=True)
class DeskOrder:
    """Wait for `seconds` at most; a turn that has follow-ups ends at once."""

    tenant_id: str
    seconds: int


@dataclass(frozen=True, slots=True)
class DeskReport:
    """`events` were read, `failed` reactions to single events were given up and are kept in `desk_failures`."""

    followups: tuple[Followup, ...] = ()
    events: int = 0
    failed: int = 0


class DeskSteps:
    """Signature of the desk's activity; `activities/desk_turn.py` overrides it."""

    @activity.defn(name="desk.turn")
    async def turn(self, order: DeskOrder) -> DeskReport:
        """React to events as they come, for as long as ordered or until something has to follow."""
        raise NotImplementedError
