"""A small desk whose conversations change their shape: mails come in by their ids, agents answer, people merge, split and unmerge."""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from mail.values import Address
from models.enums import Direction
from store.bulk import new_id
from store.ingest_lock import lock_ingest
from store.placing import Placeable, place_mails
from store.unit_of_work import Database
from store.visibility import Viewer

BEGIN = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
OWN = frozenset({"desk@example.org"})
INSERT = text(
    """
    insert into messages (tenant_id, id, inbox_id, conversation_id, direction, sender_type, classification, from_address, subject,
      sent_at, received_at, body_text, body_visible, message_id_header, content_id, in_reply_to, at_version, is_read, send_status)
    values (:tenant, :id, :inbox, :conversation, :direction, :sender, 'message', :from, :subject, :at, :at, 'words', 'words',
      :header, 'c', :parent, :version, :read, :status)
    """
)
REFERENCES = text(
    "insert into message_references (tenant_id, message_id, position, referenced_id) values (:tenant, :id, :n, :key)"
)
# Everything that a conversation keeps about its messages, counted slowly and by itself.
STATE = """
select c.id, c.merged_into, c.merged_under, c.message_count, c.agent_message_count, c.customer_message_count, c.unread_count,
  c.failed_sends, c.unknown_sends, c.last_message_at, c.deleted_at from conversations c
"""


@dataclass(slots=True)
class ShapeDesk:
    """`headers` are the ids of all mails in the order in which they came."""

    database: Database
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    viewer: Viewer
    headers: list[str] = field(default_factory=list)
    serial: int = 0

    async def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"tenant": self.tenant_id, **bound})
            return [dict(row) for row in found.mappings()] if found.returns_rows else []

    async def mail(
        self,
        *parents: str,
        outbound: bool = False,
        sender: str = "carla@customer.example.com",
        subject: str = "Printer",
        inbox_id: uuid.UUID | None = None,
    ) -> tuple[uuid.UUID, uuid.UUID]:
        """A mail comes in (or, written in another mail program, is found in Sent): its message and its conversation."""
        inbox_id = inbox_id or self.inbox_id
        self.serial += 1
        header, at = f"<m{self.serial}@customer.example.com>", BEGIN + dt.timedelta(minutes=self.serial)
        desk, customer = Address("desk@example.org"), Address(sender)
        placeable = Placeable(
            message_id=new_id(),
            own_key=header,
            parents=parents,
            direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
            sender=desk if outbound else customer,
            recipients=(customer if outbound else desk,),
            subject=subject,
            normalized_subject=subject.casefold(),
            snippet="words",
            at=at,
            unread=not outbound,
            historical=False,
        )
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await lock_ingest(connection, inbox_id)
            placed = (await place_mails(connection, self.tenant_id, inbox_id, [placeable], own=OWN))[placeable.message_id]
            bound = {
                "tenant": self.tenant_id,
                "id": placeable.message_id,
                "inbox": inbox_id,
                "conversation": placed.conversation_id,
                "direction": placeable.direction.value,
                "sender": "agent" if outbound else "customer",
                "from": placeable.sender.address,
                "subject": subject,
                "at": at,
                "header": header,
                "parent": parents[0] if parents else None,
                "version": placed.at_version,
                "read": outbound,
                "status": "sent" if outbound else None,
            }
            await connection.execute(INSERT, bound)
            for n, key in enumerate(reversed(parents)):
                await connection.execute(REFERENCES, {"tenant": self.tenant_id, "id": placeable.message_id, "n": n, "key": key})
        self.headers.append(header)
        return placeable.message_id, placed.conversation_id

    async def header_of(self, message_id: uuid.UUID) -> str:
        return str((await self.rows("select message_id_header as h from messages where id = :id", id=message_id))[0]["h"])

    async def places(self) -> dict[str, uuid.UUID]:
        """Where each message stands, by its id in mail."""
        rows = await self.rows("select message_id_header as h, conversation_id as c from messages order by received_at")
        return {row["h"]: row["c"] for row in rows}

    async def living(self) -> list[uuid.UUID]:
        return [r["id"] for r in await self.rows("select id from conversations where merged_into is null order by number")]

    async def merged(self) -> list[uuid.UUID]:
        return [
            r["id"] for r in await self.rows("select id from conversations where merged_into is not null order by number")
        ]

    async def check(self) -> None:
        """What must hold at any time, whatever was done."""
        conversations = {r["id"]: r for r in await self.rows(STATE)}
        messages = await self.rows("select * from messages")
        assert sorted(m["message_id_header"] for m in messages) == sorted(self.headers), "a message is lost, or doubled"
        held: dict[uuid.UUID, list[dict[str, Any]]] = {i: [] for i in conversations}
        for message in messages:
            held[message["conversation_id"]].append(message)
            assert conversations[message["conversation_id"]]["merged_into"] is None, "a message stands in an alias"
            home = message["home_id"]
            assert home is None or conversations[home]["merged_into"] == message["conversation_id"], "a home leads elsewhere"
        for one in conversations.values():
            mine = held[one["id"]]
            inbound = [m for m in mine if m["direction"] == "inbound"]
            assert one["message_count"] == len(mine)
            assert one["customer_message_count"] == len(inbound)
            assert one["agent_message_count"] == len(mine) - len(inbound)
            assert one["unread_count"] == sum(not m["is_read"] for m in inbound)
            if mine:
                assert one["last_message_at"] == max(m["received_at"] for m in mine)
            if one["merged_into"] is not None:
                assert conversations[one["merged_into"]]["merged_into"] is None, "an alias leads to an alias"
                at = one["id"]
                while conversations[at]["merged_under"] is not None:
                    at = conversations[at]["merged_under"]
                assert at == one["merged_into"], "the tree of merges has another root than the alias"
        place = {m["message_id_header"]: m["conversation_id"] for m in messages}
        for key in await self.rows("select key, conversation_id from thread_keys"):
            assert conversations[key["conversation_id"]]["merged_into"] is None, "a key leads to an alias"
            assert place.get(key["key"], key["conversation_id"]) == key["conversation_id"], "a key leads away from its mail"


async def open_shape_desk(database: Database) -> ShapeDesk:
    """A tenant of its own with one inbox."""
    tenant, inbox = uuid.uuid4(), uuid.uuid4()
    async with database.system_unit_of_work() as connection:
        for statement in (
            "insert into tenants (id, name, slug) values (:t, 'Test', :slug)",
            "insert into inboxes (tenant_id, id, name, email_address) values (:t, :i, 'Desk', 'desk@example.org')",
        ):
            await connection.execute(text(statement), {"t": tenant, "i": inbox, "slug": tenant.hex})
    return ShapeDesk(database, tenant, inbox, Viewer(tenant, None, True))
