"""What the sweep finds, what it leaves alone, and what it tidies away."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from store import sweep
from store.outbound import NewReply, queue_reply
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk


@pytest_asyncio.fixture
async def desk(database: ServerDatabase) -> AsyncIterator[Desk]:
    opened = Database(database.url)
    yield await open_desk(opened)
    await opened.close()


async def found(desk: Desk, kind: str, *, at: dt.datetime = NOW, full: bool = False) -> list[uuid.UUID]:
    ids: list[uuid.UUID] = []
    while True:
        async with desk.database.system_unit_of_work() as connection:
            page = await sweep.find(connection, kind=kind, after=ids[-1] if ids else None, full=full, now=at)
        assert len(page) <= sweep.PAGE
        assert all(row.tenant_id == desk.tenant_id and row.inbox_id == desk.inbox_id for row in page)
        ids += [row.id for row in page]
        if len(page) < sweep.PAGE:
            return ids


async def reply(desk: Desk, **changes: Any) -> uuid.UUID:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        new = NewReply(desk.conversation_id, desk.agent_id, text="Hello.")
        queued = await queue_reply(connection, tenant_id=desk.tenant_id, reply=new, now=NOW)
    for column, value in changes.items():
        await desk.rows(
            f"update messages set {column} = :value where id = :id", value=value, id=queued.message_id
        )
    return queued.message_id


async def test_sends_that_are_due_or_under_way_are_found(desk: Desk) -> None:
    due = await reply(desk)
    sending = await reply(desk, send_status="sending", send_stage="dot", first_attempt_at=NOW)
    turned_up = await reply(desk, send_status="unknown", sent_copy_at=NOW)
    await reply(desk, send_status="scheduled", scheduled_at=NOW + dt.timedelta(days=3))
    for status in ("sent", "failed", "cancelled", "unknown"):
        await reply(desk, send_status=status)
    put_off = await reply(desk, first_attempt_at=NOW - dt.timedelta(hours=1))
    given_up = await reply(desk, first_attempt_at=NOW - dt.timedelta(hours=50))
    assert set(await found(desk, "sends")) == {due, sending, turned_up, given_up}
    assert set(await found(desk, "sends", full=True)) == {due, sending, turned_up, given_up, put_off}


async def test_pages_walk_over_every_row_once(desk: Desk) -> None:
    made = {await reply(desk) for _ in range(23)}
    walked = await found(desk, "sends")
    assert len(walked) == 23
    assert set(walked) == made


async def test_an_inbox_is_found_when_it_is_silent_new_or_all_are_asked_for(desk: Desk) -> None:
    await desk.rows(
        "update inboxes set last_sync_at = :at, connected_at = :old, updated_at = :old",
        at=NOW,
        old=NOW - dt.timedelta(days=2),
    )
    assert await found(desk, "inboxes") == []
    assert await found(desk, "inboxes", full=True) == [desk.inbox_id]
    assert await found(desk, "inboxes", at=NOW + dt.timedelta(minutes=31)) == [desk.inbox_id]
    await desk.rows("update inboxes set updated_at = :at", at=NOW)
    assert await found(desk, "inboxes") == [desk.inbox_id]
    await desk.rows("update inboxes set paused_at = :at", at=NOW)
    assert await found(desk, "inboxes", full=True) == []


async def test_an_unfinished_connect_is_found_and_a_failed_one_is_not(desk: Desk) -> None:
    await desk.rows(
        "update inboxes set connected_at = null, health = 'connecting', credentials_sealed = '\\x01'"
    )
    assert await found(desk, "connects") == [desk.inbox_id]
    assert await found(desk, "inboxes", full=True) == []
    await desk.rows("update inboxes set health = 'auth_failed'")
    assert await found(desk, "connects") == []


async def test_mailboxes_behind_web_apis_are_found_by_their_grant(desk: Desk) -> None:
    await desk.rows("update inboxes set provider = 'gmail', credentials_sealed = null, last_sync_at = null")
    assert await found(desk, "inboxes") == [desk.inbox_id]
    await desk.rows("update inboxes set connected_at = null, health = 'connecting'")
    assert await found(desk, "connects") == []  # nobody has agreed yet
    await desk.rows(
        "insert into oauth_grants (tenant_id, inbox_id, provider, account, scopes, tokens_sealed, tokens_key_id, access_expires_at)"
        " values (:tenant, :inbox, 'gmail', 'desk@example.org', '{}', '\\x01', 'k1', now())",
        inbox=desk.inbox_id,
    )
    assert await found(desk, "connects") == [desk.inbox_id]
    await desk.rows("update oauth_grants set ended_reason = 'revoked'")
    assert await found(desk, "connects") == []


async def test_backfills_that_wait_or_run_are_found(desk: Desk) -> None:
    ids = {}
    for state in ("waiting", "running", "paused", "done", "cancelled", "none"):
        (row,) = await desk.rows(
            "insert into folders (tenant_id, inbox_id, name, path, synced, backfill_state, uidvalidity)"
            " values (:tenant, :inbox, :state, :state, true, :state, 1) returning id",
            inbox=desk.inbox_id,
            state=state,
        )
        ids[state] = row["id"]
    await desk.rows(  # the first listing over a web API, which the inbox's own passes go on with
        "insert into folders (tenant_id, inbox_id, name, path, synced, backfill_state)"
        " values (:tenant, :inbox, 'All mail', '*', true, 'running')",
        inbox=desk.inbox_id,
    )
    assert set(await found(desk, "backfills")) == {ids["waiting"], ids["running"]}


async def test_a_conversation_that_awaits_an_answer_is_found_until_it_is_decided(desk: Desk) -> None:
    # The database's own clock stamps `created_at`, which bounds the search.
    now = (await desk.conversation())["created_at"] + dt.timedelta(minutes=1)
    assert await found(desk, "auto_responses", at=now) == []
    await desk.rows("update inboxes set auto_response_enabled = true")
    assert await found(desk, "auto_responses", at=now) == [desk.conversation_id]
    assert await found(desk, "auto_responses", at=now + dt.timedelta(days=2)) == []
    await desk.rows(
        "insert into auto_response_claims (tenant_id, conversation_id, outcome) values (:tenant, :id, 'list-id')",
        id=desk.conversation_id,
    )
    assert await found(desk, "auto_responses", at=now) == []


async def test_what_has_expired_goes_and_what_has_not_stays(desk: Desk) -> None:
    now = dt.datetime.now(dt.UTC)
    for days in (0, 2, 8):
        at = now - dt.timedelta(days=days)
        await desk.rows(
            "insert into sessions (tenant_id, user_id, token_sha256, expires_at) values (:tenant, :user, :token, :until)",
            user=desk.agent_id,
            token=bytes([days]),
            until=at + dt.timedelta(hours=1),
        )
        await desk.rows(
            "insert into uploads (tenant_id, filename, content_type, size_bytes, upload_key, created_at)"
            " values (:tenant, 'f', 't/t', 1, 'k', :at)",
            at=at,
        )
        await desk.rows(
            "insert into idempotency_keys (tenant_id, key, route, request_hash, created_at) values (:tenant, :key, '/', 'x', :at)",
            key=str(days),
            at=at,
        )
    async with desk.database.system_unit_of_work() as connection:
        tidied = await sweep.tidy(connection, now=now)
    assert (tidied.sessions, tidied.uploads, tidied.idempotency_keys, tidied.partitions) == (2, 2, 1, 0)
    async with desk.database.system_unit_of_work() as connection:
        assert await sweep.tidy(connection, now=now) == sweep.Tidied(0, 0, 0, 0, 0)


async def test_re_ingests_that_stand_still_are_found(desk: Desk) -> None:
    rows = {
        "reading": ("planning", None, "5 minutes"),
        "fresh": ("applying", None, "0 seconds"),
        "resting": ("planning", NOW, "5 minutes"),
        "waiting": ("planned", None, "5 minutes"),
    }
    made = {}
    for name, (state, paused, age) in rows.items():
        made[name] = uuid.uuid4()
        await desk.rows(
            """
            insert into reingests (tenant_id, id, selection, state, paused_at, parser_version, newest, total, updated_at)
            values (:tenant, :id, '{}', :state, :paused, 1, :id, 1, cast(:now as timestamptz) - cast(:age as interval))
            """,
            id=made[name], state=state, paused=paused, now=NOW, age=age,
        )
    async with desk.database.system_unit_of_work() as connection:
        still = await sweep.find(connection, kind="reingests", after=None, full=False, now=NOW)
        every = await sweep.find(connection, kind="reingests", after=None, full=True, now=NOW)
    assert [(r.id, r.inbox_id) for r in still] == [(made["reading"], None)]
    assert {r.id for r in every} == {made["reading"], made["fresh"]}


async def test_what_a_re_ingest_found_is_forgotten_after_a_month(desk: Desk) -> None:
    inbox = await desk.rows("select id from inboxes limit 1")
    ages = {"old": ("applied", 40, 40), "young": ("applied", 20, 20), "unwanted": ("planned", 40, None), "waiting": ("planned", 20, None)}
    for number, (name, (state, planned, ended)) in enumerate(ages.items()):
        run, ledger = uuid.uuid4(), uuid.uuid4()
        await desk.rows(
            """
            insert into reingests (tenant_id, id, selection, state, parser_version, newest, total, planned_at, ended_at, actor)
            values (:tenant, :id, '{}', :state, 1, :id, 1, :planned, :ended, :name)
            """,
            id=run, state=state, name=name, planned=NOW - dt.timedelta(days=planned),
            ended=NOW - dt.timedelta(days=ended) if ended else None,
        )
        await desk.rows(
            "insert into ledger (tenant_id, id, inbox_id, uidvalidity, uid) values (:tenant, :id, :inbox, 1, :uid)",
            id=ledger, inbox=inbox[0]["id"], uid=900 + number,
        )
        await desk.rows(
            "insert into reingest_changes (tenant_id, reingest_id, ledger_id, message_id, inbox_id) values (:tenant, :run, :ledger, :run, :inbox)",
            run=run, ledger=ledger, inbox=inbox[0]["id"],
        )
    for _ in range(2):
        async with desk.database.system_unit_of_work() as connection:
            await sweep.tidy(connection, now=NOW)
    left = await desk.rows("select r.actor, r.state from reingests r where exists (select from reingest_changes c where c.reingest_id = r.id)")
    assert {(r["actor"], r["state"]) for r in left} == {("young", "applied"), ("unwanted", "cancelled"), ("waiting", "planned")}


async def test_domains_that_are_due_are_found_the_longest_due_first(desk: Desk) -> None:
    made = []
    for n, hours in enumerate((-1, -3, 1, -2)):
        [row] = await desk.rows(
            "insert into domains (tenant_id, name, challenge, check_due_at, deleted_at) values (:tenant, :name, 'c', :due, :gone) returning id",
            name=f"d{n}.example.org", due=NOW + dt.timedelta(hours=hours), gone=NOW if n == 3 else None,
        )  # fmt: skip
        made.append(row["id"])
    async with desk.database.system_unit_of_work() as connection:
        page = await sweep.find(connection, kind="domains", after=None, full=True, now=NOW)
    assert [f.id for f in page if f.id in made] == [made[1], made[0]]


async def test_endpoints_are_found_that_nobody_tells_what_waits(desk: Desk) -> None:
    """One that is to be asked later is left alone until then, or until every row is asked for."""

    async def found_at(at: dt.datetime, *, full: bool = False) -> list[uuid.UUID]:
        async with desk.database.system_unit_of_work() as connection:
            page = await sweep.find(connection, kind="webhooks", after=None, full=full, now=at)
        return [row.id for row in page if row.tenant_id == desk.tenant_id]

    made = "insert into webhook_endpoints (tenant_id, name, url, secrets_sealed, secrets_key_id, next_attempt_at, status) values (:tenant, 'T', 'https://a.example.com/', '', 'k', :next, :status) returning id"
    later = NOW + dt.timedelta(hours=3)
    rows = [await desk.rows(made, next=at, status=status) for at, status in ((None, "active"), (later, "warning"), (None, "disabled"), (None, "active"))]
    idle, waits, off, left = (row[0]["id"] for row in rows)
    for endpoint in (waits, off, left):
        await desk.rows(
            "insert into webhook_deliveries (tenant_id, endpoint_id, event_type, cause, payload, created_at) values (:tenant, :e, 'webhook.test', 't', '{}', :at)",
            e=endpoint, at=NOW,
        )  # fmt: skip
    assert idle not in await found_at(NOW + dt.timedelta(minutes=1), full=True)
    assert await found_at(NOW) == []
    assert await found_at(NOW + dt.timedelta(minutes=1)) == [left]
    assert set(await found_at(NOW, full=True)) == {waits, left}
    assert set(await found_at(later + dt.timedelta(minutes=1))) == {waits, left}
    async with desk.database.system_unit_of_work() as connection:
        await sweep.tidy(connection, now=NOW + dt.timedelta(days=31))
    assert await desk.rows("select id from webhook_deliveries") == []
