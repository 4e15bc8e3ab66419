"""Internal notes: whoever may see a conversation reads them, agents write, authors change their own, administrators delete any."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.conversation_life import Note, WriteNote
from store.notes import (
    CannotMention,
    NoteRow,
    NotTheAuthor,
    add_note,
    change_note,
    delete_note,
    get_note,
    list_notes,
    visible_place,
)


async def list_all(call: Call[PageQuery, None]) -> PageOf[Note]:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await visible_place(connection, viewer, conversation_id) is None:
            raise not_found()
        page = await list_notes(
            connection, viewer.tenant_id, conversation_id, after=call.query.after, limit=call.query.limit
        )
    return PageOf[Note](items=[shown(row) for row in page.items], next=page.next)


async def add(call: Call[Empty, WriteNote]) -> Note:
    viewer, body = call.who.viewer, call.body
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            made = await add_note(
                connection, viewer, call.id("conversation_id"), content=body.content, mentions=body.mentions
            )
            row = await get_note(connection, viewer, made) if made is not None else None
    except CannotMention as wrong:
        raise _wrong(wrong) from None
    if row is None:
        raise not_found()
    return shown(row)


async def change(call: Call[Empty, WriteNote]) -> Note:
    viewer, body, note_id = call.who.viewer, call.body, call.id("note_id")
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            if not await change_note(connection, viewer, note_id, content=body.content, mentions=body.mentions):
                raise not_found()
            row = await get_note(connection, viewer, note_id)
    except CannotMention as wrong:
        raise _wrong(wrong) from None
    except NotTheAuthor:
        raise Problem(403, "Only its author changes a note. Write a note of your own.") from None
    if row is None:
        raise not_found()
    return shown(row)


async def delete(call: Call[Empty, None]) -> None:
    viewer = call.who.viewer
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            any_author = call.who.access >= Access.ADMIN
            if not await delete_note(connection, viewer, call.id("note_id"), any_author=any_author):
                raise not_found()
    except NotTheAuthor:
        raise Problem(403, "Only its author or an administrator deletes a note.") from None


def shown(row: NoteRow) -> Note:
    return Note(
        id=str(row.id),
        conversation_id=str(row.conversation_id),
        author=Named(id=str(row.author_id), name=row.author_name or "") if row.author_id else None,
        content=row.content,
        mentions=[Named(id=str(person), name=name) for person, name in row.mentions],
        version=row.at_version,
        created_at=row.created_at,
        edited_at=row.edited_at,
    )


def _wrong(wrong: CannotMention) -> Problem:
    return not_valid(FieldError(f"mentions[{wrong.index}]", wrong.reason))


OF = "/v1/conversations/{conversation_id}/notes"
ENDPOINTS = (
    Endpoint("GET", OF, list_all, Access.VIEWER, "Its internal notes, oldest first", response=PageOf[Note], query=PageQuery),
    Endpoint("POST", OF, add, Access.AGENT, "Write an internal note", response=Note, status=201, body=WriteNote),
    Endpoint("PATCH", "/v1/notes/{note_id}", change, Access.AGENT, "Change one's own note", response=Note, body=WriteNote),
    Endpoint("DELETE", "/v1/notes/{note_id}", delete, Access.AGENT, "Delete a note", status=204),
)
