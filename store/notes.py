"""Internal notes of a conversation: written, changed and taken away by their authors, read by whoever may see it.

Each bumps the version and writes its event in its own transaction; an event names the people who are mentioned and never quotes.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.followers import add_followers
from store.outbound_rows import lock_conversation
from store.pages import Page, read_time_cursor, time_cursor
from store.search_notes import note_document
from store.visibility import Viewer, visible_inboxes
from store.who_sees import who_sees

COLUMNS = """
select n.id, n.conversation_id, n.user_id, u.name as author, n.content, n.at_version, n.created_at, n.edited_at,
  array(select array[p.id::text, p.name] from users p where p.tenant_id = n.tenant_id and p.id = any(n.mentions) order by p.name, p.id)
    as mentions
from notes n left join users u on u.tenant_id = n.tenant_id and u.id = n.user_id
"""
LIST = text(
    f"""
    {COLUMNS} where n.tenant_id = :tenant and n.conversation_id = :conversation and n.deleted_at is null
      and (cast(:at as timestamptz) is null or (n.created_at, n.id) > (:at, cast(:place as uuid)))
    order by n.created_at, n.id limit :limit
    """
)
ONE = text(f"{COLUMNS} where n.tenant_id = :tenant and n.id = :id and n.deleted_at is null")
PLACE = text("select inbox_id from conversations where tenant_id = :tenant and id = :id and deleted_at is null")
BUMP = text(
    "update conversations set updated_at = now() where tenant_id = :tenant and id = :id returning version, inbox_id"
)
ADD = text(
    f"""
    insert into notes (tenant_id, conversation_id, user_id, content, mentions, at_version, document)
    select :tenant, :conversation, cast(:user as uuid), w.content, cast(:mentions as uuid[]), :version, {note_document("w.content")}
    from (select cast(:content as text) as content offset 0) w returning id
    """
)
CHANGE = text(
    f"""
    update notes n set content = w.content, mentions = cast(:mentions as uuid[]), edited_at = now(), at_version = :version,
      document = {note_document("w.content")}
    from (select cast(:content as text) as content offset 0) w where n.tenant_id = :tenant and n.id = :id
    """
)
# The row stays for those who were told of it; the words go.
DELETE = text(
    "update notes set content = '', document = '', mentions = '{}', deleted_at = now(), at_version = :version"
    " where tenant_id = :tenant and id = :id"
)


class CannotMention(Exception):
    """The person at `index` is not of this team, or may not see the inbox; `reason` says which and what to do."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class NotTheAuthor(Exception):
    """Somebody else wrote the note."""


@dataclass(frozen=True, slots=True)
class NoteRow:
    """`author_id` is None for a key's, and for that of a person who is gone. `mentions` are ids with names."""

    id: uuid.UUID
    conversation_id: uuid.UUID
    author_id: uuid.UUID | None
    author_name: str | None
    content: str
    mentions: tuple[tuple[uuid.UUID, str], ...]
    at_version: int
    created_at: dt.datetime
    edited_at: dt.datetime | None


