"""Conditions of saved views: what is refused and where, and that their SQL means what a slow reading of them means."""

import uuid

import pytest
import pytest_asyncio
from sqlalchemy import text

from store.unit_of_work import Database
from store.view_conditions import BadConditions, Group, Leaf, compile_conditions, read_conditions
from store.view_fields import FIELDS
from tests.store.view_world import any_group, any_leaf, holds, make_view_world

OPEN = {"field": "status", "op": "in", "value": ["open"]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(module_database):
    database = Database(module_database.url, pool_size=2)
    made = await make_view_world(database, 7)
    await made.add(120)
    yield made
    await database.close()


async def test_the_sql_means_what_a_slow_reading_means(world) -> None:
    facts = await world.facts()
    trees = [Group("all", (any_leaf(world),)) for _ in range(150)] + [any_group(world) for _ in range(150)]
    trees += [Group("all", (Leaf(name, op, any_value),)) for name in FIELDS for op, any_value in [_any(world, name)]]
    met = 0
    async with world.database.unit_of_work(world.tenant_id) as connection:
        now = (await connection.execute(text("select now()"))).scalar_one()
        for tree in trees:
            me = world.chance.choice(world.people)
            compiled = compile_conditions(tree)
            clause = text(f"select id from conversations where tenant_id = :tenant and merged_into is null and {compiled.sql}")
            known = {**compiled.bound, "tenant": world.tenant_id, "me": me}
            found = set((await connection.execute(clause, {n: known[n] for n in clause.compile().params})).scalars())
            assert found == {f["id"] for f in facts if holds(tree, f, me, now)}, tree.as_json()
            met += bool(found) and len(found) < len(facts)
    assert met > 100, "the conditions hardly tell conversations apart"


def _any(world, name):
    leaf = any_leaf(world)
    while leaf.field != name:
        leaf = any_leaf(world)
    return leaf.op, leaf.value


def test_a_tree_comes_back_as_it_was_given() -> None:
    tree = {"any": [OPEN, {"all": [OPEN, {"field": "vip", "op": "is", "value": True}]}]}
    assert read_conditions(tree).as_json() == tree
    assert read_conditions({"all": []}).as_json() == {"all": []}


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ([], "conditions"),
        ({"all": [OPEN], "any": [OPEN]}, "conditions"),
        ({"any": []}, "conditions.any"),
        ({"all": [{"all": []}]}, "conditions.all[0].all"),
        ({"all": [{"all": [{"all": [{"all": [OPEN]}]}]}]}, "conditions.all[0].all[0].all[0]"),
        ({"all": [OPEN] * 21}, "conditions.all"),
        ({"all": [{"any": [OPEN] * 11}, {"any": [OPEN] * 11}]}, "conditions"),
        ({"all": [{**OPEN, "more": 1}]}, "conditions.all[0]"),
        ({"all": [{**OPEN, "field": "password"}]}, "conditions.all[0].field"),
        ({"all": [{**OPEN, "field": ["status"]}]}, "conditions.all[0].field"),
        ({"all": [{**OPEN, "op": "contains"}]}, "conditions.all[0].op"),
        ({"all": [{**OPEN, "value": "open"}]}, "conditions.all[0].value"),
        ({"all": [OPEN, {**OPEN, "value": ["gone"]}]}, "conditions.all[1].value"),
        ({"all": [{"field": "assignee", "op": "in", "value": ["everybody"]}]}, "conditions.all[0].value"),
        ({"all": [{"field": "tag", "op": "in", "value": ["none"]}]}, "conditions.all[0].value"),
        ({"all": [{"field": "unread", "op": "is", "value": 1}]}, "conditions.all[0].value"),
        ({"all": [{"field": "message_count", "op": "at_least", "value": True}]}, "conditions.all[0].value"),
        ({"all": [{"field": "subject", "op": "contains", "value": ""}]}, "conditions.all[0].value"),
        ({"all": [{"field": "subject", "op": "contains", "value": "a\0b"}]}, "conditions.all[0].value"),
        ({"all": [{"field": "created_at", "op": "before", "value": "soon"}]}, "conditions.all[0].value"),
        ({"all": [{"field": "created_at", "op": "older_than", "value": "3d"}]}, "conditions.all[0].op"),
        ({"all": [{"field": "last_message_at", "op": "older_than", "value": "3 days"}]}, "conditions.all[0].value"),
    ],
)
def test_every_fault_is_named_by_its_place(tree, place) -> None:
    with pytest.raises(BadConditions) as wrong:
        read_conditions(tree)
    assert wrong.value.place == place
    assert wrong.value.remedy


def test_nothing_that_people_give_stands_in_the_sql() -> None:
    evil = "x'); drop table conversations; --"
    tree = read_conditions(
        {"all": [{"field": "subject", "op": "contains", "value": evil}, {"field": "category", "op": "in", "value": [evil]}]}
    )
    compiled = compile_conditions(tree)
    assert "drop" not in compiled.sql
    assert list(compiled.bound.values()) == [evil, [evil]]


def test_what_an_index_can_read_is_plain_to_see() -> None:
    assert read_conditions({"all": [OPEN]}).only("status") == ["open"]
    assert read_conditions({"any": [OPEN]}).only("status") is None
    assert read_conditions({"all": [{**OPEN, "op": "not_in"}]}).only("status") is None
    assert not read_conditions({"all": [{"field": "assignee", "op": "in", "value": [str(uuid.uuid4())]}]}).personal
    assert read_conditions({"any": [{"all": [{"field": "follower", "op": "not_in", "value": ["me"]}]}]}).personal
