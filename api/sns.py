"""The door for messages of Amazon SNS as the endpoints know it; `api/app.py` puts the one in that checks signatures."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol


class NotBelieved(Exception):
    """Not signed by an expected topic. The text is a reason for the log, never for the caller."""


class SnsAway(Exception):
    """SNS could not be asked: nothing is known about the message, and SNS tells it again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A proven message. `confirm` accepts the subscription that it offers, and raises SnsAway."""

    id: str
    topic: str
    kind: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    body: str
    confirm: Callable[[], Awaitable[None]] | None = None


class SnsDoor(Protocol):
    """What the webhook needs."""

    async def read(self, raw: bytes) -> Notice:
        """Raises NotBelieved, SnsAway."""

    async def close(self) -> None:
        """Let go of connections."""
