"""The list is read in the order of an index whatever is filtered, and gives what a plain sort of everything would give."""

import itertools
import uuid

import psycopg
import pytest
from sqlalchemy import text

from benchmarks.big_desk import BigDesk, fill
from store import conversation_list, conversation_search
from store.box_counts import read_boxes
from store.conversation_keys import Keys, ListFilter, ListOrder, Tagged
from store.conversation_list import list_conversations
from store.unit_of_work import Database
from store.visibility import Viewer

CONVERSATIONS = 8_000
LIVE = "c.tenant_id = :tenant and c.merged_into is null and c.deleted_at is null"


@pytest.fixture(scope="module")
def desk(module_database) -> BigDesk:
    tenant = uuid.uuid4()
    with psycopg.connect(module_database.admin_dsn) as connection:
        connection.execute("insert into tenants (id, name, slug) values (%s, 'Big', %s)", (tenant, tenant.hex))
    return fill(module_database.admin_dsn, CONVERSATIONS, tenant, quiet=True)


@pytest.fixture
async def house(module_database, desk):
    made = Database(module_database.url, pool_size=2)
    yield made
    await made.close()


def filters(desk: BigDesk) -> list[tuple[ListFilter, str]]:
    """Each filter and the same in plain SQL."""
    agent, big, small = desk.agents[0], desk.inboxes[0], desk.inboxes[-2]
    active = ("open", "pending")
    return [
        (ListFilter(), "true"),
        (ListFilter(status=("open",)), "c.status = 'open'"),
        (ListFilter(status=active), "c.status in ('open', 'pending')"),
        (ListFilter(status=active, assigned_to=agent), f"c.status in ('open', 'pending') and c.assigned_to = '{agent}'"),
        (ListFilter(assigned_to=agent), f"c.assigned_to = '{agent}'"),
        (ListFilter(status=active, assigned_to="none"), "c.status in ('open', 'pending') and c.assigned_to is null"),
        (ListFilter(status=("open",), unread=True), "c.status = 'open' and c.unread_count > 0"),
        (ListFilter(unread=True), "c.unread_count > 0"),
        (ListFilter(inbox=(big,)), f"c.inbox_id = '{big}'"),
        (ListFilter(status=("closed",), inbox=(small, big)), f"c.status = 'closed' and c.inbox_id in ('{small}', '{big}')"),
        (ListFilter(inbox=tuple(desk.inboxes[:15])), f"c.inbox_id in ({', '.join(repr(str(i)) for i in desk.inboxes[:15])})"),
        (ListFilter(category=("none", "nobody")), "c.category in ('none', 'nobody')"),
        (ListFilter(channel=("email",), unread=False), "c.unread_count = 0"),
        (ListFilter(tag=("common",)), "c.number % 10 = 0"),
        (ListFilter(tag=("seldom",), status=("closed",)), "c.number % 500 = 0 and c.status = 'closed'"),
    ]


async def numbers(connection, tenant_id: uuid.UUID, condition: str, *, oldest: bool = False) -> list[int]:
    way = "asc" if oldest else "desc"
    rows = await connection.execute(
        text(f"select c.number from conversations c where {LIVE} and {condition} order by c.last_message_at {way}, c.id {way}"),
        {"tenant": tenant_id},
    )
    return list(rows.scalars())


async def all_pages(connection, viewer: Viewer, wanted: ListFilter, *, limit: int, most: int) -> list[int]:
    found: list[int] = []
    after = None
    for _ in range(most):
        page = await list_conversations(connection, viewer, wanted, after=after, limit=limit)
        found += [row.number for row in page.items]
        after = page.next
        if after is None:
            break
    return found


@pytest.mark.parametrize("oldest", [False, True])
async def test_pages_are_those_of_a_plain_sort(house, desk, oldest) -> None:
    viewer = Viewer(desk.tenant_id, desk.agents[0], False)
    async with house.unit_of_work(desk.tenant_id) as connection:
        for wanted, condition in filters(desk):
            turned = ListFilter(**{n: getattr(wanted, n) for n in wanted.__slots__} | {"sort": ListOrder.OLDEST if oldest else ListOrder.NEWEST})
            expected = await numbers(connection, desk.tenant_id, condition, oldest=oldest)
            found = await all_pages(connection, viewer, turned, limit=7, most=3)
            assert found == expected[:21], condition


async def test_no_list_reads_or_sorts_everything(house, desk) -> None:
    async with house.unit_of_work(desk.tenant_id) as connection:
        await connection.execute(text("set local enable_sort = off"))  # a plan that must sort shows it all the same
        for wanted, condition in filters(desk):
            tagged = Tagged([uuid.uuid4()], few=False) if wanted.tag else None
            keys = Keys(wanted, list(wanted.inbox) or None, tagged)
            statement = keys.page(51)
            bound = {**keys.bound, "tenant": desk.tenant_id}
            plan = "\n".join((await connection.execute(text("explain " + statement), bound)).scalars())
            assert "Seq Scan on conversations" not in plan, f"{condition}\n{plan}"
            assert "Bitmap" not in plan, f"{condition}\n{plan}"
            if len(wanted.inbox) < 15:  # too many streams: filtered on the way
                assert "Sort" not in plan.replace("Sort Key", ""), f"{condition}\n{plan}"


