"""What a routing rule does to a conversation: the changes, their events with their causality, and what the mailbox is told.

The caller has locked the conversation (`lock_conversations`). What stands already is left alone and tells nobody, so doing
the same twice is doing it once.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.assignment import TEAM, WORKER
from store.assignment_moves import Move, loads_of, lock_agents, move_conversations
from store.conversation_tags import ADD, HELD, MAKE, REMOVE
from store.event_log import NewEvent, append_events
from store.intents import intend_labels, intend_place
from store.visibility import Viewer
from store.webhook_deliveries import Matched, queue_for_rule

# Conversations before agents, each by their ids: the order in which everybody locks them.
LOCK = text(
    """
    select id from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and deleted_at is null
      and merged_into is null
    order by id for no key update
    """
)
NOW = text(
    """
    select inbox_id, status, priority, category, assigned_to, assigned_by, team_id from conversations
    where tenant_id = :tenant and id = :id and deleted_at is null and merged_into is null
    """
)
CHANGE = text(
    """
    update conversations set status = cast(:status as text), priority = :priority, category = :category,
      closed_at = case when cast(:status as text) in ('closed', 'archived', 'trash') then coalesce(closed_at, now()) end,
      snoozed_until = case when cast(:status as text) = 'snoozed' then snoozed_until end
    where tenant_id = :tenant and id = :id returning version
    """
)
BUMP = text("update conversations set updated_at = now() where tenant_id = :tenant and id = :id returning version")
TEMPLATE = text("select 1 from templates where tenant_id = :tenant and id = :id and user_id is null and deleted_at is null")
DECIDED = text("select 1 from auto_response_claims where tenant_id = :tenant and conversation_id = :id")
WISH = text(
    """
    insert into rule_answers (tenant_id, conversation_id, template_id, rule_id)
    values (:tenant, :id, :template, :rule) on conflict do nothing returning conversation_id
    """
)


class Wanted(Protocol):
    """One action of a rule; see `rules.routing_actions.Action`."""

    @property
    def type(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def team(self) -> bool: ...
    @property
    def override(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """The rule that acts, and the depth of what it writes in the chain of reactions that event `root` began. `event_id` is what it
    was asked about, by the mail `message_id`.
    """

    tenant_id: uuid.UUID
    rule_id: uuid.UUID
    rule_name: str
    version: int
    depth: int
    root: int
    event_id: int = 0
    message_id: uuid.UUID | None = None

    @property
    def causality(self) -> dict[str, Any]:
        return {"depth": self.depth, "root": self.root, "rule_id": str(self.rule_id), "version": self.version}

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.tenant_id, None, sees_all=True)


@dataclass(frozen=True, slots=True)
class Done:
    """`outcomes` say of each action whether it did something, and why not. `answer`: an automatic answer is wished for.
    `endpoints` have something to be told now.
    """

    outcomes: tuple[dict[str, Any], ...]
    answer: bool = False
    endpoints: tuple[uuid.UUID, ...] = ()


async def lock_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> frozenset[uuid.UUID]:
    """Those of them that are still there and have not been merged, under lock until the transaction ends."""
    return frozenset((await connection.execute(LOCK, {"tenant": tenant_id, "ids": list(ids)})).scalars())


async def do_actions(
    connection: AsyncConnection, behalf: OnBehalf, conversation_id: uuid.UUID, actions: Sequence[Wanted]
) -> Done:
    """In their order. A person or team that is gone, or who has no room, is said and leaves the rest to be done."""
    key = {"tenant": behalf.tenant_id, "id": conversation_id}
    row = (await connection.execute(NOW, key)).mappings().first()
    if row is None:
        return Done(tuple({"type": a.type, "done": False, "why": "gone"} for a in actions))
    outcomes: list[dict[str, Any]] = []
    wanted: dict[str, str] = {}
    answer = False
    for action in actions:
        why: str | None
        if action.type in ("priority", "category", "status", "spam"):
            column, value = ("status", "spam") if action.type == "spam" else (action.type, action.value)
            why = "stands already" if row[column] == value else None
            if why is None:
                wanted[column] = value
        elif action.type in ("tag", "untag"):
            why = await _tag(connection, behalf, conversation_id, row["inbox_id"], action)
        elif action.type == "assign":
            why = await _assign(connection, behalf, conversation_id, row, action)
        elif action.type == "auto_response":
            why = await _wish(connection, behalf, conversation_id, action)
            answer = answer or why is None
        elif action.type == "webhook":
            why = None  # below: it tells how the conversation stands once all is done
        else:
            why = await _offer(connection, behalf, action)
        outcomes.append({"type": action.type, "done": why is None} | ({} if why is None else {"why": why}) | _said(action))
    if wanted:
        await _change(connection, behalf, conversation_id, row, wanted)
    endpoints: list[uuid.UUID] = []
    matched = Matched(behalf.rule_id, behalf.rule_name, behalf.version, behalf.event_id, behalf.message_id)
    for place, action in enumerate(actions):
        if action.type == "webhook":
            endpoint = uuid.UUID(action.value)
            queued = await queue_for_rule(connection, behalf.tenant_id, endpoint, conversation_id, matched)
            if queued.why is not None:
                outcomes[place] |= {"done": False, "why": queued.why}
            elif queued.due:
                endpoints.append(endpoint)
    return Done(tuple(outcomes), answer, tuple(endpoints))


def _said(action: Wanted) -> dict[str, Any]:
    if action.type in ("auto_response", "draft"):
        return {"template": action.value}
    return {"endpoint": action.value} if action.type == "webhook" else {}


async def _change(
    connection: AsyncConnection,
    behalf: OnBehalf,
    conversation_id: uuid.UUID,
    row: RowMapping,
    wanted: Mapping[str, str],
) -> None:
    values = {name: wanted.get(name, row[name]) for name in ("status", "priority", "category")}
    key = {"tenant": behalf.tenant_id, "id": conversation_id}
    version = (await connection.execute(CHANGE, {**key, **values})).scalar_one()
    payload: dict[str, Any] = {"version": version, "changed": sorted(wanted)}
    payload |= {name: value for name, value in wanted.items() if name != "category"}
    await _tell(connection, behalf, conversation_id, row["inbox_id"], payload)
    if "status" in wanted:
        await intend_place(connection, behalf.viewer, conversation_id, wanted["status"])


async def _tag(
    connection: AsyncConnection, behalf: OnBehalf, conversation_id: uuid.UUID, inbox_id: uuid.UUID, action: Wanted
) -> str | None:
    key = {"tenant": behalf.tenant_id, "id": conversation_id}
    held = set((await connection.execute(HELD, key)).scalars())
    putting = action.type == "tag"
    names = sorted(set(action.names) - held if putting else set(action.names) & held)
    if not names:
        return "stands already"
    if putting:
        await connection.execute(MAKE, {"tenant": behalf.tenant_id, "names": names, "person": None})
    await connection.execute(ADD if putting else REMOVE, {**key, "names": names})
    version = (await connection.execute(BUMP, key)).scalar_one()
    await _tell(connection, behalf, conversation_id, inbox_id, {"version": version, "changed": ["tags"]})
    added, removed = (names, []) if putting else ([], names)
    await intend_labels(connection, behalf.viewer, conversation_id, added=added, removed=removed)
    return None


async def _assign(
    connection: AsyncConnection, behalf: OnBehalf, conversation_id: uuid.UUID, row: RowMapping, action: Wanted
) -> str | None:
    """A person keeps what they took or were given by hand, unless the rule says otherwise."""
    target = uuid.UUID(action.value)
    by_hand = row["assigned_to"] is not None and row["assigned_by"] == "manual"
    reason = f"Rule “{behalf.rule_name}”."
    if action.team:
        if row["team_id"] == target:
            return "stands already"
        if by_hand and not action.override:
            return "assigned by hand"
        if (await connection.execute(TEAM, {"tenant": behalf.tenant_id, "team": target})).first() is None:
            return "no such team"
        agent, team = None, target
    else:
        if row["assigned_to"] == target:
            return "stands already"
        if by_hand and not action.override:
            return "assigned by hand"
        agent, team = target, row["team_id"]
        await lock_agents(connection, behalf.tenant_id, [target])
        asked = {"tenant": behalf.tenant_id, "user": target, "inbox": row["inbox_id"]}
        worker = (await connection.execute(WORKER, asked)).first()
        if worker is None:
            return "cannot work here"
        load = (await loads_of(connection, behalf.tenant_id, [target])).get(target, 0)
        if row["status"] == "open" and load >= worker.capacity:
            return "at capacity"
    move = Move(
        conversation_id, agent, team, "rule", reason, was=row["assigned_to"], causality=behalf.causality
    )
    await move_conversations(connection, behalf.tenant_id, [move])
    return None


async def _wish(
    connection: AsyncConnection, behalf: OnBehalf, conversation_id: uuid.UUID, action: Wanted
) -> str | None:
    """Whether the answer goes out is decided where all automatic answers are; here only that a rule asks for it."""
    why = await _offer(connection, behalf, action)
    if why is not None:
        return why
    key = {"tenant": behalf.tenant_id, "id": conversation_id}
    if (await connection.execute(DECIDED, key)).first() is not None:
        return "decided before"
    asked = {**key, "template": uuid.UUID(action.value), "rule": behalf.rule_id}
    if (await connection.execute(WISH, asked)).first() is None:
        return "asked before"
    return None


async def _offer(connection: AsyncConnection, behalf: OnBehalf, action: Wanted) -> str | None:
    bound = {"tenant": behalf.tenant_id, "id": uuid.UUID(action.value)}
    return None if (await connection.execute(TEMPLATE, bound)).first() is not None else "no such template"


async def _tell(
    connection: AsyncConnection,
    behalf: OnBehalf,
    conversation_id: uuid.UUID,
    inbox_id: uuid.UUID,
    payload: Mapping[str, Any],
) -> None:
    event = NewEvent(
        "conversation.updated",
        behalf.tenant_id,
        inbox_id=inbox_id,
        conversation_id=conversation_id,
        payload=payload,
        causality=behalf.causality,
    )
    await append_events(connection, [event])
