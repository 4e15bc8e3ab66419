"""Fills a migrated database with a desk of up to a million conversations, in minutes: set-based SQL, foreign keys and indexes last.

Words are drawn as people draw them: the n-th commonest comes 1/n as often, so a search can be given a word of any frequency.
"""

import datetime as dt
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from store.box_counts import NOBODY, mend_counts_sql
from store.search import FORM

VOCABULARY = 50_000
WORDS = 30  # drawn for a message
INBOXES = 20
AGENTS = 10
TABLES = (
    "conversations",
    "messages",
    "message_recipients",
    "search_documents",
    "conversation_tags",
    "attachments",
    "followers",
    "ledger",
)
# The n-th word is drawn with a probability of about 1/(n ln N): the exponent of an even number is such a draw.
DRAWN = f"'w' || floor(exp(random() * ln({VOCABULARY})))::int"

CONVERSATIONS = f"""
insert into conversations (tenant_id, id, number, inbox_id, customer_identifier, customer_name, subject, snippet, status,
  assigned_to, unread_count, message_count, customer_message_count, last_message_at, last_message_direction, created_at,
  priority, waiting_since, sla_due_at)
select %(tenant)s, uuidv7(age), n, (%(inboxes)s::uuid[])[1 + floor(19.12 * power(random(), 2))::int],
  'person' || (random() * 50000)::int || '@customers.example.org', 'Person ' || (random() * 50000)::int,
  'Question about ' || {DRAWN} || ' and ' || {DRAWN}, repeat('The beginning of the last message. ', 3),
  case when r < 0.10 then 'open' when r < 0.15 then 'pending' when r < 0.95 then 'closed' else 'archived' end,
  case when r2 < 0.7 then (%(agents)s::uuid[])[1 + floor(random() * {AGENTS})::int] end,
  case when r < 0.15 and r2 < 0.3 then 1 else 0 end, %(each)s, 1, now() + age, 'inbound', now() + age,
  case when r2 < 0.02 then 'urgent' when r2 < 0.1 then 'high' else 'normal' end,
  case when r < 0.15 then now() + age end, case when r < 0.15 then now() + age + interval '8 hours' end
from (select n, random() as r, random() as r2, make_interval(secs => -60.0 * (%(last)s - n) - 60 * random()) as age
      from generate_series(%(first)s::int, %(last)s::int) n offset 0) s
"""
MESSAGES = f"""
insert into messages (tenant_id, id, conversation_id, inbox_id, message_id_header, content_id, direction, classification,
  sender_type, from_address, from_name, subject, sent_at, received_at, body_text, body_visible, send_status, indexed_at)
select c.tenant_id, uuidv7(c.last_message_at - now()), c.id, c.inbox_id, '<' || c.number || '.' || k || '@example.org>', 'c',
  case k %% 2 when 1 then 'inbound' else 'outbound' end, case k %% 2 when 1 then 'message' end,
  case k %% 2 when 1 then 'customer' else 'agent' end, c.customer_identifier, c.customer_name, c.subject,
  c.last_message_at - make_interval(mins => %(each)s - k), c.last_message_at, t.words, t.words,
  case k %% 2 when 0 then 'sent' end, now()
from conversations c cross join generate_series(1, %(each)s) k
cross join lateral (select string_agg({DRAWN}, ' ') as words from generate_series(1, {WORDS} + 0 * k + 0 * c.number)) t
where c.tenant_id = %(tenant)s and c.number between %(first)s and %(last)s
"""
RECIPIENTS = """
insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key)
select m.tenant_id, m.id, 'to', 0, 'desk@bench.example.com', 'desk@bench.example.com'
from messages m where m.tenant_id = %(tenant)s
"""
# A file in the first mail of every tenth conversation.
ATTACHMENTS = f"""
insert into attachments (tenant_id, message_id, filename, content_type, size_bytes, sha256, storage_key)
select m.tenant_id, m.id, 'report-' || {DRAWN} || '.pdf', 'application/pdf', 1000, 'none', 'none'
from conversations c join messages m on m.tenant_id = c.tenant_id and m.conversation_id = c.id
where c.tenant_id = %(tenant)s and c.number %% 10 = 0 and m.message_id_header = '<' || c.number || '.1@example.org>'
"""
FOLLOWERS = """
insert into followers (tenant_id, conversation_id, user_id)
select tenant_id, id, (%(agents)s::uuid[])[1 + number %% 10] from conversations where tenant_id = %(tenant)s and number %% 20 < 10
"""
DOCUMENTS = f"""
insert into search_documents (tenant_id, message_id, conversation_id, form, document)
select m.tenant_id, m.id, m.conversation_id, {FORM},
  setweight(to_tsvector('simple', m.subject), 'A')
  || array_to_tsvector(array(select 'subject=' || t from unnest(tsvector_to_array(to_tsvector('simple', m.subject))) t))
  || setweight(to_tsvector('simple', concat_ws(' ', m.from_name, m.from_address, translate(m.from_address, '@.', '  '))), 'B')
  || setweight(to_tsvector('simple', 'desk@bench.example.com desk bench example com'), 'C')
  || to_tsvector('simple', m.body_text)
  || case when a.filename is not null then
       array_to_tsvector(array['has=attachment', 'file=report', 'file=' || split_part(translate(a.filename, '-.', '  '), ' ', 2)])
     else '' end
from messages m left join attachments a on a.tenant_id = m.tenant_id and a.message_id = m.id where m.tenant_id = %(tenant)s
"""
LEDGER = """
insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, uid, raw_key, raw_length, state, message_id, ingested_at)
select m.tenant_id, m.inbox_id, f.id, 1, row_number() over (), 'raw/none', 1000, 'ingested', m.id, now()
from messages m join folders f on f.tenant_id = m.tenant_id and f.inbox_id = m.inbox_id
where m.tenant_id = %(tenant)s and m.direction = 'inbound'
"""


