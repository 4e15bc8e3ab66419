"""The nightly work by policy: what its days are over goes, nothing younger, nothing held, and again after every death."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.object_drops import ObjectDrops
from activities.retention import Retaining
from contracts.retention import RetentionOrder, RetentionProgress, RetentionQuestion
from store import retention
from store.bulk import new_id
from store.retention import Policy, preview, save_policy
from store.unit_of_work import Database
from tests.activities.dying import Died
from tests.activities.test_removal import Bucket, folder, packed
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import Desk, open_desk

# Rows that are made now are old by this night; young ones are told so.
NIGHT = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
YOUNG = NIGHT - dt.timedelta(days=5)
THIRTY = Policy(spam_days=30, trash_days=30, closed_days=30, notice_days=30)


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url, pool_size=3)
    yield await open_desk(database)
    await database.close()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def retaining(desk: Desk, bucket: Bucket, *, seconds: float = 30.0) -> Retaining:
    return Retaining(
        desk.database, ObjectDrops(desk.database, bucket, clock=lambda: NIGHT), clock=lambda: NIGHT, seconds=seconds
    )


async def policy(desk: Desk, wanted: Policy = THIRTY) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await save_policy(connection, desk.tenant_id, wanted, user_id=desk.agent_id)


async def conversation(desk: Desk, status: str, *, since: dt.datetime | None = None, mails: int = 1, held: bool = False) -> uuid.UUID:
    conversation_id = new_id()
    await desk.rows(
        "insert into conversations (tenant_id, id, number, inbox_id, status, held, last_message_at, updated_at)"
        " values (:tenant, :id, (select max(number) + 1 from conversations), :inbox, :status, :held, coalesce(:at, now()), coalesce(:at, now()))",
        id=conversation_id, inbox=desk.inbox_id, status=status, held=held, at=since,
    )  # fmt: skip
    for _ in range(mails):
        await desk.rows(
            "insert into messages (tenant_id, inbox_id, conversation_id, direction, sender_type, sent_at) values (:tenant, :inbox, :c, 'inbound', 'customer', now())",
            inbox=desk.inbox_id, c=conversation_id,
        )  # fmt: skip
    return conversation_id


async def night(desk: Desk, bucket: Bucket, *, seconds: float = 30.0) -> RetentionProgress:
    made, order = retaining(desk, bucket, seconds=seconds), RetentionOrder(str(desk.tenant_id))
    for _ in range(50):
        progress = await made._step(desk.tenant_id, order)
        if progress.done:
            return progress
        order = RetentionOrder(str(desk.tenant_id), progress.rows_done)
    raise AssertionError("the night does not end")


async def statuses(desk: Desk) -> dict[uuid.UUID, str]:
    return {r["id"]: r["status"] for r in await desk.rows("select id, status from conversations")}


async def test_each_kind_goes_when_its_days_are_over_and_nothing_else(desk: Desk, bucket: Bucket) -> None:
    held = await conversation(desk, "trash", held=True)
    young = [await conversation(desk, s, since=YOUNG) for s in ("open", "trash", "spam", "closed")]
    for status in ("trash", "spam", "closed"):
        await conversation(desk, status)
    snoozed = await conversation(desk, "snoozed")
    await desk.rows(
        "insert into messages (tenant_id, inbox_id, direction, sender_type, classification, sent_at, received_at)"
        " select :tenant, :inbox, 'inbound', 'customer', 'spam', now(), at from unnest(cast(:ats as timestamptz[])) at",
        inbox=desk.inbox_id, ats=[dt.datetime.now(dt.UTC), YOUNG],
    )  # fmt: skip
    removing = Policy(spam_days=30, trash_days=30, closed_days=30)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        seen = await preview(connection, desk.tenant_id, removing, now=NIGHT)
    assert (seen.archive, seen.spam_mails, seen.spam, seen.trash, seen.closed, seen.held) == (0, 1, 1, 1, 1, 1)
    await policy(desk, removing)
    await night(desk, bucket)
    left = await statuses(desk)
    assert set(left) == {desk.conversation_id, held, snoozed, *young}
    assert len(await desk.rows("select 1 from messages where classification = 'spam'")) == 1
    (run,) = await desk.rows("select counts, ended_at from retention_runs")
    assert run["ended_at"] == NIGHT
    assert (run["counts"]["conversations"], run["counts"]["messages"]) == (3, 4)
    assert (await desk.events()).count("conversation.deleted") == 3


async def test_what_nobody_touches_is_archived_once(desk: Desk, bucket: Bucket) -> None:
    await desk.rows("update conversations set last_message_at = now() where id = :id", id=desk.conversation_id)
    young, held = await conversation(desk, "open", since=YOUNG), await conversation(desk, "open", held=True)
    await policy(desk, Policy(archive_idle_days=30))
    assert (await night(desk, bucket)).archived == 1
    assert (await night(desk, bucket)).archived == 0
    left = await statuses(desk)
    assert [left[c] for c in (desk.conversation_id, young, held)] == ["archived", "open", "open"]
    (told,) = await desk.rows("select payload, actor from events where type = 'conversation.updated'")
    assert (told["payload"]["status"], told["actor"]) == ("archived", "retention")


async def test_without_a_policy_no_mail_is_lost(desk: Desk, bucket: Bucket) -> None:
    for status in ("trash", "spam", "closed", "archived"):
        await conversation(desk, status)
    before = await statuses(desk)
    assert (await night(desk, bucket)).messages == 0
    assert await statuses(desk) == before
    assert await desk.rows("select 1 from retention_runs") == [], "a night in which nothing went leaves no line"


async def test_octets_follow_the_rows_and_the_next_night_finds_nothing(desk: Desk, bucket: Bucket) -> None:
    await packed(desk, bucket, await folder(desk))
    await desk.rows("update conversations set status = 'trash', last_message_at = now() where id = :id", id=desk.conversation_id)
    await policy(desk, Policy(trash_days=30))
    progress = await night(desk, bucket)
    assert (progress.conversations, progress.messages, progress.objects) == (1, 4, 1)
    assert bucket.objects == {}
    assert (await night(desk, bucket)).messages == 0
    assert {r["reason"] for r in await desk.rows("select reason from ledger")} == {"expired"}


async def test_a_long_conversation_goes_in_batches_and_dying_between_them_is_made_up_for(
    desk: Desk, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = await conversation(desk, "trash", mails=7)
    await policy(desk, Policy(trash_days=30))
    monkeypatch.setattr(retention, "MESSAGES_A_BATCH", 3)
    real, calls = retention.remove_messages, 0

    async def falls(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        answer = await real(*arguments, **named)  # type: ignore[arg-type]
        if calls % 3 == 0:
            raise Died("the transaction is lost")
        return answer

    monkeypatch.setattr(retention, "remove_messages", falls)
    for _ in range(20):
        try:
            progress = await night(desk, bucket)
        except Died:
            continue
        break
    assert progress.done
    assert long not in await statuses(desk)
    (run,) = await desk.rows("select counts from retention_runs")
    assert (run["counts"]["messages"], run["counts"]["conversations"]) == (7, 1), "each counted once"


async def test_what_is_still_to_be_sent_keeps_its_conversation(desk: Desk, bucket: Bucket) -> None:
    waiting = await conversation(desk, "closed")
    await desk.rows("update messages set direction = 'outbound', send_status = 'scheduled' where conversation_id = :c", c=waiting)
    await policy(desk, Policy(closed_days=30))
    await night(desk, bucket)
    assert waiting in await statuses(desk)


async def test_old_notices_and_digests_are_forgotten_with_their_mails(desk: Desk, bucket: Bucket) -> None:
    mail = new_id()
    await desk.rows(
        "insert into messages (tenant_id, id, inbox_id, direction, kind, sender_type, sent_at, send_status)"
        " values (:tenant, :id, :inbox, 'outbound', 'notification', 'system', now(), 'sent')",
        id=mail, inbox=desk.inbox_id,
    )  # fmt: skip
    await desk.rows("insert into digests (tenant_id, user_id, due_at, notices, message_id) values (:tenant, :u, now(), 1, :m)", u=desk.agent_id, m=mail)
    for number in range(3):
        await desk.rows("insert into notices (tenant_id, user_id, event_id, kind) values (:tenant, :u, :e, 'reply')", u=desk.agent_id, e=number)
    await night(desk, bucket)
    assert len(await desk.rows("select 1 from notices")) == 3, "ninety days are the usual"
    await policy(desk, Policy(notice_days=30))
    await night(desk, bucket)
    assert await desk.rows("select 1 from notices") == []
    assert await desk.rows("select 1 from messages where id = :id", id=mail) == []


async def test_a_step_ends_in_time_and_says_where_to_go_on(desk: Desk, bucket: Bucket) -> None:
    await conversation(desk, "trash")
    await policy(desk)
    first = await retaining(desk, bucket, seconds=0)._step(desk.tenant_id, RetentionOrder(str(desk.tenant_id)))
    assert first == RetentionProgress(done=False)
    assert len(await statuses(desk)) == 2
    assert (await night(desk, bucket)).done


async def test_tenants_come_page_by_page(desk: Desk, bucket: Bucket) -> None:
    made, after, found = retaining(desk, bucket), "", set()
    while page := (await made.tenants(RetentionQuestion(after))).tenants:
        found.update(page)
        after = page[-1]
    assert str(desk.tenant_id) in found
