"""The checker can fail: it finds nothing in a sound world, and each kind of damage that is planted into it."""

import asyncio
import dataclasses
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import Connection, create_engine, text

from tests.conftest import S3Server
from tests.faults.cursor_watch import CursorWatch, Seen
from tests.faults.desk_view import check_desk, check_stranger
from tests.faults.findings import Findings, Report
from tests.faults.invariants import Witnesses, check_database
from tests.faults.mailbox_truth import FolderTruth
from tests.faults.row_checks import CHECKS
from tests.faults.small_world import MARKERS, SmallWorld, kept, small_world
from tests.servers.databases import Database as ServerDatabase

ONE_INBOUND = "(select id from messages where direction = 'inbound' and subject = 'A live question')"
ONE_SENT = "(select id from messages where send_status = 'sent')"
ONE_UNKNOWN = "(select id from messages where send_status = 'unknown')"
ONE_INGESTED = f"(select id from ledger where message_id = {ONE_INBOUND} and state = 'ingested')"
ONE_CONVERSATION = f"(select conversation_id from messages where id = {ONE_INBOUND})"
OTHER_CONVERSATION = "(select conversation_id from messages where subject = 'Another live question')"
AGAIN = "gen_random_uuid()"


def copy_of(table: str, one: str, **changed: str) -> str:
    """Insert the row `one` of `table` again with some columns changed (SQL by column)."""
    new = ", ".join(f"'{column}', {value}" for column, value in changed.items())
    return f"insert into {table} select (jsonb_populate_record(t, jsonb_build_object({new}))).* from {table} t where t.id = {one}"


MERGE = f"update conversations set merged_into = {OTHER_CONVERSATION} where id = {ONE_CONVERSATION}"
# By the sentence of the check that must find it.
DAMAGE: dict[str, str] = {
    "a mail counts as ingested, but nothing was made of it": f"update ledger set message_id = null where id = {ONE_INGESTED}",
    "a mail was skipped without naming the message that it equals": "update ledger set message_id = null where state = 'skipped'",
    "a quarantined mail has no entry that tells why": f"update ledger set state = 'quarantined' where id = {ONE_INGESTED}",
    "a message is not searchable": f"delete from search_documents where message_id = {ONE_INBOUND}",
    "one content became several messages": copy_of("messages", ONE_INBOUND, id=AGAIN, content_id="'other'"),
    "several ledger rows each claim to have become the same message": "update ledger set state = 'ingested' where state = 'skipped' and reason = 'duplicate'",
    "one identity has several ledger rows": """
        do $$ declare named text; begin
          for named in select conname from pg_constraint where conrelid = 'ledger'::regclass and contype = 'u' loop
            execute format('alter table ledger drop constraint %%I', named);
          end loop;
        end $$;
    """
    + copy_of("ledger", ONE_INGESTED, id=AGAIN),
    "a reaction to an event was given up": "insert into desk_failures (tenant_id, event_id, reactor, error) select tenant_id, id, 'x', 'x' from events limit 1",
    "a message was told twice": """
        insert into events (tenant_id, inbox_id, message_id, type)
        select tenant_id, inbox_id, message_id, type from events where type = 'message.received'
    """,
    "a conversation was answered automatically more than once": "update messages set kind = 'auto_response' where send_status is not null",
    "a mail still waits for its fate": f"update ledger set state = 'stored' where id = {ONE_INGESTED}",
    "a folder is still resetting": "update folders set state = 'resetting' where role = 'inbox'",
    "a backfill is still under way": "update folders set backfill_state = 'running' where role = 'inbox'",
    "a gap is still open": "insert into gaps (tenant_id, inbox_id, cause) select tenant_id, id, 'audit' from inboxes",
    "a message is still not indexed": f"update messages set indexed_at = null where id = {ONE_INBOUND}",
    "a request is still under way": "insert into idempotency_keys (tenant_id, key, route, request_hash) select tenant_id, 'k', 'r', '' from inboxes",
    "an unknown send does not say since when": f"update messages set unknown_since = null where id = {ONE_UNKNOWN}",
    "an unknown send stands before its dot": f"update messages set send_stage = 'body' where id = {ONE_UNKNOWN}",
    "a sent message has a recipient that nobody took or refused": f"update message_recipients set delivery_status = 'deferred' where message_id = {ONE_SENT}",
    "nothing was decided about an automatic answer": "update inboxes set auto_response_enabled = true",
    "an inbound message stands nowhere": f"update messages set conversation_id = null, classification = 'message' where id = {ONE_INBOUND}",
    "a message stands in a conversation that was merged away": MERGE,
    "an inbound message has no ledger row": f"delete from ledger where message_id = {ONE_INBOUND}",
    "a ledger row points to no message": f"delete from messages where id = {ONE_INBOUND}",
    "a ledger row points to a message of other bytes": f"update messages set raw_sha256 = 'other' where id = {ONE_INBOUND}",
    "a conversation is empty": copy_of("conversations", ONE_CONVERSATION, id=AGAIN, number="4711"),
    "a thread key leads to a conversation that was merged away": MERGE,
    "an automatic answer was claimed and its mail is not there": f"""
        insert into auto_response_claims (tenant_id, conversation_id, message_id, outcome)
        select tenant_id, id, gen_random_uuid(), 'answered' from conversations where id = {ONE_CONVERSATION}
    """,
    "a row of ledger names an object of another tenant": f"update ledger set raw_key = 'raw/somebody/x' where id = {ONE_INGESTED}",
    "a row of messages names an object of another tenant": f"update messages set raw_key = 'raw/somebody/x' where id = {ONE_INBOUND}",
    "a row of attachments names an object of another tenant": "update attachments set storage_key = 'att/somebody/x'",
    "a cursor stands below a mail that was stored live": "update folders set last_uid = 1 where role = 'inbox'",
} | {
    f"a conversation's {counter} is not what can be counted": f"update conversations set {counter} = {counter} + 1 where id = {ONE_CONVERSATION}"
    for counter in (
        "message_count", "customer_message_count", "agent_message_count", "unread_count", "failed_sends", "unknown_sends",
    )
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    module_database: ServerDatabase, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallWorld]:
    async with small_world(module_database, s3_server, tmp_path_factory.mktemp("world")) as made:
        yield made


