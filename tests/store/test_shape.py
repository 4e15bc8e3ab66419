"""What goes where when a person merges, unmerges and splits; and what is refused."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from store.differences import differences
from store.joining import merge_by_person, merged_into
from store.outbound import NewReply, Recipient, queue_reply
from store.shape_rows import CannotReshape
from store.splitting import split
from store.unit_of_work import Database
from store.unmerging import unmerge
from store.visibility import Viewer
from tests.store.shape_desk import BEGIN, ShapeDesk, open_shape_desk


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_database) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=4)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Database) -> ShapeDesk:
    return await open_shape_desk(house)


async def merged(desk: ShapeDesk, one: uuid.UUID, into: uuid.UUID) -> uuid.UUID | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await merge_by_person(connection, desk.viewer, one, into)


async def taken_out(desk: ShapeDesk, one: uuid.UUID) -> uuid.UUID | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await unmerge(connection, desk.viewer, one)


async def split_off(desk: ShapeDesk, conversation: uuid.UUID, *messages: uuid.UUID) -> uuid.UUID:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        made = await split(connection, desk.viewer, conversation, messages)
    assert made is not None
    return made


async def test_an_answer_to_the_merged_one_arrives_in_the_survivor_and_goes_back_with_it(desk: ShapeDesk) -> None:
    first, one = await desk.mail()
    _, other = await desk.mail(sender="paul@customer.example.com")
    assert await merged(desk, one, other) == other
    late, there = await desk.mail(await desk.header_of(first))
    later, there_too = await desk.mail(await desk.header_of(late))
    assert {there, there_too} == {other}
    stays, _ = await desk.mail(desk.headers[1])
    await desk.check()

    assert await taken_out(desk, one) == other
    where = {r["id"]: r["conversation_id"] for r in await desk.rows("select id, conversation_id from messages")}
    assert where[first] == where[late] == where[later] == one
    assert where[stays] == other
    await desk.check()
    _, again = await desk.mail(await desk.header_of(later))
    assert again == one


async def test_a_chain_of_merges_is_flat_and_is_taken_apart_link_by_link(desk: ShapeDesk) -> None:
    ids = [(await desk.mail())[1] for _ in range(3)]
    await merged(desk, ids[0], ids[1])
    await merged(desk, ids[1], ids[2])
    assert set((await desk.places()).values()) == {ids[2]}
    rows = await desk.rows("select id from conversations where merged_into = :c order by number", c=ids[2])
    assert [r["id"] for r in rows] == ids[:2]

    await taken_out(desk, ids[1])
    assert list((await desk.places()).values()) == [ids[1], ids[1], ids[2]]
    await taken_out(desk, ids[0])
    assert list((await desk.places()).values()) == ids
    await desk.check()


async def test_a_mail_that_names_both_joins_them_no_more(desk: ShapeDesk) -> None:
    first, one = await desk.mail()
    answer, _ = await desk.mail(await desk.header_of(first))
    new = await split_off(desk, one, answer)
    names_both, there = await desk.mail(await desk.header_of(answer), await desk.header_of(first))
    assert there == new
    assert await desk.living() == [one, new]
    assert await desk.rows("select 1 from thread_suggestions") == []
    await desk.check()

    # A person's merge says otherwise, and then holds.
    await merged(desk, new, one)
    _, there = await desk.mail(await desk.header_of(names_both), await desk.header_of(first))
    assert there == one


async def test_a_message_that_is_queued_goes_along_and_leaves_from_there(desk: ShapeDesk) -> None:
    first, one = await desk.mail()
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        reply = NewReply(one, None, (Recipient("to", "carla@customer.example.com"),), text="We come.")
        queued = await queue_reply(connection, tenant_id=desk.tenant_id, reply=reply, now=BEGIN)
    new = await split_off(desk, one, queued.message_id)
    rows = await desk.rows("select conversation_id, send_status from messages where id = :m", m=queued.message_id)
    assert rows == [{"conversation_id": new, "send_status": "queued"}]
    counts = await desk.rows("select message_count, agent_message_count from conversations order by number")
    assert [(c["message_count"], c["agent_message_count"]) for c in counts] == [(1, 0), (1, 1)]
    assert first is not None


async def test_notes_go_and_come_with_their_conversation(desk: ShapeDesk) -> None:
    (_, one), (_, other) = await desk.mail(), await desk.mail()
    await desk.rows(
        "insert into notes (tenant_id, conversation_id, content, at_version) values (:tenant, :c, 'Call them.', 1)", c=one
    )

    async def version(of: uuid.UUID) -> int:
        return (await desk.rows("select version from conversations where id = :c", c=of))[0]["version"]

    async def notes_since(place: uuid.UUID, seen: int) -> list[str]:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            return [d.snippet for d in await differences(connection, desk.tenant_id, place, seen) if d.kind == "note"]

    seen = await version(other)
    await merged(desk, one, other)
    assert [r["c"] for r in await desk.rows("select conversation_id as c from notes")] == [other]
    assert await notes_since(other, seen) == ["Call them."], "a reply that has not seen it is told of it"
    assert await notes_since(other, await version(other)) == []
    seen = await version(one)
    await taken_out(desk, one)
    assert [r["c"] for r in await desk.rows("select conversation_id as c from notes")] == [one]
    assert await notes_since(one, seen) == ["Call them."]
    assert await notes_since(one, await version(one)) == []


async def test_nobody_is_answered_automatically_because_of_a_split(desk: ShapeDesk) -> None:
    first, one = await desk.mail()
    await desk.mail(await desk.header_of(first))
    new = await split_off(desk, one, first)
    claims = await desk.rows("select outcome from auto_response_claims where conversation_id = :c", c=new)
    assert [c["outcome"] for c in claims] == ["split"]


async def test_response_times_are_those_of_the_messages(desk: ShapeDesk) -> None:
    """An answer two minutes after the second mail, four after the first: merged, the first one waited."""
    (_, one), (second, other) = await desk.mail(), await desk.mail()
    await desk.mail()
    await desk.mail(await desk.header_of(second), outbound=True)
    await merged(desk, one, other)
    rows = await desk.rows("select first_response_seconds as s, responses as n from conversations where id = :c", c=other)
    assert rows == [{"s": 180, "n": 1}]
    await taken_out(desk, one)
    rows = await desk.rows("select first_response_seconds as s, responses as n from conversations where id = :c", c=other)
    assert rows == [{"s": 120, "n": 1}]


async def test_events_tell_of_each_change(desk: ShapeDesk) -> None:
    (first, one), (_, other) = await desk.mail(), await desk.mail()
    await desk.mail(await desk.header_of(first))
    await merged(desk, one, other)
    await taken_out(desk, one)
    await split_off(desk, one, first)
    told = [r["type"].removeprefix("conversation.") for r in await desk.rows("select type from events order by id")]
    assert told[3:] == ["merged", "updated", "unmerged", "updated", "updated", "created", "updated"]


async def test_what_is_refused_changes_nothing(desk: ShapeDesk) -> None:
    (first, one), (_, other) = await desk.mail(), await desk.mail()
    second_inbox = uuid.uuid4()
    await desk.rows(
        "insert into inboxes (tenant_id, id, name, email_address) values (:tenant, :i, 'Sales', 'sales@example.org')",
        i=second_inbox,
    )
    _, elsewhere = await desk.mail(inbox_id=second_inbox)
    before = await desk.places()
    refusals = {
        "other-inbox": merged(desk, one, elsewhere),
        "no-target": merged(desk, one, uuid.uuid4()),
        "same-conversation": merged(desk, one, one),
        "not-merged": taken_out(desk, one),
        "nothing-left": split_off(desk, one, first),
        "no-such-message": split_off(desk, other, first),
    }
    for name, refused in refusals.items():
        with pytest.raises(CannotReshape) as told:
            await refused
        assert told.value.name == name
    assert await desk.places() == before


async def test_who_does_not_see_an_inbox_merges_nothing_there(desk: ShapeDesk) -> None:
    (_, one), (_, other) = await desk.mail(), await desk.mail()
    person, member = uuid.uuid4(), uuid.uuid4()
    for user in (person, member):
        await desk.rows(
            "insert into users (tenant_id, id, email, email_key, name) values (:tenant, :u, :m, :m, 'Somebody')",
            u=user,
            m=f"{user.hex}@example.org",
        )
    await desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=desk.inbox_id, u=member)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        stranger = Viewer(desk.tenant_id, person, False)
        assert await merge_by_person(connection, stranger, one, other) is None
        assert await unmerge(connection, stranger, one) is None
        assert await merge_by_person(connection, Viewer(desk.tenant_id, member, False), one, other) == other
        assert [m.id for m in await merged_into(connection, desk.viewer, other)] == [one]
