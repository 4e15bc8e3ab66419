"""A desk with service levels for tests: what happens is written with its own instants, and the reactor or the timer is asked."""

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.desk_clocks import DeskClocks
from activities.sla_timer import SlaTiming
from contracts.desk import Followup
from contracts.sla import SlaRef, SlaReport
from store.bulk import new_id
from store.event_log import Cursor, LoggedEvent
from store.sla_settings import save_hours, save_policy
from tests.store.desk import Desk

TUESDAY = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
OFFICE = [[["09:00", "12:00"], ["13:00", "17:00"]]] * 5 + [[], []]
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def after(hours: float = 0, *, minutes: float = 0) -> dt.datetime:
    return TUESDAY + hours * HOUR + minutes * MINUTE


@dataclass
class ClockRoom:
    """`waiting` are events that the reactor has not seen. The time of the timer is `now`."""

    desk: Desk
    now: dt.datetime = TUESDAY
    waiting: list[LoggedEvent] = field(default_factory=list)
    serial: int = 0

    async def hours(self, **given: Any) -> uuid.UUID:
        row = {"name": "Office", "time_zone": "UTC", "week": OFFICE, "country": "", "subdivision": "", "dates": [], "is_default": False}
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return await save_hours(connection, self.desk.tenant_id, row | given, actor="test")

    async def policy(self, **given: Any) -> uuid.UUID:
        row = {
            "name": "All",
            "enabled": True,
            "conditions": {},
            "targets": {t: {"minutes": m, "time": "calendar"} for t, m in (("first_response", 60), ("next_response", 120), ("resolution", 600))},
            "business_hours_id": None,
            "warn_percent": 80,
            "pause_on": ["pending", "snoozed"],
            "actions": {},
        }
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return await save_policy(connection, self.desk.tenant_id, row | given, actor="test")

    async def conversation(self, **given: Any) -> uuid.UUID:
        """A new one without any mail."""
        self.serial += 1
        row_id = new_id()
        values = {"number": 1000 + self.serial, "id": row_id, "inbox": self.desk.inbox_id} | given
        await self.desk.rows(
            "insert into conversations (tenant_id, id, number, inbox_id, created_at) values (:tenant, :id, :number, :inbox, :at)",
            **values, at=TUESDAY,
        )  # fmt: skip
        return row_id

    async def mail(self, at: dt.datetime, *, to: uuid.UUID, stored: dt.datetime | None = None, **given: Any) -> uuid.UUID:
        """A customer's, received then, and stored then or later."""
        return await self._message(to, at, stored or at, {"direction": "inbound", "sender_type": "customer", "classification": "message"} | given, "message.received", {"classification": "message"})

    async def answer(self, at: dt.datetime, *, to: uuid.UUID, stored: dt.datetime | None = None, **given: Any) -> uuid.UUID:
        """An agent's from the desk, queued then."""
        row = {"direction": "outbound", "sender_type": "agent", "author_id": self.desk.agent_id, "send_status": "queued"} | given
        return await self._message(to, at, stored or at, row, "message.queued", {"kind": "message", "send_status": row["send_status"]})

    async def sent_elsewhere(self, at: dt.datetime, *, to: uuid.UUID, stored: dt.datetime | None = None) -> uuid.UUID:
        """An agent's from another mail program, found in the Sent folder."""
        row = {"direction": "outbound", "sender_type": "agent", "classification": "message", "send_status": "sent"}
        return await self._message(to, at, stored or at, row, "message.sent", {"classification": "message", "source": "sent_folder"})

    async def becomes(self, send_status: str, message_id: uuid.UUID, at: dt.datetime) -> None:
        """What became of a message that was queued."""
        rows = await self.desk.rows("update messages set send_status = :s where id = :id returning conversation_id", s=send_status, id=message_id)
        kind = {"queued": "message.updated", "sending": "message.updated"}.get(send_status, f"message.{send_status}")
        self.tell(kind, at, rows[0]["conversation_id"], {"kind": "message", "send_status": send_status}, message_id=message_id)

    async def status(self, status: str, at: dt.datetime, *, of: uuid.UUID) -> None:
        await self.desk.rows("update conversations set status = :s where id = :id", s=status, id=of)
        self.tell("conversation.updated", at, of, {"changed": ["status"], "status": status})

    async def change(self, at: dt.datetime, *, of: uuid.UUID, **values: Any) -> None:
        for column, value in values.items():
            await self.desk.rows(f"update conversations set {column} = :v where id = :id", v=value, id=of)
        self.tell("conversation.updated", at, of, {"changed": sorted(values)})

    def tell(self, kind: str, at: dt.datetime, conversation: uuid.UUID | None, payload: dict[str, Any], *, message_id: uuid.UUID | None = None) -> None:
        self.serial += 1
        self.waiting.append(
            LoggedEvent(Cursor(1, self.serial), kind, self.desk.tenant_id, self.desk.inbox_id, conversation, message_id, "test", payload, at)
        )

    async def react(self) -> list[Followup]:
        """The desk reads what waits."""
        events, self.waiting = self.waiting, []
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            return list(await DeskClocks().react(connection, self.desk.tenant_id, events))

    def timing(self) -> SlaTiming:
        async def clock(_connection: AsyncConnection) -> dt.datetime:
            return self.now

        return SlaTiming(self.desk.database, clock=clock)

    async def act(self, at: dt.datetime) -> SlaReport:
        """The timer looks, at that instant."""
        self.now = at
        return await self.timing().act(SlaRef(str(self.desk.tenant_id)))

    async def clocks(self, conversation: uuid.UUID) -> list[dict[str, Any]]:
        return await self.desk.rows(
            "select * from sla_clocks where conversation_id = :id order by started_at, target", id=conversation
        )

    async def clock(self, conversation: uuid.UUID, target: str = "first_response") -> dict[str, Any]:
        """The newest of that target."""
        return [c for c in await self.clocks(conversation) if c["target"] == target][-1]

    async def row(self, conversation: uuid.UUID) -> dict[str, Any]:
        return (await self.desk.rows("select * from conversations where id = :id", id=conversation))[0]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        return await self.desk.rows("select * from events where type = :kind order by id", kind=kind)

    async def _message(self, conversation: uuid.UUID, at: dt.datetime, stored: dt.datetime, given: dict[str, Any], kind: str, payload: dict[str, Any]) -> uuid.UUID:
        self.serial += 1
        row = {
            "id": new_id(),
            "inbox_id": self.desk.inbox_id,
            "conversation_id": conversation,
            "message_id_header": f"<{self.serial}.{uuid.uuid4().hex}@example.org>",
            "sent_at": at,
            "received_at": at,
            "created_at": stored,
        } | given
        names = ", ".join(row)
        await self.desk.rows(
            f"insert into messages (tenant_id, {names}) values (:tenant, {', '.join(f':{n}' for n in row)})", **row
        )
        if not row.get("historical"):
            self.tell(kind, stored, conversation, payload, message_id=row["id"])
        return row["id"]


def kinds(clock: dict[str, Any]) -> list[tuple[str, float]]:
    """The segments of a clock: kind, or the status of a pause, and minutes."""
    segments = clock["segments"] if not isinstance(clock["segments"], str) else json.loads(clock["segments"])
    return [
        (why or kind, (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)) / MINUTE)
        for kind, start, end, why in segments
    ]
