"""What the rows alone can prove: each check is one statement that finds nothing in a sound database, with its kind of damage."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from tests.faults.findings import Findings, Kind


@dataclass(frozen=True, slots=True)
class RowCheck:
    """`sql` selects one row for each damage, its first column saying which."""

    kind: Kind
    says: str
    sql: str


STANDS = "m.send_status is distinct from 'cancelled'"  # a message that was taken back never stood in its conversation

CHECKS = (
    # -- lost
    RowCheck("lost", "a mail counts as ingested, but nothing was made of it", "select id from ledger where state = 'ingested' and message_id is null"),
    RowCheck(
        "lost",
        "a mail was skipped without naming the message that it equals",
        "select id from ledger where state = 'skipped' and message_id is null and coalesce(reason, '') not in ('erased', 'expired')",
    ),
    RowCheck(
        "lost",
        "a quarantined mail has no entry that tells why",
        """
        select l.id from ledger l where l.state = 'quarantined'
          and not exists (select from quarantine q where q.tenant_id = l.tenant_id and q.ledger_id = l.id and q.reason <> '')
        """,
    ),
    RowCheck(
        "lost",
        "a message is not searchable",
        """
        select m.id from messages m where m.indexed_at is not null
          and not exists (select from search_documents d where d.tenant_id = m.tenant_id and d.message_id = m.id)
        """,
    ),
    # -- duplicate
    RowCheck(
        "duplicate",
        "one content became several messages",
        """
        select raw_sha256 from messages where direction = 'inbound' and raw_sha256 is not null
        group by tenant_id, inbox_id, raw_sha256 having count(*) > 1
        """,
    ),
    RowCheck(
        "duplicate",
        "several ledger rows each claim to have become the same message",
        "select message_id from ledger where state = 'ingested' and message_id is not null group by tenant_id, message_id having count(*) > 1",
    ),
    RowCheck(
        "duplicate",
        "one identity has several ledger rows",
        "select uid from ledger group by tenant_id, inbox_id, folder_id, uidvalidity, uid, provider_message_id having count(*) > 1",
    ),
    RowCheck(
        "duplicate",
        "a message was told twice",
        "select message_id from events where type = 'message.received' group by tenant_id, message_id having count(*) > 1",
    ),
    RowCheck(
        "duplicate",
        "a conversation was answered automatically more than once",
        "select conversation_id from messages where kind = 'auto_response' group by tenant_id, conversation_id having count(*) > 1",
    ),
    # -- limbo
    RowCheck("limbo", "a mail still waits for its fate", "select id from ledger where state in ('seen', 'stored')"),
    RowCheck("limbo", "a folder is still resetting", "select id from folders where state = 'resetting'"),
    RowCheck("limbo", "a backfill is still under way", "select id from folders where backfill_state in ('waiting', 'running')"),
    RowCheck("limbo", "a gap is still open", "select id from gaps where closed_at is null"),
    RowCheck("limbo", "a message is still not indexed", "select id from messages where indexed_at is null"),
    RowCheck("limbo", "a request is still under way", "select key from idempotency_keys where state = 'started'"),
    RowCheck("limbo", "an unknown send does not say since when", "select id from messages where send_status = 'unknown' and unknown_since is null"),
    RowCheck(
        "limbo",
        "an unknown send stands before its dot",
        "select id from messages where send_status = 'unknown' and send_stage is distinct from 'dot'",
    ),
    RowCheck(
        "limbo",
        "a sent message has a recipient that nobody took or refused",
        """
        select m.id from messages m join message_recipients r on r.tenant_id = m.tenant_id and r.message_id = m.id
        where m.send_status = 'sent' and coalesce(r.delivery_status, 'pending') in ('pending', 'deferred')
        """,
    ),
    RowCheck(
        "limbo",
        "nothing was decided about an automatic answer",
        """
        select c.id from conversations c join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
        where i.auto_response_enabled and not c.historical and c.merged_into is null and c.deleted_at is null
          and not exists (select from auto_response_claims a where a.tenant_id = c.tenant_id and a.conversation_id = c.id)
          and exists (select from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id and m.may_answer)
        """,
    ),
    # -- orphaned
    RowCheck(
        "orphaned",
        "an inbound message stands nowhere",
        """
        select m.id from messages m where m.direction = 'inbound' and m.conversation_id is null
          and coalesce(m.classification, 'message') not in ('spam', 'bounce', 'complaint')
        """,
    ),
    RowCheck(
        "orphaned",
        "a message stands in a conversation that was merged away",
        """
        select m.id from messages m join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
        where c.merged_into is not null
        """,
    ),
    RowCheck(
        "orphaned",
        "an inbound message has no ledger row",
        """
        select m.id from messages m where m.direction = 'inbound'
          and not exists (select from ledger l where l.tenant_id = m.tenant_id and l.message_id = m.id)
        """,
    ),
    RowCheck(
        "orphaned",
        "a ledger row points to no message",
        """
        select l.id from ledger l where l.message_id is not null
          and not exists (select from messages m where m.tenant_id = l.tenant_id and m.id = l.message_id)
        """,
    ),
    RowCheck(
        "orphaned",
        "a ledger row points to a message of other bytes",
        """
        select l.id from ledger l join messages m on m.tenant_id = l.tenant_id and m.id = l.message_id
        where l.state = 'ingested' and m.raw_sha256 is distinct from l.raw_sha256
        """,
    ),
    RowCheck(
        "orphaned",
        "a conversation is empty",
        """
        select c.id from conversations c where c.merged_into is null and c.deleted_at is null
          and not exists (select from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id)
        """,
    ),
    RowCheck(
        "orphaned",
        "a thread key leads to a conversation that was merged away",
        """
        select k.key from thread_keys k join conversations c on c.tenant_id = k.tenant_id and c.id = k.conversation_id
        where c.merged_into is not null
        """,
    ),
    RowCheck(
        "orphaned",
        "an automatic answer was claimed and its mail is not there",
        """
        select a.conversation_id from auto_response_claims a where a.message_id is not null
          and not exists (select from messages m where m.tenant_id = a.tenant_id and m.id = a.message_id)
        """,
    ),
    *(
        RowCheck(
            "orphaned",
            f"a conversation's {counter} is not what can be counted",
            f"""
            select c.id || ' says ' || c.{counter} || ', counted ' || count(m.id) filter (where {what})
            from conversations c left join messages m on m.tenant_id = c.tenant_id and m.conversation_id = c.id
            group by c.tenant_id, c.id, c.{counter} having c.{counter} <> count(m.id) filter (where {what})
            """,
        )
        for counter, what in (
            ("message_count", STANDS),
            ("customer_message_count", "m.direction = 'inbound'"),
            ("agent_message_count", f"m.direction = 'outbound' and m.kind = 'message' and {STANDS}"),
            ("unread_count", "m.direction = 'inbound' and not m.is_read"),
            ("failed_sends", "m.send_status = 'failed' and m.kind = 'message'"),
            ("unknown_sends", "m.send_status = 'unknown' and m.kind = 'message'"),
        )
    ),
    # -- leaked
    *(
        RowCheck(
            "leaked",
            f"a row of {table} names an object of another tenant",
            f"select {key} from {table} where {column} is not null and split_part({column}, '/', 2) <> tenant_id::text",
        )
        for table, key, column in (
            ("ledger", "id", "raw_key"),
            ("messages", "id", "raw_key"),
            ("attachments", "id", "storage_key"),
        )
    ),
    RowCheck(
        "limbo",
        "a reaction to an event was given up",
        "select reactor || ' at ' || event_id || ': ' || error from desk_failures",
    ),
    # -- cursors
    RowCheck(
        "cursor_moved_back",
        "a cursor stands below a mail that was stored live",
        """
        select f.id || ' at ' || f.last_uid from folders f join ledger l on l.tenant_id = f.tenant_id and l.folder_id = f.id
          and l.uidvalidity = f.uidvalidity
        group by f.id, f.last_uid having max(l.uid) > f.last_uid
        """,
    ),
)


def check_rows(connection: Connection, found: Findings) -> None:
    """Run every check as the role that sees all rows."""
    for one in CHECKS:
        found.add_all(one.kind, one.says, connection.execute(text(one.sql)).scalars())
    found.quarantined = connection.execute(text("select count(*) from ledger where state = 'quarantined'")).scalar_one()
    found.unknown = connection.execute(text("select count(*) from messages where send_status = 'unknown'")).scalar_one()


def check_sends(connection: Connection, found: Findings, *, open_workflows: frozenset[str]) -> None:
    """A send that is not ended must have a workflow that will end it; `open_workflows` are ids."""
    waiting = connection.execute(
        text("select id, send_status from messages where send_status in ('draft', 'scheduled', 'queued', 'sending')")
    )
    for row in waiting:
        if f"send/{row.id}" not in open_workflows:
            found.add("limbo", f"a message is {row.send_status} and nothing will send it: {row.id}")


# Seen by nobody but the house itself: without rows of tenants, or closed to the application altogether.
def tenant_tables(connection: Connection) -> list[str]:
    """Every table with a tenant that the application may read.

    Asked by oid: by name, the planner may try the privilege on another session's temporary table first, and fails.
    """
    named = connection.execute(
        text(
            """
            select c.relname from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
              and has_table_privilege('mailroom_app', c.oid, 'select')
            order by 1
            """
        )
    )
    return list(named.scalars())


def check_strangers(connection: Connection, found: Findings, *, stranger: str) -> None:
    """As the application's role: a tenant sees its own rows only, and without a tenant nobody sees any."""
    tables = tenant_tables(connection)
    with connection.begin_nested() as looking:
        connection.execute(text("set local role mailroom_app"))
        for tenant in (stranger, ""):
            connection.execute(text("select set_config('app.tenant', :tenant, true)"), {"tenant": tenant})
            for table in tables:
                foreign = connection.execute(
                    text(f"select count(*) from {table} where tenant_id::text <> :tenant"), {"tenant": tenant}
                ).scalar_one()
                if foreign:
                    found.add("leaked", f"{foreign} rows of {table} are seen by {'a stranger' if tenant else 'nobody in particular'}")
        looking.rollback()
