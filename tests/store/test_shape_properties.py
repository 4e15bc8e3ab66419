"""Merge, unmerge and split in any order, between mails that come in: no message is lost, each stands in one living conversation,
counters equal a recount, and every key leads to where its mail is.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.conversations import mark_read
from store.joining import merge_by_person
from store.shape_rows import CannotReshape
from store.splitting import split
from store.unit_of_work import Database
from store.unmerging import unmerge
from tests.store.shape_desk import ShapeDesk, open_shape_desk


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_database) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=8)
    yield made
    await made.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["mail", "answer", "answer", "merge", "merge", "unmerge", "split", "sent", "read"]),
        st.integers(0, 1_000),
        st.integers(0, 1_000),
    ),
    min_size=4,
    max_size=14,
)


@contextlib.contextmanager
def only(*names: str) -> Iterator[None]:
    """A refusal by one of these names is an answer too."""
    try:
        yield
    except CannotReshape as refused:
        if refused.name not in names:
            raise


async def do(desk: ShapeDesk, what: str, one: int, other: int) -> None:
    """One step, with its choices taken modulo what there is. What is refused changes nothing."""
    if what in ("answer", "sent") and desk.headers:
        nearest = desk.headers[one % len(desk.headers)]
        further = desk.headers[other % len(desk.headers)]
        parents = [nearest] if further == nearest else [nearest, further]
        await desk.mail(*parents, outbound=what == "sent")
        return
    if what in ("mail", "answer", "sent"):
        await desk.mail()
        return
    living, merged = await desk.living(), await desk.merged()
    everything = [*living, *merged]
    if not everything:
        return
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        if what == "read":
            await mark_read(connection, desk.viewer, living[one % len(living)])
        elif what == "unmerge" and merged:
            await unmerge(connection, desk.viewer, merged[one % len(merged)])
        elif what == "merge":
            loser, target = everything[one % len(everything)], everything[other % len(everything)]
            with only("same-conversation", "merged-already"):
                await merge_by_person(connection, desk.viewer, loser, target)
        elif what == "split":
            chosen_of = living[one % len(living)]
            standing = [h for h, c in (await desk.places()).items() if c == chosen_of]
            chance = random.Random(other)
            wanted = [h for h in standing if chance.random() < 0.5] or standing[:1]
            ids = await desk.rows("select id from messages where message_id_header = any(:h)", h=wanted)
            with only("nothing-left"):
                await split(connection, desk.viewer, chosen_of, [r["id"] for r in ids])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_no_order_of_steps_loses_a_message(house: Database, steps: list[tuple[str, int, int]]) -> None:
    desk = await open_shape_desk(house)
    await desk.mail()
    await desk.mail()
    for what, one, other in steps:
        await do(desk, what, one, other)
        await desk.check()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32))
async def test_merges_taken_back_in_any_order_leave_nothing_behind(house: Database, seed: int) -> None:
    chance, desk = random.Random(seed), await open_shape_desk(house)
    for _ in range(5):
        message, _ = await desk.mail()
        if chance.random() < 0.6:
            await desk.mail(await desk.header_of(message))
    before = await desk.places()
    keys = await desk.rows("select key, conversation_id from thread_keys order by key")
    for _ in range(4):
        one, other = chance.sample(await desk.living(), 2)
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            await merge_by_person(connection, desk.viewer, one, other)
    while merged := await desk.merged():
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            await unmerge(connection, desk.viewer, chance.choice(merged))
        await desk.check()
    assert await desk.places() == before
    assert await desk.rows("select key, conversation_id from thread_keys order by key") == keys
    assert await desk.rows("select 1 from messages where home_id is not null") == []


async def test_what_happens_at_the_same_time_happens_one_after_the_other(house: Database) -> None:
    """Four conversations are merged in every direction while mails come in and one is split: nobody waits in a circle."""
    desk = await open_shape_desk(house)
    roots = [await desk.mail() for _ in range(4)]
    headers = list(desk.headers)
    for header in headers:
        await desk.mail(header)

    async def merging(one: uuid.UUID, other: uuid.UUID) -> None:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            with only("same-conversation", "merged-already"):
                await merge_by_person(connection, desk.viewer, one, other)

    async def splitting(message: uuid.UUID, conversation: uuid.UUID) -> None:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            with only("nothing-left", "merged-already", "no-such-message"):
                await split(connection, desk.viewer, conversation, [message])

    ids = [c for _, c in roots]
    await asyncio.gather(
        *(merging(one, other) for one in ids for other in ids if one != other),
        *(splitting(*root) for root in roots),
        *(desk.mail(header) for header in headers),
    )
    await desk.check()


@pytest.mark.parametrize("twice", [1, 2])
async def test_a_repeated_step_changes_nothing(house: Database, twice: int) -> None:
    desk = await open_shape_desk(house)
    (_, one), (_, other) = await desk.mail(), await desk.mail()
    for _ in range(twice):
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            assert await merge_by_person(connection, desk.viewer, one, other) == other
    events = await desk.rows("select 1 from events where type = 'conversation.merged'")
    assert len(events) == 1
    await desk.check()