@contextmanager
def damaged(world: SmallWorld, statement: str = "") -> Iterator[Connection]:
    """A transaction in which the damage is done, past every guard of the schema; it never happened afterwards."""
    engine = create_engine(world.admin_url)
    try:
        with engine.connect() as connection:
            if statement:
                connection.execute(text("set local session_replication_role = replica"))
                connection.exec_driver_sql(statement)
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def report_of(world: SmallWorld, statement: str = "", **changed: object) -> Report:
    witnesses = dataclasses.replace(world.witnesses, **changed)  # type: ignore[arg-type]
    with damaged(world, statement) as connection:
        return check_database(connection, witnesses).report()


def test_a_sound_world_has_no_damage(world: SmallWorld) -> None:
    report = report_of(world)
    assert report.holds, str(report)
    assert (report.quarantined, report.unknown, report.unreferenced_objects) == (0, 1, 0)


def test_every_check_has_its_damage() -> None:
    assert {check.says for check in CHECKS} == set(DAMAGE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.says.replace(" ", "-"))
def test_damaged_rows_are_found(world: SmallWorld, check: object) -> None:
    says, kind = check.says, check.kind  # type: ignore[attr-defined]
    report = report_of(world, DAMAGE[says])
    assert report.damage[kind] > 0, str(report)
    assert any(sentence.startswith(f"{kind}: {says}") for sentence in report.sentences), str(report)


@pytest.mark.parametrize("status", ["queued", "sending", "scheduled"])
def test_a_send_that_nothing_will_end_is_limbo(world: SmallWorld, status: str) -> None:
    alone = f"update messages set send_status = '{status}', unknown_since = null where id = {ONE_UNKNOWN}"
    assert "nothing will send it" in str(report_of(world, alone))
    cared_for = frozenset({f"send/{world.witnesses.asked[MARKERS[1]]}"})
    assert "nothing will send it" not in str(report_of(world, alone, open_workflows=cared_for))


@pytest.mark.parametrize(
    ("statement", "who"),
    [
        ("alter table messages disable row level security", "a stranger"),
        ("create policy open_door on conversations to mailroom_app using (true)", "nobody in particular"),
        ("alter role mailroom_app bypassrls", "a stranger"),
    ],
)
def test_rows_that_strangers_see_are_found(world: SmallWorld, statement: str, who: str) -> None:
    report = report_of(world, statement)
    assert report.leaked > 0
    assert f"are seen by {who}" in str(report)


# -- bucket ------------------------------------------------------------------------------------------------------------


def objects_without(world: SmallWorld, prefix: str, *, flip: bool = False) -> dict[str, bytes]:
    """The bucket without one object, or with one octet of it changed."""
    key = next(k for k in world.objects if k.startswith(prefix))
    left = {k: v for k, v in world.objects.items() if k != key}
    return left | ({key: bytes([world.objects[key][0] ^ 1]) + world.objects[key][1:]} if flip else {})


