"""Shortens the two minutes in which Sent is searched for a mail whose answer was lost, for those who look at what comes after.

The send itself, its lost answer and the words are real. Only the waiting workflow is ended as an operator would end it, and
the verdict that it would reach is written by the same function.
"""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import create_engine, text
from temporalio.client import Client

from activities.outbound_record import UNKNOWN_SENTENCE
from contracts import ids
from store.outbound_outcomes import End, settle_unknown
from store.unit_of_work import Database
from tests.journeys.driver import until


async def cut_doubt_short(stack: dict[str, Any], message_id: str) -> None:
    """`message_id` is on its way to a server that will not answer its dot; afterwards it waits for a person."""
    engine = create_engine(stack["database_admin_url"])
    try:

        async def in_doubt() -> Any:
            with engine.connect() as connection:
                row = connection.execute(
                    text("select tenant_id from messages where id = :id and send_stage = 'dot' and unknown_since is not null"),
                    {"id": message_id},
                ).first()
            return row and row.tenant_id

        tenant_id = await until("the answer to the dot is lost", in_doubt)
    finally:
        engine.dispose()
    client = await Client.connect(stack["temporal_address"], namespace=stack["temporal_namespace"])
    await client.get_workflow_handle(ids.send_message(message_id)).terminate("the search in Sent is cut short")
    database = Database(stack["database_url"], pool_size=1)
    try:
        async with database.unit_of_work(tenant_id) as connection:
            end = await settle_unknown(
                connection, tenant_id=tenant_id, message_id=uuid.UUID(message_id), sentence=UNKNOWN_SENTENCE, now=dt.datetime.now(dt.UTC)
            )
    finally:
        await database.close()
    assert end is End.UNKNOWN, end
