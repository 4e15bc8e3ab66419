"""Intents: what people chose here and the mailbox shall show too. Which are asked for, and how they are closed and told.

What an inbox writes back is a list of words in its settings; without one nothing is. `store/intents_due.py` finds what is to be done.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import FolderRole, IntentState
from store.event_log import NewEvent, append_events
from store.visibility import Viewer

__all__ = [
    "Closed",
    "IntentState",
    "chosen",
    "close",
    "intend_labels",
    "intend_place",
    "intend_read",
    "tell_closed",
    "withdraw",
]

SETTING = "write_back"
READ, ARCHIVE, CLOSED, SPAM, TRASH, LABELS = "read", "archive", "closed", "spam", "trash", "labels"
# By a conversation's status: the word that an inbox must have, and where its mails then belong. `closed` archives too.
PLACED = {
    "archived": (ARCHIVE, FolderRole.ARCHIVE),
    "closed": (CLOSED, FolderRole.ARCHIVE),
    "spam": (SPAM, FolderRole.JUNK),
    "trash": (TRASH, FolderRole.TRASH),
}

# A mail that a provider names by an id can be written wherever it lies; one with a UID only in a folder that is read.
REACHED = "(l.provider_message_id is not null or (l.uid is not null and f.synced and f.uidvalidity = l.uidvalidity))"
LIVE = """
  from ledger l join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
  where l.tenant_id = m.tenant_id and l.message_id = m.id and l.gone_at is null
"""
UNSEEN = f"select {LIVE} and {REACHED} and not '\\Seen' = any(l.flags)"
CHOSEN = f"jsonb_exists(i.settings -> '{SETTING}', :word)"

ASK_READ = text(
    f"""
    insert into intents (tenant_id, inbox_id, message_id, kind, wanted, asked_by)
    select m.tenant_id, m.inbox_id, m.id, 'read', 'on', :actor
    from messages m join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    where {CHOSEN} and m.tenant_id = :tenant
      and m.conversation_id = :conversation and m.direction = 'inbound' and m.is_read and exists ({UNSEEN})
    order by m.id
    on conflict (tenant_id, message_id, kind, detail) do update
      set state = 'open', asked_at = now(), asked_by = excluded.asked_by, closed_at = null, reason = ''
      where intents.state <> 'open'
    returning inbox_id
    """  # constants of this file
)
SETTINGS = text(
    """
    select i.settings from conversations c join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    where c.tenant_id = :tenant and c.id = :conversation
    """
)
# What was not begun is not begun any more; what was begun may have happened, so its opposite is asked for below.
FORGET_PLACE = text(
    """
    update intents t set state = 'withdrawn', closed_at = now() from messages m
    where t.tenant_id = :tenant and m.tenant_id = t.tenant_id and m.id = t.message_id and m.conversation_id = :conversation
      and t.kind = 'place' and t.state = 'open' and t.wanted <> :wanted and t.tried_at is null
    """
)
# Back into the inbox goes only what we took out of it: where the mail lies is where our own intent has put it.
ASK_PLACE = text(
    f"""
    with mails as (
      select m.id, m.inbox_id, t.wanted as put, t.state, t.state = 'open' and t.tried_at is not null as begun,
        (select case f.role when 'all' then 'archive' else f.role end {LIVE} and {REACHED}
         order by (f.role = 'inbox') desc, l.id desc limit 1) as lies
      from messages m join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
      left join intents t on t.tenant_id = m.tenant_id and t.message_id = m.id and t.kind = 'place'
      where {CHOSEN} and m.tenant_id = :tenant and m.conversation_id = :conversation and m.direction = 'inbound'
    ), placed as (
      select *, case when begun then put else coalesce(lies, case when state = 'done' then put end) end as place from mails
    )
    insert into intents (tenant_id, inbox_id, message_id, kind, wanted, expected, asked_by)
    select :tenant, inbox_id, id, 'place', :wanted, place, :actor from placed
    where place <> :wanted and place not in ('sent', 'drafts')
      and (:wanted <> 'archive' or place in ('inbox', 'junk', 'trash'))
      and (:wanted <> 'inbox' or (place = put and (begun or state = 'done')))
    order by id
    on conflict (tenant_id, message_id, kind, detail) do update
      set state = 'open', wanted = excluded.wanted, expected = excluded.expected, tried_at = null, reason = '',
        asked_at = now(), asked_by = excluded.asked_by, closed_at = null
      where intents.state <> 'open' or intents.wanted <> excluded.wanted
    returning inbox_id
    """  # constants of this file
)
ASK_LABELS = text(
    f"""
    insert into intents (tenant_id, inbox_id, message_id, kind, detail, wanted, asked_by)
    select m.tenant_id, m.inbox_id, m.id, 'label', v.name, v.wanted, :actor
    from messages m join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    cross join unnest(cast(:names as text[]), cast(:wanted as text[])) as v(name, wanted)
    where {CHOSEN} and m.tenant_id = :tenant and m.conversation_id = :conversation and m.direction = 'inbound'
      and exists (select {LIVE} and {REACHED})
    order by m.id, v.name
    on conflict (tenant_id, message_id, kind, detail) do update
      set state = 'open', wanted = excluded.wanted, asked_at = now(), asked_by = excluded.asked_by, closed_at = null, reason = ''
      where intents.state <> 'open' or intents.wanted <> excluded.wanted
    returning inbox_id
    """  # constants of this file
)
CLOSE = text(
    """
    update intents t set state = v.state, reason = v.reason, closed_at = now()
    from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[])) as v(id, state, reason)
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.id = v.id and t.state = 'open'
    returning t.message_id, t.kind, t.state, t.detail, t.wanted, t.reason, (select conversation_id from messages m
      where m.tenant_id = t.tenant_id and m.id = t.message_id) as conversation_id
    """
)
WITHDRAW = text(
    """
    update intents t set state = 'withdrawn', closed_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and state = 'open' and (
      (kind = 'read' and not 'read' = any(cast(:words as text[])))
      or (kind = 'label' and not 'labels' = any(cast(:words as text[])))
      or (kind = 'place' and not cast(:words as text[]) && case wanted when 'archive' then array['archive', 'closed']
            when 'junk' then array['spam'] when 'trash' then array['trash'] else array['archive', 'closed', 'spam', 'trash'] end))
    """
)
WORTH_TELLING = frozenset({IntentState.SUPERSEDED, IntentState.CONFLICT, IntentState.REFUSED})


@dataclass(frozen=True, slots=True)
class Closed:
    """How an intent ended, and why where that is worth a word."""

    id: uuid.UUID
    state: IntentState
    reason: str = ""


def chosen(settings: Mapping[str, Any]) -> frozenset[str]:
    """The words of what this inbox writes back; none by default."""
    words = settings.get(SETTING)
    return frozenset(str(word) for word in words) if isinstance(words, list) else frozenset()


async def intend_read(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    """Intents for the conversation's read mails that the server shows as unread. The inbox to be told, or None: nothing new.

    Call it in the transaction that marks them. Twice is once.
    """
    bound = {"tenant": viewer.tenant_id, "conversation": conversation_id, "actor": viewer.actor, "word": READ}
    return _inbox((await connection.execute(ASK_READ, bound)).scalars().all())


async def intend_place(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, status: str
) -> uuid.UUID | None:
    """Intents for what the conversation's new status means for where its mails lie; an open one takes back what we moved, and
    nothing else. Call it in the transaction that sets the status. The inbox to be told, or None. Twice is once.
    """
    key = {"tenant": viewer.tenant_id, "conversation": conversation_id}
    words = chosen((await connection.execute(SETTINGS, key)).scalar_one())
    word, place = PLACED.get(status, (next((w for w, _ in PLACED.values() if w in words), ""), FolderRole.INBOX))
    await connection.execute(FORGET_PLACE, {**key, "wanted": place.value})
    if word not in words:
        return None
    bound = {**key, "actor": viewer.actor, "word": word, "wanted": place.value}
    return _inbox((await connection.execute(ASK_PLACE, bound)).scalars().all())


async def intend_labels(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    *,
    added: Sequence[str],
    removed: Sequence[str],
) -> uuid.UUID | None:
    """Intents for tags that were put on or taken off, for each of the conversation's mails. As the others."""
    if not added and not removed:
        return None
    bound = {
        "tenant": viewer.tenant_id,
        "conversation": conversation_id,
        "actor": viewer.actor,
        "word": LABELS,
        "names": [*added, *removed],
        "wanted": ["on"] * len(added) + ["off"] * len(removed),
    }
    return _inbox((await connection.execute(ASK_LABELS, bound)).scalars().all())