@pytest.mark.parametrize(("prefix", "kind"), [("raw/", "lost"), ("out/", "lost"), ("att/", "orphaned")])
@pytest.mark.parametrize("flip", [False, True])
def test_objects_that_are_gone_or_changed_are_found(world: SmallWorld, prefix: str, kind: str, flip: bool) -> None:
    report = report_of(world, bucket=kept(objects_without(world, prefix, flip=flip)))
    assert report.damage[kind] > 0
    assert ("other bytes" if flip else "not in the bucket") in str(report)


def test_files_that_lie_in_their_mail_are_looked_for_there(world: SmallWorld) -> None:
    elsewhere = "update attachments set encoded_offset = encoded_offset + 1 where filename = 'map.pdf'"
    assert "its mail does not hold it" in str(report_of(world, elsewhere))
    asked_for = "update attachments set stored_at = now() where filename = 'map.pdf'"
    assert "its object is not in the bucket" in str(report_of(world, asked_for))


def test_objects_that_nobody_names_are_counted_and_no_damage(world: SmallWorld) -> None:
    report = report_of(world, bucket=kept({**world.objects, "raw/x/left-by-a-crash.pack": b"x"}))
    assert report.holds
    assert report.unreferenced_objects == 1


# -- mailbox -----------------------------------------------------------------------------------------------------------


def with_inbox(world: SmallWorld, change: Callable[[FolderTruth], FolderTruth], path: str = "INBOX") -> dict[str, object]:
    truth = dict(world.witnesses.mailboxes[world.inbox_id])
    return {"mailboxes": {world.inbox_id: {**truth, path: change(truth[path])}}}


def test_mail_without_a_row_is_lost(world: SmallWorld) -> None:
    more = with_inbox(world, lambda t: dataclasses.replace(t, mails={**t.mails, 4711: "new"}))
    assert report_of(world, **more).lost == 1


def test_mail_with_other_bytes_is_lost(world: SmallWorld) -> None:
    other = with_inbox(world, lambda t: dataclasses.replace(t, mails=dict.fromkeys(t.mails, "other")))
    assert report_of(world, **other).lost == 5


def test_mail_that_counts_as_vanished_is_lost(world: SmallWorld) -> None:
    assert "counts as vanished and lies in the mailbox" in str(
        report_of(world, f"update ledger set state = 'vanished' where id = {ONE_INGESTED}")
    )


def test_a_folder_that_nobody_knows_is_lost(world: SmallWorld) -> None:
    truth = {**world.witnesses.mailboxes[world.inbox_id], "Elsewhere": FolderTruth(1, {1: "x", 2: "y"})}
    assert report_of(world, mailboxes={world.inbox_id: truth}).lost == 2


def test_another_uidvalidity_is_noticed(world: SmallWorld) -> None:
    changed = report_of(world, **with_inbox(world, lambda t: dataclasses.replace(t, uidvalidity=t.uidvalidity + 1)))
    assert changed.limbo == 1
    assert changed.lost == 5


def test_two_copies_in_sent_are_a_duplicate(world: SmallWorld) -> None:
    twice = with_inbox(world, lambda t: dataclasses.replace(t, message_ids=Counter(dict.fromkeys(t.message_ids, 2))), "Sent")
    assert report_of(world, **twice).duplicate == 1


# -- post --------------------------------------------------------------------------------------------------------------


def test_a_mail_that_was_taken_twice_is_double_sent(world: SmallWorld) -> None:
    sent = world.witnesses.accepted
    assert report_of(world, accepted=(*sent, sent[0])).double_sent == 1
    again = f"update messages set send_round = 1 where id = {ONE_SENT}"  # a person said “send again”
    assert report_of(world, again, accepted=(*sent, sent[0])).double_sent == 0


def test_a_mail_of_other_bytes_is_double_sent(world: SmallWorld) -> None:
    sent = world.witnesses.accepted
    assert report_of(world, accepted=(dataclasses.replace(sent[0], sha256="other"), sent[1])).double_sent == 1


def test_a_mail_that_no_row_knows_is_orphaned(world: SmallWorld) -> None:
    sent = world.witnesses.accepted
    assert report_of(world, accepted=(*sent, dataclasses.replace(sent[0], message_id="<who@example.com>"))).orphaned == 1


def test_a_mail_that_counts_as_sent_and_was_not_is_lost(world: SmallWorld) -> None:
    assert report_of(world, accepted=world.witnesses.accepted[1:]).lost == 1


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_mail_that_is_out_and_does_not_say_so_is_limbo(world: SmallWorld, status: str) -> None:
    report = report_of(world, f"update messages set send_status = '{status}' where id = {ONE_SENT}")
    assert f"its row says {status}" in str(report)
    assert report.limbo == 1


