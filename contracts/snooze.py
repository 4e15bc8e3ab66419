"""Snoozing: whether a conversation's time to come back has come, asked of its row, and waking it in the same step."""

from dataclasses import dataclass
from enum import StrEnum

from temporalio import activity

from contracts.refs import ConversationRef


class SnoozeState(StrEnum):
    """`over`: nothing sleeps any more. A mail, a person or an earlier run was first, or the conversation is gone."""

    WAITING = "waiting"
    WOKEN = "woken"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class SnoozeLook:
    """`wait_seconds` until it is due, while it waits."""

    state: SnoozeState
    wait_seconds: float = 0.0


class SnoozeSteps:
    """Signatures of the snooze activities; `activities/snooze.py` overrides each."""

    @activity.defn(name="snooze.wake")
    async def wake(self, ref: ConversationRef) -> SnoozeLook:
        """Open the conversation if it is due, else say how long it sleeps. Twice: the second finds nothing asleep."""
        raise NotImplementedError