async def list_notes(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[NoteRow]:
    """Oldest first, as they stand between the messages. The caller has found that the viewer may see them. Raises BadCursor."""
    at, place = read_time_cursor(after) if after is not None else (None, None)
    bound = {"tenant": tenant_id, "conversation": conversation_id, "at": at, "place": place, "limit": limit + 1}
    rows = [_row(r) for r in await connection.execute(LIST, bound)]
    kept = rows[:limit]
    return Page(kept, time_cursor(kept[-1].created_at, kept[-1].id) if len(rows) > limit else None)


async def get_note(connection: AsyncConnection, viewer: Viewer, note_id: uuid.UUID) -> NoteRow | None:
    """The note where the viewer may see its conversation, else None."""
    row = (await connection.execute(ONE, {"tenant": viewer.tenant_id, "id": note_id})).first()
    if row is None or await visible_place(connection, viewer, row.conversation_id) is None:
        return None
    return _row(row)


async def visible_place(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> uuid.UUID | None:
    """The inbox of a conversation that the viewer may see, else None."""
    row = (await connection.execute(PLACE, {"tenant": viewer.tenant_id, "id": conversation_id})).first()
    if row is None or (not viewer.sees_all and row.inbox_id not in await visible_inboxes(connection, viewer)):
        return None
    inbox_id: uuid.UUID = row.inbox_id
    return inbox_id


async def add_note(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, *, content: str, mentions: Sequence[uuid.UUID]
) -> uuid.UUID | None:
    """The new note's id; None where the viewer sees no such conversation. After a merge it stands in the surviving one. Who is
    mentioned follows. Twice is two notes. Raises CannotMention.
    """
    place = await lock_conversation(connection, viewer.tenant_id, conversation_id)
    if place is None or await visible_place(connection, viewer, place) is None:
        return None
    named = list(dict.fromkeys(mentions))
    bumped = await _bump(connection, viewer, place)
    await _check(connection, viewer.tenant_id, bumped[1], named)
    made = await connection.execute(
        ADD,
        {
            "tenant": viewer.tenant_id,
            "conversation": place,
            "user": viewer.user_id,
            "content": content,
            "mentions": named,
            "version": bumped[0],
        },
    )
    note_id: uuid.UUID = made.scalar_one()
    await add_followers(connection, viewer.tenant_id, place, named, reason="mentioned")
    await _tell(connection, viewer, "note.added", place, note_id, bumped, named)
    return note_id


async def change_note(
    connection: AsyncConnection, viewer: Viewer, note_id: uuid.UUID, *, content: str, mentions: Sequence[uuid.UUID]
) -> bool:
    """Other words for one's own note; False where the viewer sees none. The event names who is newly mentioned. What stands already
    changes nothing. Raises NotTheAuthor, CannotMention.
    """
    note = await _own(connection, viewer, note_id)
    if note is None:
        return False
    if note.author_id is None or note.author_id != viewer.user_id:
        raise NotTheAuthor
    named = list(dict.fromkeys(mentions))
    before = {person for person, _ in note.mentions}
    if note.content == content and before == set(named):
        return True
    bumped = await _bump(connection, viewer, note.conversation_id)
    await _check(connection, viewer.tenant_id, bumped[1], named)
    await connection.execute(
        CHANGE,
        {"tenant": viewer.tenant_id, "id": note_id, "content": content, "mentions": named, "version": bumped[0]},
    )
    new = [person for person in named if person not in before]
    await add_followers(connection, viewer.tenant_id, note.conversation_id, new, reason="mentioned")
    await _tell(connection, viewer, "note.updated", note.conversation_id, note_id, bumped, new)
    return True


async def delete_note(connection: AsyncConnection, viewer: Viewer, note_id: uuid.UUID, *, any_author: bool) -> bool:
    """Take a note away; False where the viewer sees none, so also the second time. Raises NotTheAuthor unless `any_author`."""
    note = await _own(connection, viewer, note_id)
    if note is None:
        return False
    if not any_author and (note.author_id is None or note.author_id != viewer.user_id):
        raise NotTheAuthor
    bumped = await _bump(connection, viewer, note.conversation_id)
    await connection.execute(DELETE, {"tenant": viewer.tenant_id, "id": note_id, "version": bumped[0]})
    await _tell(connection, viewer, "note.deleted", note.conversation_id, note_id, bumped, [])
    return True


async def _own(connection: AsyncConnection, viewer: Viewer, note_id: uuid.UUID) -> NoteRow | None:
    """The note, read once more under its conversation's lock: two changes of it follow each other."""
    note = await get_note(connection, viewer, note_id)
    if note is None:
        return None
    await lock_conversation(connection, viewer.tenant_id, note.conversation_id)
    return await get_note(connection, viewer, note_id)


async def _bump(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> tuple[int, uuid.UUID]:
    row = (await connection.execute(BUMP, {"tenant": viewer.tenant_id, "id": conversation_id})).one()
    return int(row.version), row.inbox_id


async def _check(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, people: Sequence[uuid.UUID]
) -> None:
    sees = await who_sees(connection, tenant_id, inbox_id, people) if people else {}
    for index, person in enumerate(people):
        if person not in sees:
            raise CannotMention(index, "is nobody of this team")
        if not sees[person]:
            raise CannotMention(index, "may not see this inbox; make them a member of it first, or leave them out")


async def _tell(
    connection: AsyncConnection,
    viewer: Viewer,
    kind: str,
    conversation_id: uuid.UUID,
    note_id: uuid.UUID,
    bumped: tuple[int, uuid.UUID],
    mentions: Sequence[uuid.UUID],
) -> None:
    event = NewEvent(
        type=kind,
        tenant_id=viewer.tenant_id,
        inbox_id=bumped[1],
        conversation_id=conversation_id,
        actor=viewer.actor,
        payload={"version": bumped[0], "note_id": str(note_id), "mentions": [str(person) for person in mentions]},
    )
    await append_events(connection, [event])


def _row(row: Any) -> NoteRow:
    return NoteRow(
        row.id,
        row.conversation_id,
        row.user_id,
        row.author,
        row.content,
        tuple((uuid.UUID(person), name) for person, name in row.mentions),
        row.at_version,
        row.created_at,
        row.edited_at,
    )
