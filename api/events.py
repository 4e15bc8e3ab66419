"""`GET /v1/events/stream`: what a client may see of the event log, as server-sent events that can be resumed.

First `ready` with the cursor, or what was missed since the client's own cursor; then everything as it happens. `reset`
says that a hole is possible and the client loads again; `parts` names what of the server does not answer just now.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.auth import Access, Principal, find_principal
from api.endpoint import Call, Endpoint
from api.patience import GivenUp
from api.presence_board import LASTS_SECONDS
from api.problems import FieldError, away, not_valid
from api.schemas.service import StreamQuery
from api.stream import Subscription, TooFarBehind
from store.event_log import Cursor, LoggedEvent
from store.presence import Presence
from store.visibility import visible_inboxes

log = logging.getLogger("mailroom.api.stream")
PING_SECONDS = 15
SEND_SECONDS = 15.0  # a client that takes nothing for so long is frozen; it comes back and resumes


async def stream(call: Call[StreamQuery, None]) -> EventSourceResponse:
    who = call.who
    given = call.request.headers.get("last-event-id") or call.query.after
    since: Place | None = None
    if given:
        try:
            since = Place.parse(given)
        except ValueError:
            raise not_valid(FieldError("after", "is not a cursor that this stream gave")) from None
    caller = str(who.user_id or who.caller)
    try:
        await call.deps.streams.check_room(who.tenant_id, caller)
    except TimeoutError:
        raise away(
            "PostgreSQL", "The event log cannot be read just now; the browser tries again by itself."
        ) from None

    async def body() -> AsyncIterator[ServerSentEvent]:
        try:
            async with call.deps.streams.subscribe(who.tenant_id, caller) as subscription:
                async for event in _Client(call, subscription, since).events():
                    yield event
        except (SQLAlchemyError, OSError) as error:
            # Who may see what cannot be checked now: end, and let the client come back.
            log.warning("an event stream ends because PostgreSQL does not answer (%s)", type(error).__name__)

    return EventSourceResponse(
        body(),
        ping=PING_SECONDS,
        send_timeout=SEND_SECONDS,
        headers={"Cache-Control": "private, no-store"},
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor as clients keep it: `xid.id`, and for a database that was restored `xid.id~era`."""

    cursor: Cursor
    era: int

    @classmethod
    def parse(cls, value: str) -> "Place":
        """Raises ValueError for what this stream never gave."""
        cursor, mark, era = value.partition("~")
        if mark and not (era.isascii() and era.isdigit() and len(era) < 10):
            raise ValueError("a place looks like `12345.678`")
        return cls(Cursor.parse(cursor), int(era) if mark else 0)

    def __str__(self) -> str:
        return f"{self.cursor}~{self.era}" if self.era else str(self.cursor)


