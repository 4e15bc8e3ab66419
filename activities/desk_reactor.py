"""What reacts to events on the desk: one class for each concern, called in a fixed order for each batch."""

import uuid
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup
from store.event_log import LoggedEvent
from store.unit_of_work import Database


class NotPrepared(Exception):
    """A reactor lacks what it reads elsewhere: the batch is rolled back, prepared, and begun again."""


class Reactor(Protocol):
    """Called with the tenant's next events, oldest first, in the transaction that moves the desk's cursor behind them: what
    it writes stands exactly when these events count as read, and is written by nobody else at the same time.

    Where it raises, what it wrote for the batch is undone, and it is asked again with one event at a time.
    """

    @property
    def name(self) -> str:
        """A word for logs, metrics and `desk_failures`."""

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        """What has to follow once the transaction stands. Should that be lost, the sweep finds it in the rows."""


@runtime_checkable
class Preparing(Protocol):
    """A reactor that reads something outside of the database, which no transaction may wait for."""

    def prepares(self, tenant_id: uuid.UUID) -> bool:
        """Whether there is anything to prepare for this tenant, as far as is known without looking."""

    async def prepare(self, database: Database, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]) -> None:
        """Read what these events will need, before the batch's transaction. Raising leaves the events unread, to be tried again."""
