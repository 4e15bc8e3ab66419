"""What endpoints are told: written in the transaction of what they are told about, taken one after the other, settled once.

A delivery's id never changes, so a receiver that is told twice can tell. An endpoint's deliveries go out in the order of their
ids; the one that is tried again holds those behind it.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import LoggedEvent, NewEvent, append_events
from store.pages import Page, id_cursor, read_id_cursor

STATE = text("select status, next_attempt_at <= now() as due from webhook_endpoints where tenant_id = :tenant and id = :id")
# As the conversation stands in this transaction, after what the rule has done to it before.
FACTS = text(
    """
    select c.number, c.status, c.priority, c.inbox_id, coalesce((select array_agg(t.name order by t.name)
      from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
      where g.tenant_id = c.tenant_id and g.conversation_id = c.id), '{}') as tags
    from conversations c where c.tenant_id = :tenant and c.id = :id
    """
)
QUEUE = text(
    """
    insert into webhook_deliveries (tenant_id, endpoint_id, event_id, event_type, cause, payload)
    values (:tenant, :endpoint, :event, :type, :cause, cast(:payload as jsonb))
    on conflict (tenant_id, endpoint_id, cause) do nothing
    """
)
QUEUE_ONE = text(f"{QUEUE.text} returning id")
SUBSCRIBED = text(
    """
    select id, events, inbox_ids, coalesce(next_attempt_at <= now(), true) as due from webhook_endpoints
    where tenant_id = :tenant and status <> 'disabled' and events && cast(:types as text[]) order by id
    """
)
LOCK = text(
    """
    select url, status, secrets_sealed, secrets_key_id, previous_until, failing_since, next_attempt_at
    from webhook_endpoints where tenant_id = :tenant and id = :id for no key update
    """
)
TAKE = text(
    """
    update webhook_deliveries set attempts = attempts + 1, attempted_at = :now
    where tenant_id = :tenant and id = (select id from webhook_deliveries
      where tenant_id = :tenant and endpoint_id = :endpoint and status = 'pending' order by id limit 1)
    returning id, event_type, payload, attempts, created_at
    """
)
SETTLE = text(
    """
    update webhook_deliveries set status = :status, response_status = :response, error = :error, duration_ms = :duration
    where tenant_id = :tenant and id = :id and attempted_at = :taken_at and status = 'pending' returning id
    """
)
WORKED = text(
    """
    update webhook_endpoints set status = case when status = 'warning' then 'active' else status end, failure_count = 0,
      failing_since = null, next_attempt_at = null, last_error = null, last_success_at = :now
    where tenant_id = :tenant and id = :id
    """
)
FAILED = text(
    """
    update webhook_endpoints set status = case when status = 'disabled' then status else :standing end,
      disabled_reason = case when status = 'disabled' then disabled_reason else :reason end,
      failure_count = failure_count + 1, failing_since = coalesce(failing_since, :now), next_attempt_at = :next,
      last_error = :error, last_failure_at = :now
    where tenant_id = :tenant and id = :id
    """
)
SHOWN = """
    select id, event_id, event_type, payload, status, attempts, response_status, error, duration_ms, attempted_at, created_at
    from webhook_deliveries where tenant_id = :tenant and endpoint_id = :endpoint