async def close(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, ends: Sequence[Closed]
) -> None:
    """Close intents that are still open, and tell what people should see. Twice is once."""
    if not ends:
        return
    once = {end.id: end for end in ends}.values()
    bound = {
        "tenant": tenant_id,
        "inbox": inbox_id,
        "ids": [e.id for e in once],
        "states": [e.state.value for e in once],
        "reasons": [e.reason for e in once],
    }
    await tell_closed(connection, tenant_id, inbox_id, (await connection.execute(CLOSE, bound)).all())


async def withdraw(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, words: frozenset[str] = frozenset()
) -> None:
    """Only `words` are still written back: what waits for others is not written any more."""
    await connection.execute(WITHDRAW, {"tenant": tenant_id, "inbox": inbox_id, "words": sorted(words)})


async def tell_closed(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, rows: Sequence[Any]
) -> None:
    """Events for the mails' timelines: what was not written and why, and where a mail was put."""
    events = [
        NewEvent(
            "message.updated",
            tenant_id,
            inbox_id=inbox_id,
            conversation_id=row.conversation_id,
            message_id=row.message_id,
            payload={
                "what": "write_back",
                "kind": row.kind,
                "state": row.state,
                "wanted": row.wanted,
                "detail": row.detail,
                "reason": row.reason,
            },
        )
        for row in rows
        if row.state in WORTH_TELLING or (row.state == IntentState.DONE and row.kind == "place")
    ]
    if events:
        await append_events(connection, events)


def _inbox(found: Sequence[Any]) -> uuid.UUID | None:
    return next((uuid.UUID(str(one)) for one in found), None)