def test_an_answer_that_was_made_twice_or_vanished_is_found(world: SmallWorld) -> None:
    again = copy_of("messages", ONE_SENT, id=AGAIN, message_id_header="'<again@example.com>'", send_status="'failed'")
    assert "2 messages were made of one answer" in str(report_of(world, again))
    assert report_of(world, asked={**world.witnesses.asked, "never-was": str(uuid.uuid4())}).lost == 1
    assert report_of(world, asked={**world.witnesses.asked, "never-acknowledged": None}).holds


# -- cursors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "times"),
    [
        (Seen(1, 10, 5), Seen(1, 9, 5), 1),
        (Seen(1, 10, 5), Seen(1, 10, 6), 1),
        (Seen(1, 10, 5), Seen(1, 11, 4), 0),
        (Seen(1, 10, 5), Seen(2, 0, 9), 0),
        (Seen(1, 10, None), Seen(1, 10, 9), 0),
    ],
)
def test_a_cursor_that_steps_back_is_remembered(before: Seen, after: Seen, times: int) -> None:
    watch, found = CursorWatch("postgresql+psycopg://nowhere.example.com/x"), Findings()
    watch.look({"f": before})
    watch.look({"f": after})
    watch.add_to(found)
    assert found.report().cursor_moved_back == times


def test_the_watch_really_looks(world: SmallWorld) -> None:
    engine = create_engine(world.admin_url)
    with CursorWatch(world.admin_url) as watch:
        for uid in (100, 50, 5):
            with engine.begin() as connection:
                connection.execute(text("set local session_replication_role = replica"))
                connection.execute(text("update folders set last_uid = :uid where role = 'inbox'"), {"uid": uid})
            seen = watch.looks
            while watch.looks < seen + 2:
                watch._stop.wait(0.02)
    engine.dispose()
    assert len(watch.backwards) == 2


# -- desk --------------------------------------------------------------------------------------------------------------


def desk_that_answers(items: list[dict[str, object]], status: int = 404) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path in {"/v1/conversations", "/v1/inboxes", "/v1/quarantine"}:
            return httpx.Response(200, json={"items": items, "next": None})
        return httpx.Response(status, json={"items": [], "next": None})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://desk.example.com")


def seen_at_the_desk(world: SmallWorld, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> Report:
    async def look() -> Report:
        found = Findings()
        with damaged(world) as connection:
            rows = connection.execute(text("select id, message_count, unread_count, unknown_sends from conversations"))
            shown = [
                {"id": str(r.id), "message_count": r.message_count, "unread_count": r.unread_count, "has_unknown_send": r.unknown_sends > 0}
                for r in rows
            ]
            async with desk_that_answers(change(shown), 200) as api:
                await check_desk(api, connection, world.witnesses.tenant_id, found)
        return found.report()

    return asyncio.run(look())


def test_what_the_desk_hides_or_invents_is_found(world: SmallWorld) -> None:
    assert "a conversation is not listed" in str(seen_at_the_desk(world, lambda shown: shown[1:]))
    assert "is listed twice" in str(seen_at_the_desk(world, lambda shown: [*shown, shown[0]]))
    assert "that no row has" in str(seen_at_the_desk(world, lambda shown: [*shown, {**shown[0], "id": "invented"}]))
    assert "with other numbers" in str(seen_at_the_desk(world, lambda shown: [{**s, "message_count": 99} for s in shown]))
    assert "does not show all its messages" in str(seen_at_the_desk(world, lambda shown: shown))


def test_what_a_stranger_is_shown_is_found() -> None:
    async def look(items: list[dict[str, object]], status: int) -> Report:
        found = Findings()
        async with desk_that_answers(items, status) as api:
            await check_stranger(api, {"messages": "m1"}, found)
        return found.report()

    assert asyncio.run(look([], 404)).leaked == 0
    assert asyncio.run(look([{"id": "c1"}], 404)).leaked == 3
    assert asyncio.run(look([], 200)).leaked == 1


def test_a_report_holds_only_when_every_count_is_null() -> None:
    assert Report(unknown=3, quarantined=2, unreferenced_objects=9).holds
    for kind in Report().damage:
        assert not Report(**{kind: 1}).holds
    assert "double_sent=1" in str(Report(double_sent=1, sentences=("double_sent: x",)))


def test_witnesses_without_a_desk_are_enough_for_the_rows(world: SmallWorld) -> None:
    assert Witnesses(bucket=world.witnesses.bucket, stranger_id=world.witnesses.stranger_id).api is None
