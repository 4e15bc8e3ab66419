"""A room's re-ingest: ask, plan, order and apply as the API and the workflow do, and see whether the counts are true."""

import uuid
from collections.abc import Callable
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.reingest import Reingesting
from contracts.reingest import ReingestProgress, ReingestRef
from store import reingests
from store.reingest_selection import Selection, count_selected
from store.reingests import RunRow
from tests.activities.mail_room import MailRoom

Deliver = Callable[..., None]
OLDER = "update messages set parser_version = 0"


class Office:
    """A room's re-ingest."""

    def __init__(self, room: MailRoom, **options: Any) -> None:
        self.room = room
        self.steps = Reingesting(room.database, room.blobs, room.ingestion, room.parsers, **options)

    async def ask(self, **conditions: Any) -> ReingestRef:
        selection = Selection(**conditions)
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            selected = await count_selected(connection, self.room.tenant_id, selection)
            run = await reingests.create_run(
                connection, self.room.tenant_id, selection, selected, asked_by=None, actor="api"
            )
        return ReingestRef(str(self.room.tenant_id), str(run.id))

    async def order(self, ref: ReingestRef, action: str) -> RunRow | None:
        async with self.room.database.unit_of_work(self.room.tenant_id) as connection:
            return await reingests.order_run(
                connection, self.room.tenant_id, uuid.UUID(ref.reingest_id), action, actor="api"
            )

    async def plan(self, ref: ReingestRef) -> ReingestProgress:
        progress = await ActivityEnvironment().run(self.steps.plan, ref)
        while progress.state == "planning":
            progress = await ActivityEnvironment().run(self.steps.plan, ref)
        return progress

    async def apply(self, ref: ReingestRef) -> ReingestProgress:
        assert await self.order(ref, "apply")
        progress = await ActivityEnvironment().run(self.steps.apply, ref)
        while progress.state == "applying":
            progress = await ActivityEnvironment().run(self.steps.apply, ref)
        return progress

    async def changes(self, ref: ReingestRef) -> list[dict[str, Any]]:
        return await self.room.rows(
            "select * from reingest_changes where reingest_id = :id order by ledger_id", id=ref.reingest_id
        )

    async def change(self, ref: ReingestRef) -> dict[str, Any]:
        (row,) = await self.changes(ref)
        return row


async def filled(room: MailRoom, deliver: Deliver, *letters: bytes, **options: Any) -> Office:
    await room.connect()
    for raw in letters:
        deliver(raw)
    await room.sync()
    return Office(room, **options)


LIES = """
    select c.number from conversations c left join (
      select conversation_id, count(*) as n, count(*) filter (where not is_read and direction = 'inbound') as unread,
        count(*) filter (where direction = 'inbound') as customer
      from messages group by conversation_id) m on m.conversation_id = c.id
    where (c.message_count, c.unread_count, c.customer_message_count, c.agent_message_count)
      is distinct from (coalesce(m.n, 0), coalesce(m.unread, 0), coalesce(m.customer, 0), coalesce(m.n - m.customer, 0))
    union all
    select c.number from search_documents d join messages m on m.id = d.message_id
      left join conversations c on c.id = m.conversation_id where d.conversation_id is distinct from m.conversation_id
    union all
    select c.number from thread_keys k join conversations c on c.id = k.conversation_id where c.merged_into is not null
"""


async def lies(room: MailRoom) -> list[dict[str, Any]]:
    """Conversations whose counts, search documents or keys are not those of their messages."""
    return await room.rows(LIES)


async def count_all(room: MailRoom) -> tuple[int, int]:
    """How many there are, and how many an older parser read."""
    async with room.database.unit_of_work(room.tenant_id) as connection:
        everything = await count_selected(connection, room.tenant_id, Selection(everything=True))
        older = await count_selected(connection, room.tenant_id, Selection(older_parser=True))
    return everything.messages, older.messages