@dataclass(slots=True)
class BigDesk:
    """What was made. The last inbox holds one conversation in two hundred or fewer, the last tag one in ten thousand."""

    tenant_id: uuid.UUID
    inboxes: list[uuid.UUID] = field(default_factory=list)
    agents: list[uuid.UUID] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    conversations: int = 0
    filled_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


def fill(
    dsn: str, conversations: int, tenant_id: uuid.UUID, *, messages_each: int = 2, quiet: bool = False
) -> BigDesk:
    """Fill the tenant through the owner's connection `dsn`. Twice is refused by the unique numbers of conversations."""
    desk = BigDesk(tenant_id, conversations=conversations)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # The owner passes row-level security; `replica` leaves foreign keys and our triggers out, which makes it minutes.
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        connection.execute("set maintenance_work_mem = '1GB'")
        connection.execute("select setseed(0.5)")
        _people(connection, desk)
        put_back = _drop_indexes(connection)
        try:
            for first in range(1, conversations + 1, 250_000):
                last = min(first + 249_999, conversations)
                place = {
                    "tenant": tenant_id,
                    "inboxes": desk.inboxes,
                    "agents": desk.agents,
                    "first": first,
                    "last": last,
                    "each": messages_each,
                }
                _timed(quiet, connection, f"conversations to {last}", CONVERSATIONS, place)
                _timed(quiet, connection, f"messages to {last}", MESSAGES, place)
            rest = (
                ("recipients", RECIPIENTS),
                ("files", ATTACHMENTS),
                ("followers", FOLLOWERS),
                ("documents", DOCUMENTS),
                ("ledger", LEDGER),
            )
            for name, statement in rest:
                _timed(quiet, connection, name, statement, {"tenant": tenant_id, "agents": desk.agents})
            _tags(connection, desk)
        finally:
            for definition in put_back:
                _timed(quiet, connection, definition.split(" ON ")[0].lower(), definition, None)
        for table in TABLES:
            _timed(quiet, connection, f"vacuum {table}", f"vacuum analyze {table}", None)
        # What the triggers would have written down.
        counters: dict[str, object] = {"tenant": tenant_id, "nobody": NOBODY}
        _timed(quiet, connection, "counters", mend_counts_sql("%({})s"), counters)
        connection.execute("update tenants set next_conversation_number = %s where id = %s", (conversations + 1, tenant_id))
    return desk


def _people(connection: psycopg.Connection, desk: BigDesk) -> None:
    for number in range(AGENTS):
        desk.agents.append(uuid.uuid4())
        mail = f"{desk.agents[-1].hex}@bench.example.com"
        connection.execute(
            "insert into users (tenant_id, id, email, email_key, name) values (%s, %s, %s, %s, %s)",
            (desk.tenant_id, desk.agents[-1], mail, mail, f"Agent {number}"),
        )
    for number in range(INBOXES):
        desk.inboxes.append(uuid.uuid4())
        connection.execute(
            "insert into inboxes (tenant_id, id, name, email_address, health, connected_at, paused_at)"
            " values (%s, %s, %s, %s, 'paused', now(), now())",
            (desk.tenant_id, desk.inboxes[-1], f"Desk {number}", f"desk{number}@bench.example.com"),
        )
        connection.execute(
            "insert into folders (tenant_id, inbox_id, name, path, role, synced, uidvalidity)"
            " values (%s, %s, 'INBOX', 'INBOX', 'inbox', true, 1)",
            (desk.tenant_id, desk.inboxes[-1]),
        )


def _tags(connection: psycopg.Connection, desk: BigDesk) -> None:
    for name, every in (("common", 10), ("seldom", 500), ("rare", 10_000)):
        tag = uuid.uuid4()
        desk.tags.append(name)
        connection.execute(
            "insert into tags (tenant_id, id, name) values (%s, %s, %s)", (desk.tenant_id, tag, name)
        )
        connection.execute(
            "insert into conversation_tags (tenant_id, conversation_id, tag_id)"
            " select tenant_id, id, %s from conversations where tenant_id = %s and number %% %s = 0",
            (tag, desk.tenant_id, every),
        )


def _drop_indexes(connection: psycopg.Connection) -> Sequence[str]:
    """Drop what no constraint needs; the definitions to make it again."""
    found = connection.execute(
        "select c.relname, pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid::regclass::text = any(%s) and not exists (select from pg_constraint k where k.conindid = i.indexrelid)",
        (list(TABLES),),
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    return [definition for _, definition in found]


def _timed(
    quiet: bool, connection: psycopg.Connection, what: str, statement: str, bound: dict[str, object] | None
) -> None:
    began = time.monotonic()
    connection.execute(statement.encode(), bound)
    if not quiet:
        print(f"  {what}: {time.monotonic() - began:.1f} s", flush=True)
