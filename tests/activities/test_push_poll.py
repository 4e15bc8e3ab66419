"""The meter: each mail that was found is counted once, announced or not, and the interval follows what is lost."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from activities.push_poll import GRACE, until_next_look
from rules.push_poll import NOTICE_SECONDS, SAFETY_SECONDS
from store.inbox_state import read_inbox
from store.people import create_tenant
from store.push_meter import CLOCKS_DIFFER, KEPT, PushView, read_push
from store.push_notices import PushedInbox, write_notice
from store.unit_of_work import Database

OFTEN = 60
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


class Desk:
    """An inbox that was announced since an hour ago, and a clock. `found` mails lie in the ledger."""

    def __init__(self, house: Database, provider: str) -> None:
        self.house, self.provider = house, provider
        self.tenant_id, self.inbox_id = uuid.uuid4(), uuid.uuid4()
        self.now = dt.datetime.now(dt.UTC).replace(minute=30)
        self.notices = 0

    async def open(self) -> "Desk":
        async with self.house.system_unit_of_work() as connection:
            self.tenant_id = await create_tenant(connection, name="T", slug=uuid.uuid4().hex)
        until = "graph_subscription_expires_at" if self.provider == "graph" else "gmail_watch_expires_at"
        await self.sql(
            "insert into inboxes (tenant_id, id, name, provider, email_address, connected_at, health, watch_since, watch_renewed_at,"
            f" {until}) values (:t, :i, 'Desk', :p, 'team@example.com', now(), 'ok', :since, :since, :ends)",
            p=self.provider, since=self.now - HOUR, ends=self.now + 3 * DAY,
        )  # fmt: skip
        return self

    async def sql(self, statement: str, **bound: Any) -> list[Any]:
        async with self.house.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"t": self.tenant_id, "i": self.inbox_id} | bound)
            return list(found) if found.returns_rows else []

    async def come(self, *names: str, arrived: dt.timedelta = MINUTE, found: dt.timedelta = dt.timedelta(), more: str = "") -> None:
        """Mails that arrived and were found so long ago. `more` are further columns with their values."""
        extra = more.split("=") if more else []
        for name in names:
            await self.sql(
                f"insert into ledger (tenant_id, inbox_id, provider_message_id, state, raw_key, internal_date, created_at{''.join(f', {c}' for c in extra[:1])})"
                f" values (:t, :i, :name, 'ingested', 'k', :arrived, :found{''.join(f', {c}' for c in extra[1:])})",
                name=name, arrived=self.now - found - arrived, found=self.now - found,
            )  # fmt: skip

    async def announce(self, *, mail: str | None = None, ago: dt.timedelta = dt.timedelta()) -> None:
        self.notices += 1
        inbox = PushedInbox(self.tenant_id, self.inbox_id, self.provider, awake=True)
        history = 100 + self.notices if self.provider == "gmail" else None
        async with self.house.unit_of_work(self.tenant_id) as connection:
            await write_notice(
                connection, inbox, event_id=str(self.notices), kind="created", now=self.now - ago, history_id=history, mail_id=mail
            )

    async def look(self) -> int:
        async with self.house.unit_of_work(self.tenant_id) as connection:
            inbox = await read_inbox(connection, self.tenant_id, self.inbox_id)
        assert inbox is not None
        return await until_next_look(self.house, inbox, often=OFTEN, now=self.now)

    async def view(self) -> PushView:
        async with self.house.unit_of_work(self.tenant_id) as connection:
            return await read_push(connection, self.tenant_id, self.inbox_id, now=self.now)

    async def counts(self) -> tuple[int, int]:
        view = await self.view()
        return view.found, view.missed


@pytest.fixture
async def house(module_database: Any) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=2)
    yield made
    await made.close()


@pytest.fixture(params=["gmail", "graph"])
async def desk(request: pytest.FixtureRequest, house: Database) -> Desk:
    return await Desk(house, request.param).open()


async def test_announced_mail_earns_the_long_interval_and_each_is_counted_once(desk: Desk) -> None:
    await desk.come("a", "b")
    await desk.announce(mail="a", ago=MINUTE)
    await desk.announce(mail="b")
    assert await desk.look() == OFTEN, "not yet proven"
    desk.now += GRACE
    for _ in range(3):
        assert await desk.look() == SAFETY_SECONDS
    assert await desk.counts() == (2, 0)
    view = await desk.view()
    assert (view.state(desk.now), view.poll_seconds) == ("on", SAFETY_SECONDS)
    assert view.last_notice_at == desk.now - GRACE


async def test_when_announcements_die_it_is_seen_within_minutes(desk: Desk) -> None:
    await desk.come(*(f"m{n}" for n in range(20)), found=10 * MINUTE)
    for n in range(20):
        await desk.announce(mail=f"m{n}", ago=10 * MINUTE)
    assert await desk.look() == SAFETY_SECONDS
    desk.now += 2 * HOUR
    await desk.come("silent", arrived=10 * MINUTE)
    assert await desk.look() == NOTICE_SECONDS, "its announcement may still come: looked at soon"
    assert await desk.counts() == (20, 0)
    desk.now += GRACE
    assert await desk.look() == OFTEN, "one of one in the last hours was lost, whatever the day says"
    assert await desk.counts() == (21, 1)
    assert (await desk.view()).poll_seconds == OFTEN


async def test_an_announcement_that_comes_too_late_does_not_count(desk: Desk) -> None:
    await desk.come("a", found=20 * MINUTE)
    await desk.announce(mail="a", ago=20 * MINUTE - GRACE - MINUTE)
    await desk.look()
    assert await desk.counts() == (1, 1)


async def test_graph_names_its_mails_so_anothers_announcement_proves_nothing(house: Database) -> None:
    desk = await Desk(house, "graph").open()
    await desk.come("a", found=10 * MINUTE)
    await desk.announce(mail="another", ago=10 * MINUTE)
    await desk.announce(ago=10 * MINUTE)
    await desk.look()
    assert await desk.counts() == (1, 1)


async def test_what_nobody_could_have_announced_is_not_counted(desk: Desk) -> None:
    """History, imports with an old date, what came before the grant, and rows without a mail."""
    old = {"found": 10 * MINUTE}
    await desk.come("just before the grant", found=HOUR - MINUTE, arrived=MINUTE + 2 * CLOCKS_DIFFER)
    await desk.come("history", **old, more="historical=true")
    await desk.come("imported", arrived=3 * DAY, **old)
    await desk.come("before the grant", arrived=2 * HOUR, **old)
    await desk.sql("insert into ledger (tenant_id, inbox_id, provider_message_id, state, created_at) values (:t, :i, 'draft', 'skipped', :at)", at=desk.now - HOUR / 2)
    assert await desk.look() == OFTEN
    assert await desk.counts() == (0, 0)


async def test_a_mail_of_the_very_second_of_the_grant_is_counted(desk: Desk) -> None:
    """Graph cuts the time of arrival to whole seconds."""
    await desk.come("a", found=HOUR - MINUTE, arrived=MINUTE + CLOCKS_DIFFER / 2)
    await desk.look()
    assert await desk.counts() == (1, 1)


async def test_without_a_grant_nothing_is_counted_and_the_operators_interval_holds(desk: Desk) -> None:
    await desk.come("a", found=10 * MINUTE)
    await desk.sql("update inboxes set gmail_watch_expires_at = null, graph_subscription_expires_at = null where id = :i")
    assert await desk.look() == OFTEN
    assert await desk.counts() == (0, 0)
    assert (await desk.view()).state(desk.now) == "lapsed"
    for change, word in (("watch_failures = 2", "refused"), ("watch_failures = 0, watch_renewed_at = null, watch_due_at = now()", "asking"), ("watch_due_at = null", "off")):
        await desk.sql(f"update inboxes set {change} where id = :i")
        assert (await desk.view()).state(desk.now) == word


async def test_counts_of_more_than_a_week_ago_are_forgotten(desk: Desk) -> None:
    await desk.sql("insert into push_hours (tenant_id, inbox_id, hour, found, missed) values (:t, :i, :at, 5, 5)", at=desk.now - KEPT - HOUR)
    await desk.come("a", found=10 * MINUTE)
    await desk.look()
    assert len(await desk.sql("select 1 from push_hours where inbox_id = :i")) == 1