"""
LIST = text(
    f"""
    {SHOWN} and (cast(:status as text) is null or status = :status) and (cast(:before as uuid) is null or id < :before)
    order by id desc limit :limit
    """
)
ONE = text(f"{SHOWN} and id = :id")
AGAIN = text(
    """
    update webhook_deliveries set status = 'pending', attempts = 0, response_status = null, error = null, duration_ms = null
    where tenant_id = :tenant and endpoint_id = :endpoint and id = :id returning id
    """
)
ASK_NOW = text("update webhook_endpoints set next_attempt_at = null where tenant_id = :tenant and id = :endpoint")


@dataclass(frozen=True, slots=True)
class Matched:
    """The rule on whose behalf a delivery is written, and what it looked at."""

    rule_id: uuid.UUID
    rule_name: str
    version: int
    event_id: int
    message_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Queued:
    """`why` it was not written, in the words of a rule's outcome. `due`: the endpoint's workflow has something to do now."""

    why: str | None = None
    due: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """One attempt. `taken_at` is its fence; `failing_since` is of the endpoint before it."""

    id: uuid.UUID
    endpoint_id: uuid.UUID
    event_type: str
    payload: dict[str, Any]
    attempt: int
    created_at: dt.datetime
    taken_at: dt.datetime
    url: str
    secrets_sealed: bytes
    secrets_key_id: str
    previous_until: dt.datetime | None
    failing_since: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """A delivery to make, or how long to wait; neither: nothing waits, or nothing may be sent."""

    taken: Taken | None = None
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt went. `status` is the delivery's; `standing` the endpoint's, with `reason` where it is disabled;
    `next_attempt_at` when the endpoint is asked again, None: at once.
    """

    status: str
    response: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    standing: str = "active"
    reason: str | None = None
    next_attempt_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    id: uuid.UUID
    event_id: int | None
    event_type: str
    payload: dict[str, Any]
    status: str
    attempts: int
    response_status: int | None
    error: str | None
    duration_ms: int | None
    attempted_at: dt.datetime | None
    created_at: dt.datetime


async def queue_for_rule(
    connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, conversation_id: uuid.UUID, matched: Matched
) -> Queued:
    """In the transaction of the rule's hit. The same rule and event again find their delivery."""
    state = (await connection.execute(STATE, {"tenant": tenant_id, "id": endpoint_id})).first()
    if state is None:
        return Queued("no such webhook")
    if state.status == "disabled":
        return Queued("webhook is off")
    facts = (await connection.execute(FACTS, {"tenant": tenant_id, "id": conversation_id})).one()
    payload = {
        "event_id": matched.event_id,
        "rule": {"id": str(matched.rule_id), "name": matched.rule_name, "version": matched.version},
        "conversation": {
            "id": str(conversation_id),
            "number": facts.number,
            "status": facts.status,
            "priority": facts.priority,
            "tags": list(facts.tags),
            "inbox_id": str(facts.inbox_id),
        },
        "message_id": str(matched.message_id) if matched.message_id else None,
    }
    cause = f"rule {matched.rule_id} event {matched.event_id}"
    made = await _queue(connection, tenant_id, endpoint_id, matched.event_id, "rule.matched", cause, payload)
    return Queued(due=state.due is not False) if made else Queued("told before")


async def queue_events(connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]) -> list[uuid.UUID]:
    """For every endpoint that asked for them; those whose workflow has something to do now. Twice is once."""
    types = sorted({e.type for e in events})
    rows: list[dict[str, Any]] = []
    due: list[uuid.UUID] = []
    for endpoint in (await connection.execute(SUBSCRIBED, {"tenant": tenant_id, "types": types})).all():
        wanted = [e for e in events if e.type in endpoint.events]
        if endpoint.inbox_ids is not None:
            wanted = [e for e in wanted if e.inbox_id in endpoint.inbox_ids]
        for event in wanted:
            number = event.cursor.id
            rows.append(_row(tenant_id, endpoint.id, number, event.type, f"event {number}", _of_event(event)))
        if wanted and endpoint.due:
            due.append(endpoint.id)
    if rows:
        await connection.execute(QUEUE, rows)
    return due


async def queue_test(connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID) -> uuid.UUID:
    """A delivery that is about nothing. The caller has found the endpoint."""
    made = await _queue(connection, tenant_id, endpoint_id, None, "webhook.test", f"test {uuid.uuid4()}", {"test": True})
    if made is None:
        raise AssertionError("a random id was given out twice")
    await connection.execute(ASK_NOW, {"tenant": tenant_id, "endpoint": endpoint_id})
    return made