async def test_words_that_the_planner_does_not_know_are_not_taken_for_frequent(house, desk, monkeypatch) -> None:
    """Of each it expects a share of all messages, so with enough messages every rare word would be walked for."""
    monkeypatch.setattr(conversation_search, "FREQUENT", 0)
    async with house.unit_of_work(desk.tenant_id) as connection:
        for words, frequent in (("w1", True), ("w1 OR nowhere", True), ("nowhere", False), ('nowhere OR neverseen OR "not here"', False)):
            search = await conversation_search.read_search(connection, desk.tenant_id, words)
            assert search.frequent is frequent, words


@pytest.mark.parametrize(("frequent", "steps"), [(0, 50_000), (0, 40), (10**9, 50_000)])
async def test_both_ways_of_searching_find_the_same(house, desk, monkeypatch, frequent, steps) -> None:
    monkeypatch.setattr(conversation_search, "FREQUENT", frequent)
    monkeypatch.setattr(conversation_search, "UNKNOWN", 0)
    monkeypatch.setattr(conversation_list, "STEPS", steps)
    viewer = Viewer(desk.tenant_id, None, True)
    async with house.unit_of_work(desk.tenant_id) as connection:
        for words, narrowed in itertools.product(
            ('"w1"', "w7", "w300 w7", "nowhere", "w49999", "#41", "-w1"), (ListFilter(), ListFilter(status=("open", "pending"), tag=("common",)))
        ):
            search = await conversation_search.read_search(connection, desk.tenant_id, words)
            documents = f"select d.conversation_id from search_documents d where d.document @@ '{search.query.replace(chr(39), chr(39) * 2)}'::tsquery"
            condition = f"(c.id in ({documents})" + (f" or c.number = {search.number})" if search.number else ")")
            if narrowed.tag:
                condition += " and c.number % 10 = 0 and c.status in ('open', 'pending')"
            expected = await numbers(connection, desk.tenant_id, condition)
            wanted = ListFilter(search=words, status=narrowed.status, tag=narrowed.tag)
            found = await all_pages(connection, viewer, wanted, limit=30, most=2)
            assert found == expected[:60], (words, narrowed)


def test_a_search_uses_the_full_text_index(module_database, desk) -> None:
    """As the functions run: the role has no row condition of its own, so `@@` may be asked of the index."""
    with psycopg.connect(module_database.admin_dsn) as connection:
        connection.execute("set local role mailroom_system")
        rows = connection.execute(
            "explain select conversation_id from search_documents where tenant_id = %s and document @@ 'w31415'", (desk.tenant_id,)
        ).fetchall()
        assert any("ix_search_documents_document" in row[0] for row in rows), rows
        expected = [connection.execute("select mailroom_search_expected(%s)", (word,)).fetchone()[0] for word in ("w1", "w31415")]
    assert expected[0] > CONVERSATIONS > 100 > expected[1]


async def test_counts_are_those_of_a_plain_count(house, desk) -> None:
    agent = desk.agents[0]
    async with house.unit_of_work(desk.tenant_id) as connection:
        counts = (await read_boxes(connection, Viewer(desk.tenant_id, agent, False))).all
        for name, condition in {
            "open": "c.status = 'open'",
            "closed": "c.status = 'closed'",
            "unread": "c.status in ('open', 'pending') and c.unread_count > 0",
            "mine": f"c.status in ('open', 'pending') and c.assigned_to = '{agent}'",
            "unassigned": "c.status in ('open', 'pending') and c.assigned_to is null",
        }.items():
            assert counts[name] == len(await numbers(connection, desk.tenant_id, condition)), name


async def test_a_member_of_one_inbox_sees_that_and_the_open_ones(house, desk) -> None:
    closed_to_others, mine = desk.inboxes[0], desk.inboxes[1]
    async with house.unit_of_work(desk.tenant_id) as connection:
        for inbox, user in ((closed_to_others, desk.agents[1]), (mine, desk.agents[0])):
            await connection.execute(
                text("insert into inbox_members (tenant_id, inbox_id, user_id) values (:t, :i, :u)"), {"t": desk.tenant_id, "i": inbox, "u": user}
            )
        viewer = Viewer(desk.tenant_id, desk.agents[0], False)
        expected = await numbers(connection, desk.tenant_id, f"c.inbox_id <> '{closed_to_others}' and c.status = 'open'")
        assert await all_pages(connection, viewer, ListFilter(status=("open",)), limit=30, most=1) == expected[:30]
        hidden = ListFilter(inbox=(closed_to_others,))
        assert (await list_conversations(connection, viewer, hidden, after=None, limit=5)).items == []
        assert (await read_boxes(connection, viewer)).all["open"] == len(expected)
        await connection.rollback()