class _Client:
    """One open stream."""

    def __init__(
        self, call: Call[StreamQuery, None], subscription: Subscription, since: Place | None
    ) -> None:
        self._call = call
        self._deps = call.deps
        self._who = call.who
        self._subscription = subscription
        self._era = call.deps.streams.era
        self._other_life = since is not None and since.era != self._era
        self._since = since.cursor if since is not None and not self._other_life else None
        self._visible: frozenset[uuid.UUID] = frozenset()
        self._hidden: set[uuid.UUID] = set()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        joined = self._subscription.joined_at
        last = self._since or joined
        await self._look_again()
        yield self._control("ready", max(last, joined) if self._since is None else last)
        if self._other_life:
            yield self._control("reset", joined)  # a place in what the database was before it was restored
        if self._since is not None:
            try:
                async for event in self._deps.streams.missed(self._subscription, self._since):
                    last = event.cursor
                    if await self._may_see(event):
                        yield self._rendered(event)
            except TooFarBehind:
                yield self._control("reset", joined)
                last = joined
        checked = _now()
        told: tuple[str, ...] = ()
        while not self._deps.streams.closing.is_set():
            if self._deps.parts.away != told:
                told = self._deps.parts.away
                yield _parts(told)
            if self._subscription.overflowed:
                yield self._control("reset", last)
                return
            left = self._deps.config.recheck_seconds - (_now() - checked)
            if left <= 0:
                try:
                    welcome = await self._deps.patience.during(self._still_welcome())
                except GivenUp:
                    log.warning("an event stream ends because PostgreSQL does not answer")
                    return
                if not welcome:
                    return
                checked = _now()
                continue
            try:
                said = await asyncio.wait_for(self._subscription.queue.get(), min(left, 2.0))
            except TimeoutError:
                continue
            if isinstance(said, Presence):
                if await self._sees(said.inbox_id):
                    yield _presence(said)
                continue
            # A cursor of another process may lie ahead of where this one joined: nothing comes twice.
            if said.cursor > last:
                last = said.cursor
                if await self._may_see(said):
                    yield self._rendered(said)

    def _control(self, kind: str, cursor: Cursor) -> ServerSentEvent:
        place = str(Place(cursor, self._era))
        return ServerSentEvent(event=kind, id=place, data=json.dumps({"type": kind, "cursor": place}))

    def _rendered(self, event: LoggedEvent) -> ServerSentEvent:
        def text(value: uuid.UUID | None) -> str | None:
            return str(value) if value is not None else None

        data = {
            "type": event.type,
            "at": event.at.isoformat().replace("+00:00", "Z"),
            "conversation_id": text(event.conversation_id),
            "message_id": text(event.message_id),
            "inbox_id": text(event.inbox_id),
            "actor": event.actor,
            "payload": event.payload,
        }
        return ServerSentEvent(event=event.type, id=str(Place(event.cursor, self._era)), data=json.dumps(data))

    async def _may_see(self, event: LoggedEvent) -> bool:
        if event.type.startswith("notification."):  # what one person is told is nobody else's, not even a program's
            return self._who.user_id is not None and event.payload.get("user_id") == str(self._who.user_id)
        return await self._sees(event.inbox_id)

    async def _sees(self, inbox: uuid.UUID | None) -> bool:
        if inbox is None or self._who.viewer.sees_all or inbox in self._visible:
            return True
        if inbox not in self._hidden:
            await self._look_again()  # an inbox that was made since
            if inbox not in self._visible:
                self._hidden.add(inbox)
        return inbox in self._visible

    async def _look_again(self) -> None:
        if self._who.viewer.sees_all:
            return
        async with self._deps.database.unit_of_work(self._who.tenant_id) as connection:
            self._visible = await visible_inboxes(connection, self._who.viewer)
        self._hidden.clear()

    async def _still_welcome(self) -> bool:
        """Signed in as before? A revoked session or key ends its stream within this check's interval."""
        found: Principal | None = await find_principal(
            self._call.request, self._deps.config, self._deps.database
        )
        if found is None or found.caller != self._who.caller or found.access < Access.VIEWER:
            return False
        self._who = found
        await self._look_again()
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()


def _presence(presence: Presence) -> ServerSentEvent:
    """Without an id: it is in no log. It holds for `seconds` unless it is said again."""
    data = {
        "type": "presence",
        "conversation_id": str(presence.conversation_id),
        "inbox_id": str(presence.inbox_id),
        "user": {"id": str(presence.user_id), "name": presence.name},
        "state": presence.state,
        "tab": presence.tab,
        "seconds": LASTS_SECONDS,
    }
    return ServerSentEvent(event="presence", data=json.dumps(data))


def _parts(away: tuple[str, ...]) -> ServerSentEvent:
    """Without an id: the client's place in the log stays."""
    return ServerSentEvent(event="parts", data=json.dumps({"type": "parts", "away": away}))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/events/stream",
        stream,
        Access.VIEWER,
        "What happens, as it happens",
        query=StreamQuery,
        endless=True,
        media_type="text/event-stream",
        headers={"Last-Event-ID": "Resume behind this event."},
    ),
)
