"""A small desk for tests of the outbound path: a tenant with an inbox, a conversation, and a customer's mail in it."""

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.addresses import address_key
from store.bulk import new_id
from store.unit_of_work import Database

NOW = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)


@dataclass(slots=True)
class Desk:
    """Rows that were made, and short ways to look at them. All times begin at `NOW`."""

    database: Database
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    conversation_id: uuid.UUID
    agent_id: uuid.UUID
    first_message_id: uuid.UUID
    number: int = 42
    serial: int = field(default=0)

    async def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"tenant": self.tenant_id, **bound})
            return [dict(row) for row in found.mappings()] if found.returns_rows else []

    async def message(self, message_id: uuid.UUID) -> dict[str, Any]:
        return (await self.rows("select * from messages where id = :id", id=message_id))[0]

    async def conversation(self) -> dict[str, Any]:
        return (await self.rows("select * from conversations where id = :id", id=self.conversation_id))[0]

    async def recipients(self, message_id: uuid.UUID) -> list[tuple[str, str, str | None]]:
        rows = await self.rows(
            "select recipient_type, address, delivery_status from message_recipients where message_id = :id order by position",
            id=message_id,
        )
        return [(r["recipient_type"], r["address"], r["delivery_status"]) for r in rows]

    async def events(self) -> list[str]:
        return [r["type"] for r in await self.rows("select type from events order by id")]

    async def steps(self, message_id: uuid.UUID) -> list[str]:
        rows = await self.rows(
            "select step from send_steps where message_id = :id order by at, id", id=message_id
        )
        return [r["step"] for r in rows]

    async def receive(
        self,
        *,
        conversation_id: uuid.UUID | None = None,
        from_address: str = "carla@customer.example.com",
        from_name: str = "Carla",
        reply_to: tuple[str, ...] = (),
        to: tuple[str, ...] = ("desk@example.org",),
        cc: tuple[str, ...] = (),
        at: dt.datetime = NOW,
        is_auto: str | None = None,
        may_answer: bool = True,
        historical: bool = False,
    ) -> uuid.UUID:
        """A customer's mail, as the inbound path would store it."""
        self.serial += 1
        async with self.database.unit_of_work(self.tenant_id) as connection:
            return await receive(
                connection,
                self.tenant_id,
                self.inbox_id,
                conversation_id or self.conversation_id,
                serial=self.serial,
                from_address=from_address,
                from_name=from_name,
                reply_to=reply_to,
                to=to,
                cc=cc,
                at=at,
                is_auto=is_auto,
                may_answer=may_answer,
                historical=historical,
            )


async def receive(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    conversation_id: uuid.UUID,
    *,
    serial: int,
    from_address: str,
    from_name: str,
    reply_to: tuple[str, ...],
    to: tuple[str, ...],
    cc: tuple[str, ...],
    at: dt.datetime,
    is_auto: str | None,
    may_answer: bool,
    historical: bool,
) -> uuid.UUID:
    place = {"tenant": tenant_id, "conversation": conversation_id}
    version = (
        await connection.execute(
            text(
                "update conversations set message_count = message_count + 1, last_message_at = :at,"
                " customer_message_count = customer_message_count + 1, last_message_direction = 'inbound'"
                " where tenant_id = :tenant and id = :conversation returning version"
            ),
            {**place, "at": at},
        )
    ).scalar_one()
    message_id: uuid.UUID = (
        await connection.execute(
            text(
                "insert into messages (tenant_id, inbox_id, conversation_id, direction, sender_type, classification,"
                " from_address, from_name, reply_to, subject, sent_at, received_at, body_text, body_visible,"
                " message_id_header, content_id, at_version, is_auto, may_answer, historical)"
                " values (:tenant, :inbox, :conversation, 'inbound', 'customer', 'message', :from_address, :from_name,"
                " cast(:reply_to as jsonb), 'Printer on fire', :at, :at, 'It burns.', 'It burns.', :header, 'c', :version,"
                " :is_auto, :may_answer, :historical) returning id"
            ),
            {
                **place,
                "inbox": inbox_id,
                "from_address": from_address,
                "from_name": from_name,
                "reply_to": json.dumps([{"address": a, "name": ""} for a in reply_to]),
                "at": at,
                "header": f"<customer-{serial}@customer.example.com>",
                "version": version,
                "is_auto": is_auto,
                "may_answer": may_answer,
                "historical": historical,
            },
        )
    ).scalar_one()
    for position, (kind, address) in enumerate([("to", a) for a in to] + [("cc", a) for a in cc]):
        await connection.execute(
            text(
                "insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key)"
                " values (:tenant, :message, :kind, :position, :address, :key)"
            ),
            {
                "tenant": tenant_id,
                "message": message_id,
                "kind": kind,
                "position": position,
                "address": address,
                "key": address_key(address),
            },
        )
    return message_id


async def open_desk(database: Database, *, address: str = "desk@example.org") -> Desk:
    """A new tenant with everything that a reply needs."""
    tenant_id, inbox_id, conversation_id, agent_id = (new_id() for _ in range(4))
    made_at = NOW - dt.timedelta(days=1)
    async with database.unit_of_work(tenant_id) as connection:
        await connection.execute(
            text("insert into tenants (id, name, slug) values (:id, 'Example Org', :slug)"),
            {"id": tenant_id, "slug": tenant_id.hex},
        )
        await connection.execute(
            text(
                "insert into users (tenant_id, id, email, email_key, name) values (:t, :id, :mail, :mail, 'Ada Agent')"
            ),
            {"t": tenant_id, "id": agent_id, "mail": f"{agent_id.hex}@example.org"},
        )
        await connection.execute(
            text(
                "insert into inboxes (tenant_id, id, name, email_address, display_name, connected_at, health, created_at)"
                " values (:t, :id, 'Desk', :address, 'Example Desk', :at, 'ok', :at)"
            ),
            {"t": tenant_id, "id": inbox_id, "address": address, "at": made_at},
        )
        await connection.execute(
            text(
                "insert into conversations (tenant_id, id, number, inbox_id, subject, customer_identifier, customer_name,"
                " snippet, created_at) values (:t, :id, 42, :inbox, 'Printer on fire', 'carla@customer.example.com',"
                " 'Carla', 'It burns.', :at)"
            ),
            {"t": tenant_id, "id": conversation_id, "inbox": inbox_id, "at": NOW},
        )
    desk = Desk(database, tenant_id, inbox_id, conversation_id, agent_id, uuid.UUID(int=0))
    desk.first_message_id = await desk.receive()
    return desk
