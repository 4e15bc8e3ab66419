"""What the database itself refuses: foreign tenants, cursors that go back, edited history; and what it keeps up."""

from alembic import op

from migrations.tenancy import protect, system_only, unprotect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "api_keys",
    "attachments",
    "auto_response_claims",
    "contact_identities",
    "contacts",
    "conversation_assignments",
    "conversation_tags",
    "conversations",
    "delivery_events",
    "folders",
    "gaps",
    "idempotency_keys",
    "inbox_members",
    "inboxes",
    "ledger",
    "loop_budgets",
    "message_recipients",
    "message_references",
    "messages",
    "quarantine",
    "search_documents",
    "send_steps",
    "sessions",
    "suppressed_addresses",
    "tags",
    "thread_keys",
    "thread_suggestions",
    "uploads",
    "users",
    "workspaces",
)

# integrity I-3: within one UIDVALIDITY the end of the contiguous stored range only grows.
CURSOR_GUARD = """
create function mailroom_cursor_guard() returns trigger language plpgsql as $$
begin
  if new.uidvalidity is not distinct from old.uidvalidity and new.last_uid < old.last_uid then
    raise exception 'cursor of folder % may not go back from % to %', old.id, old.last_uid, new.last_uid
      using errcode = 'check_violation';
  end if;
  new.updated_at := now();
  return new;
end $$
"""

# `version` counts the changes of a conversation; a reply is compared with the version that its author saw.
CONVERSATION_VERSION = """
create function mailroom_conversation_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end $$
"""

EVENT_NOTIFY = """
create function mailroom_event_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('mailroom_events', '');
  return null;
end $$
"""

# Runs as the owner, because roles that own nothing cannot make partitions. Late or repeated calls are harmless.
EVENT_PARTITIONS = """
create function mailroom_ensure_event_partitions(months_ahead int default 3) returns int
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  start date := date_trunc('month', now() at time zone 'utc')::date;
  made int := 0;
  name text;
begin
  for i in 0..greatest(months_ahead, 0) loop
    name := 'events_' || to_char(start + make_interval(months => i), 'YYYYMM');
    if to_regclass('public.' || name) is null then
      execute format(
        'create table public.%I partition of public.events for values from (%L) to (%L)',
        name, (start + make_interval(months => i))::date, (start + make_interval(months => i + 1))::date);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$
"""


def upgrade() -> None:
    for table in TENANT_TABLES:
        protect(table)
    protect("events", append_only=True)
    protect("tenants", rows="id = nullif(current_setting('app.tenant', true), '')::uuid")
    system_only("login_attempts")
    system_only("event_cursors")

    op.execute(CURSOR_GUARD)
    op.execute(
        "create trigger cursor_guard before update on folders for each row execute function mailroom_cursor_guard()"
    )
    op.execute(CONVERSATION_VERSION)
    op.execute(
        "create trigger conversation_version before update on conversations"
        " for each row execute function mailroom_conversation_version()"
    )
    op.execute(EVENT_NOTIFY)
    op.execute(
        "create trigger event_notify after insert on events for each statement execute function mailroom_event_notify()"
    )
    op.execute(EVENT_PARTITIONS)
    op.execute("revoke all on function mailroom_ensure_event_partitions(int) from public")
    op.execute("grant execute on function mailroom_ensure_event_partitions(int) to mailroom_system")
    # Rows outside every month still have a place: an event must never be refused for its date.
    op.execute("create table events_default partition of events default")
    op.execute("select mailroom_ensure_event_partitions(12)")


def downgrade() -> None:
    op.execute("drop function mailroom_ensure_event_partitions(int)")
    op.execute("drop trigger event_notify on events")
    op.execute("drop function mailroom_event_notify()")
    op.execute("drop trigger conversation_version on conversations")
    op.execute("drop function mailroom_conversation_version()")
    op.execute("drop trigger cursor_guard on folders")
    op.execute("drop function mailroom_cursor_guard()")
    for table in (*TENANT_TABLES, "events", "tenants"):
        unprotect(table)
    op.execute("revoke all on login_attempts, event_cursors from mailroom_system")
