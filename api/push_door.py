"""The door for Google's announcements as the endpoints know it; `api/app.py` puts the one in that checks tokens."""

from typing import Protocol


class NotOurs(Exception):
    """Not a token of our push subscription. The text is a reason for the log, never for the caller."""


class KeysAway(Exception):
    """Google's keys could not be had: nothing is known about the token, and Pub/Sub tells it again."""


class PushDoor(Protocol):
    """What the webhook needs. `graph` says whether notices of Graph are expected at all."""

    graph: bool

    async def check(self, token: str) -> None:
        """Raises NotOurs, KeysAway."""

    async def close(self) -> None:
        """Let go of connections."""
