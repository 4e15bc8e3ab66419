"""What the API needs to try a mailbox's setup; `api/app.py` gives it the real thing."""

import uuid
from collections.abc import Sequence
from typing import Literal, Protocol


class Tried(Protocol):
    """One thing tried: where it is set, how it is, and what to do, empty where nothing is."""

    @property
    def name(self) -> str: ...

    @property
    def field(self) -> str: ...

    @property
    def state(self) -> Literal["ok", "wrong", "unknown", "off"]: ...

    @property
    def detail(self) -> str: ...

    @property
    def remedy(self) -> str: ...


class SetupDoor(Protocol):
    async def tried(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Sequence[Tried]:
        """In the order in which they are mended; empty where there is nothing to set up."""
