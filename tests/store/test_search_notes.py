"""Notes are found where their conversation is, at once when they change, wherever it is merged to; older documents become right."""

import pytest_asyncio

from store import conversation_search
from store.bulk import new_id
from store.conversation_keys import ListFilter
from store.conversation_list import ConversationRow, list_conversations
from store.joining import merge_by_person
from store.notes import add_note, change_note, delete_note
from store.search import index_messages, rebuild_documents
from store.search_notes import index_older_notes
from store.unit_of_work import Database
from store.unmerging import unmerge
from store.visibility import Viewer
from tests.store.shape_desk import ShapeDesk, open_shape_desk


@pytest_asyncio.fixture
async def desk(database):
    """Ada is the inbox's only member."""
    opened = Database(database.url, pool_size=2)
    desk = await open_shape_desk(opened)
    ada = new_id()
    await desk.rows("insert into users (tenant_id, id, email, email_key, name) values (:tenant, :id, 'a@example.org', 'a@example.org', 'Ada')", id=ada)
    await desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :inbox, :id)", inbox=desk.inbox_id, id=ada)
    desk.viewer = Viewer(desk.tenant_id, ada, False)
    yield desk
    await opened.close()


async def search(desk: ShapeDesk, words: str, viewer: Viewer | None = None) -> list[ConversationRow]:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await index_messages(connection, desk.tenant_id)
        return list((await list_conversations(connection, viewer or desk.viewer, ListFilter(search=words), after=None, limit=50)).items)


async def note(desk: ShapeDesk, conversation, content: str):
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await add_note(connection, desk.viewer, conversation, content=content, mentions=[])


async def test_a_note_is_found_and_shown_as_one(desk: ShapeDesk, monkeypatch) -> None:
    _, conversation = await desk.mail()
    _, other = await desk.mail(sender="bob@customer.example.com", subject="Logo")
    written = await note(desk, conversation, "Ask the Müller café about the refunds before Friday.")
    for frequent in (5_000, 0):
        monkeypatch.setattr(conversation_search, "FREQUENT", frequent)
        monkeypatch.setattr(conversation_search, "UNKNOWN", 0)
        for words in ("refund", "cafe", "CAFÉ muller", '"before friday"', "note:refund", 'note:"cafe about"', "note:fri", "refund -logo"):
            (found,) = await search(desk, words)
            assert (found.id, found.match.field, found.match.note_id, found.match.message_id) == (conversation, "note", written, None), words
        (found,) = await search(desk, "note:cafe")
        assert [found.match.snippet[a:b] for a, b in found.match.marks] == ["café"]
        # A place of mails is no place of notes; a word and a place are met by one of them; what only leaves out is about mails.
        for words in ("subject:refund", "from:muller", "filename:refund", "note:printer", "printer refund"):
            assert await search(desk, words) == [], words
        assert {row.id for row in await search(desk, "-printer")} == {other}
    stranger = Viewer(desk.tenant_id, new_id(), False)
    assert await search(desk, "refund", stranger) == []


async def test_a_changed_or_deleted_note_is_found_by_what_it_says_now(desk: ShapeDesk) -> None:
    _, conversation = await desk.mail()
    written = await note(desk, conversation, "refund")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await change_note(connection, desk.viewer, written, content="voucher", mentions=[])
    assert await search(desk, "refund") == []
    assert len(await search(desk, "voucher")) == 1
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await delete_note(connection, desk.viewer, written, any_author=False)
    assert await search(desk, "voucher") == []


async def test_a_note_follows_its_conversation(desk: ShapeDesk) -> None:
    _, survivor = await desk.mail()
    _, merged = await desk.mail(sender="bob@customer.example.com", subject="Logo")
    await note(desk, merged, "refund")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await merge_by_person(connection, desk.viewer, merged, survivor)
    assert [row.id for row in await search(desk, "refund")] == [survivor]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await unmerge(connection, desk.viewer, merged)
    assert [row.id for row in await search(desk, "refund")] == [merged]


async def test_what_was_written_before_becomes_right_and_is_found_meanwhile(desk: ShapeDesk) -> None:
    message, conversation = await desk.mail()
    written = await note(desk, conversation, "Vergütung")
    gone = await note(desk, conversation, "gone")
    await desk.rows("update notes set document = null")
    await desk.rows("update notes set deleted_at = now() where id = :id", id=gone)
    await desk.rows("update messages set body_text = 'Das Café hat zu', indexed_at = now() where id = :id", id=message)
    await desk.rows(
        "insert into search_documents (tenant_id, message_id, conversation_id, document)"
        " values (:tenant, :id, :c, to_tsvector('simple', 'Das Café hat zu'))",
        id=message, c=conversation,
    )  # fmt: skip
    assert len(await search(desk, "Café")) == 1
    assert await search(desk, "cafe") == await search(desk, "vergutung") == []
    async with desk.database.system_unit_of_work() as connection:
        assert await index_older_notes(connection) == 2
        assert await rebuild_documents(connection) == 1
        assert await index_older_notes(connection) == await rebuild_documents(connection) == 0
    assert len(await search(desk, "cafe")) == 1
    (found,) = await search(desk, "vergütung")
    assert found.match.note_id == written
    assert await search(desk, "gone") == []
