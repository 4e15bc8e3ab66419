"""Internal notes in the search: each carries the words that it is found by, written with it, so a change is found at once."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search import document_of, marked_as
from store.search_folding import folded

# A lexeme of every note and of no mail: a search that only leaves words out is about mails.
MARK = "is=note"


def note_document(content: str) -> str:
    """SQL for a note's searchable form: its words, once more for `note:` alone, and the mark. `content` is a column."""
    return f"""
      (select s.words || {marked_as("note", "s.words")} || array_to_tsvector(array['{MARK}'])
       from (select {folded(content)} as plain offset 0) f, lateral (select {document_of("f.plain")} as words offset 0) s)
    """


# A deleted note has no words left.
OLDER = text(
    f"""
    with picked as materialized (
      select tenant_id, id, content, deleted_at from notes where document is null limit :limit for no key update skip locked
    )
    update notes n set document = case when p.deleted_at is null then {note_document("p.content")} else '' end
    from picked p where n.tenant_id = p.tenant_id and n.id = p.id
    """
)


async def index_older_notes(connection: AsyncConnection, *, limit: int = 500) -> int:
    """As the system: make some notes searchable that were written before notes were, of any tenant; how many it was. Twice does the next
    ones.
    """
    return int((await connection.execute(OLDER, {"limit": limit})).rowcount)