async def take_next(
    connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, *, now: dt.datetime
) -> Look:
    """The oldest that waits, counted as attempted before it is: dying now costs one of its attempts."""
    endpoint = (await connection.execute(LOCK, {"tenant": tenant_id, "id": endpoint_id})).first()
    if endpoint is None or endpoint.status == "disabled":
        return Look()
    if endpoint.next_attempt_at is not None and endpoint.next_attempt_at > now:
        return Look(wait_seconds=(endpoint.next_attempt_at - now).total_seconds())
    row = (await connection.execute(TAKE, {"tenant": tenant_id, "endpoint": endpoint_id, "now": now})).first()
    if row is None:
        return Look()
    return Look(
        Taken(
            row.id, endpoint_id, row.event_type, row.payload, row.attempts, row.created_at, now, endpoint.url,
            endpoint.secrets_sealed, endpoint.secrets_key_id, endpoint.previous_until, endpoint.failing_since,
        )
    )  # fmt: skip


async def settle(
    connection: AsyncConnection, tenant_id: uuid.UUID, taken: Taken, result: Result, *, now: dt.datetime
) -> bool:
    """False: another attempt has taken it since, or it was removed; then nothing is written. A change for the worse is told in
    the event log, once.
    """
    key = {"tenant": tenant_id, "id": taken.endpoint_id}
    before = (await connection.execute(LOCK, key)).first()
    bound = {"tenant": tenant_id, "id": taken.id, "taken_at": taken.taken_at, "status": result.status, "error": result.error}
    values = {"response": result.response, "duration": result.duration_ms}
    if before is None or (await connection.execute(SETTLE, {**bound, **values})).first() is None:
        return False
    if result.error is None:
        await connection.execute(WORKED, {**key, "now": now})
        return True
    failed = {"now": now, "error": result.error, "standing": result.standing, "reason": result.reason}
    await connection.execute(FAILED, {**key, **failed, "next": result.next_attempt_at})
    if result.standing not in ("active", before.status) and before.status != "disabled":
        kind = "webhook.disabled" if result.standing == "disabled" else "webhook.failing"
        payload = {"webhook_id": str(taken.endpoint_id), "error": result.error, "reason": result.reason}
        await append_events(connection, [NewEvent(kind, tenant_id, payload=payload)])
    return True


async def list_deliveries(
    connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, *, status: str | None, after: str | None, limit: int
) -> Page[DeliveryRow]:
    """Newest first. Raises BadCursor."""
    bound = {"status": status, "before": read_id_cursor(after) if after else None, "limit": limit + 1}
    rows = await connection.execute(LIST, {"tenant": tenant_id, "endpoint": endpoint_id, **bound})
    found = [DeliveryRow(**r) for r in rows.mappings()]
    kept = found[:limit]
    return Page(kept, id_cursor(kept[-1].id) if len(found) > limit else None)


async def get_delivery(
    connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> DeliveryRow | None:
    key = {"tenant": tenant_id, "endpoint": endpoint_id, "id": delivery_id}
    row = (await connection.execute(ONE, key)).mappings().first()
    return None if row is None else DeliveryRow(**row)


async def deliver_again(
    connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> bool:
    """It waits again, under the same id and before everything newer. False: there is none."""
    key = {"tenant": tenant_id, "endpoint": endpoint_id}
    if (await connection.execute(AGAIN, {**key, "id": delivery_id})).first() is None:
        return False
    await connection.execute(ASK_NOW, key)
    return True


async def _queue(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    endpoint_id: uuid.UUID,
    event_id: int | None,
    kind: str,
    cause: str,
    payload: Mapping[str, Any],
) -> uuid.UUID | None:
    row = (await connection.execute(QUEUE_ONE, _row(tenant_id, endpoint_id, event_id, kind, cause, payload))).first()
    return None if row is None else row.id


def _row(
    tenant_id: uuid.UUID, endpoint_id: uuid.UUID, event_id: int | None, kind: str, cause: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    bound = {"tenant": tenant_id, "endpoint": endpoint_id, "event": event_id, "type": kind, "cause": cause}
    return {**bound, "payload": json.dumps(payload)}


def _of_event(event: LoggedEvent) -> dict[str, Any]:
    """As the stream tells it, but for who it is that did it: that is the team's own business."""
    return {
        "event_id": event.cursor.id,
        "at": event.at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
        "conversation_id": str(event.conversation_id) if event.conversation_id else None,
        "message_id": str(event.message_id) if event.message_id else None,
        "inbox_id": str(event.inbox_id) if event.inbox_id else None,
        "payload": event.payload,
    }
