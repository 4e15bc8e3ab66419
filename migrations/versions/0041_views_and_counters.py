"""Saved views with their members, counters that are maintained beside them, and since when a customer waits.

The counters are exact in every snapshot: statement triggers append differences, and whoever reads adds them to the sums. Nobody
waits for anybody: no row is updated by two writers (docs/decisions/0016-counters-by-differences.md).
"""

import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect, unprotect

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
# What was closed without an answer waits for nobody.
ACTIVE = (
    "waiting_since is not null and status in ('open', 'pending', 'snoozed') and merged_into is null and deleted_at is null"
)
TABLES = ("views", "view_members", "box_counts", "box_deltas", "touched_conversations")

# The boxes that a conversation `{r}` counts in. `who` is nobody but for what is somebody's own.
BOXES = f"""
  cross join lateral (
    select {{r}}.status as box, {NOBODY} as who
    union all select 'unread', {NOBODY} where {{r}}.unread_count > 0 and {{r}}.status in ('open', 'pending')
    union all select 'unassigned', {NOBODY} where {{r}}.assigned_to is null and {{r}}.status in ('open', 'pending')
    union all select 'mine', {{r}}.assigned_to where {{r}}.assigned_to is not null and {{r}}.status in ('open', 'pending')
  ) b
"""
LIVE = "{r}.merged_into is null and {r}.deleted_at is null"
# An inbox that is being removed takes its counters along; a difference could not name it any more.
HELD = "exists (select from inboxes i where i.tenant_id = {r}.tenant_id and i.id = {r}.inbox_id)"
OLD, NEW = BOXES.format(r="o"), BOXES.format(r="n")

# Views know by these rows which conversations to look at again; a tenant without views pays one look.
TOUCH = """
    insert into touched_conversations (tenant_id, conversation_ids)
    select r.tenant_id, array_agg(distinct r.{id}) from new_rows r
    where exists (select from views v where v.tenant_id = r.tenant_id) group by r.tenant_id;
"""
COUNT_NEW = f"""
create function mailroom_conversations_came() returns trigger language plpgsql as $$
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select n.tenant_id, n.inbox_id, b.box, b.who, count(*) from new_rows n {NEW} where {LIVE.format(r="n")} group by 1, 2, 3, 4;
  {TOUCH.format(id="id")}
  return null;
end $$
"""
COUNT_CHANGED = f"""
create function mailroom_conversations_changed() returns trigger language plpgsql as $$
begin
  if exists (
    select from old_rows o join new_rows n on n.tenant_id = o.tenant_id and n.id = o.id
    where (o.status, o.inbox_id, o.assigned_to, o.unread_count > 0, o.merged_into is null, o.deleted_at is null) is distinct from
          (n.status, n.inbox_id, n.assigned_to, n.unread_count > 0, n.merged_into is null, n.deleted_at is null)
  ) then
    insert into box_deltas (tenant_id, inbox_id, box, who, n)
    select tenant_id, inbox_id, box, who, sum(n) from (
      select o.tenant_id, o.inbox_id, b.box, b.who, -1 as n from old_rows o {OLD} where {LIVE.format(r="o")}
      union all
      select n.tenant_id, n.inbox_id, b.box, b.who, 1 from new_rows n {NEW} where {LIVE.format(r="n")}
    ) d group by 1, 2, 3, 4 having sum(n) <> 0;
  end if;
  {TOUCH.format(id="id")}
  return null;
end $$
"""
COUNT_GONE = f"""
create function mailroom_conversations_went() returns trigger language plpgsql as $$
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select o.tenant_id, o.inbox_id, b.box, b.who, -count(*) from old_rows o {OLD}
  where {LIVE.format(r="o")} and {HELD.format(r="o")} group by 1, 2, 3, 4;
  return null;
end $$
"""
# Tags and followers change without the conversation's row.
TOUCH_NEW = f"""
create function mailroom_conversation_touched() returns trigger language plpgsql as $$
begin
  {TOUCH.format(id="conversation_id")}
  return null;
end $$
"""
CONTACT_TOUCHED = """
create function mailroom_contact_touched() returns trigger language plpgsql as $$
begin
  insert into touched_conversations (tenant_id, conversation_ids)
  select c.tenant_id, array_agg(c.id) from conversations c
  where c.tenant_id = new.tenant_id and c.contact_id = new.id
    and exists (select from views v where v.tenant_id = new.tenant_id) group by c.tenant_id;
  return null;
end $$
"""
# `me` in a shared view means one person more.
SOMEBODY_CAME = """
create function mailroom_somebody_came() returns trigger language plpgsql as $$
begin
  update views set revision = revision + 1, ready = false
  where tenant_id = new.tenant_id and shared and conditions::text like '%"me"%';
  return null;
end $$
"""
# Spam that came into no conversation. Row by row, since hardly any mail is.
SPAM = """
create function mailroom_spam_counted() returns trigger language plpgsql as $$
declare
  r messages := case when tg_op = 'DELETE' then old else new end;
  change constant int := case when tg_op = 'INSERT' then 1 when tg_op = 'DELETE' then -1
    when new.conversation_id is null and new.classification = 'spam' then 1 else -1 end;
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select r.tenant_id, i.id, 'spam_mail', '00000000-0000-0000-0000-000000000000', change
  from inboxes i where i.tenant_id = r.tenant_id and i.id = r.inbox_id;
  return null;
end $$
"""
OUTSIDE = "{r}.conversation_id is null and {r}.classification = 'spam'"
MEMBERS_CAME = """
create function mailroom_members_came() returns trigger language plpgsql as $$
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select tenant_id, inbox_id, view_id::text, who, count(*) from new_rows group by 1, 2, 3, 4;
  return null;
end $$
"""
MEMBERS_CHANGED = """
create function mailroom_members_changed() returns trigger language plpgsql as $$
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select tenant_id, inbox_id, view_id::text, who, sum(n) from (
    select tenant_id, inbox_id, view_id, who, -1 as n from old_rows
    union all select tenant_id, inbox_id, view_id, who, 1 from new_rows
  ) d group by 1, 2, 3, 4 having sum(n) <> 0;
  return null;
end $$
"""
MEMBERS_WENT = f"""
create function mailroom_members_went() returns trigger language plpgsql as $$
begin
  insert into box_deltas (tenant_id, inbox_id, box, who, n)
  select o.tenant_id, o.inbox_id, o.view_id::text, o.who, -count(*) from old_rows o where {HELD.format(r="o")} group by 1, 2, 3, 4;
  return null;
end $$
"""
# To the grain of a batch: several mails that are ingested together count as the newest of them.
WAITING = """
create function mailroom_waiting_since() returns trigger language plpgsql as $$
begin
  new.waiting_since := case when new.last_message_direction = 'inbound' then new.last_message_at end;
  return new;
end $$
"""
FUNCTIONS = (
    COUNT_NEW, COUNT_CHANGED, COUNT_GONE, TOUCH_NEW, CONTACT_TOUCHED, SOMEBODY_CAME, SPAM, MEMBERS_CAME, MEMBERS_CHANGED,
    MEMBERS_WENT, WAITING,
)  # fmt: skip
STATEMENT = {
    # name: event, table, what it sees, function
    "conversations_came": ("insert", "conversations", "new table as new_rows", "mailroom_conversations_came"),
    "conversations_changed": (
        "update",
        "conversations",
        "old table as old_rows new table as new_rows",
        "mailroom_conversations_changed",
    ),
    "conversations_went": ("delete", "conversations", "old table as old_rows", "mailroom_conversations_went"),
    "tags_came": ("insert", "conversation_tags", "new table as new_rows", "mailroom_conversation_touched"),
    "tags_went": ("delete", "conversation_tags", "old table as new_rows", "mailroom_conversation_touched"),
    "followers_came": ("insert", "followers", "new table as new_rows", "mailroom_conversation_touched"),
    "followers_went": ("delete", "followers", "old table as new_rows", "mailroom_conversation_touched"),
    "members_came": ("insert", "view_members", "new table as new_rows", "mailroom_members_came"),
    "members_changed": (
        "update",
        "view_members",
        "old table as old_rows new table as new_rows",
        "mailroom_members_changed",
    ),
    "members_went": ("delete", "view_members", "old table as old_rows", "mailroom_members_went"),
}
ROWS = {
    "waiting_begins": (
        "before insert on conversations for each row when (new.last_message_direction = 'inbound')",
        "mailroom_waiting_since",
    ),
    "waiting_changes": (
        """before update of last_message_direction on conversations for each row
        when (new.last_message_direction is distinct from old.last_message_direction)""",
        "mailroom_waiting_since",
    ),
    "spam_came": (f"after insert on messages for each row when ({OUTSIDE.format(r='new')})", "mailroom_spam_counted"),
    "spam_changed": (
        f"""after update of conversation_id, classification on messages for each row
        when (({OUTSIDE.format(r='new')}) is distinct from ({OUTSIDE.format(r='old')}))""",
        "mailroom_spam_counted",
    ),
    "spam_went": (f"after delete on messages for each row when ({OUTSIDE.format(r='old')})", "mailroom_spam_counted"),
    "somebody_came": ("after insert on users for each row", "mailroom_somebody_came"),
    "vip_touched": ("after update of vip on contacts for each row when (new.vip is distinct from old.vip)", "mailroom_contact_touched"),
}


def _tenant(table: str) -> tuple[sa.Column[uuid.UUID], sa.ForeignKeyConstraint]:
    return (
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_tenant_id_tenants")),
    )


def _own(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column], [f"{parent}.tenant_id", f"{parent}.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_tenant_id_{column}")
    )


def upgrade() -> None:
    op.create_table(
        "views",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("icon", sa.Text(), server_default="list", nullable=False),
        sa.Column("color", sa.Text(), server_default="#64748b", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("conditions", JSONB(), nullable=False),
        sa.Column("sort", sa.Text(), server_default="newest", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("ready", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("filled_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("filled_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("to_fill", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("moved_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        *_tenant("views"),
        _own("views", "owner_id", "users"),
        sa.CheckConstraint("shared or owner_id is not null", name=op.f("ck_views_somebodys")),
        sa.CheckConstraint("sort in ('newest', 'oldest', 'waiting', 'sla_due')", name=op.f("ck_views_sort")),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_views")),
    )
    op.create_index(op.f("ix_views_tenant_id_position"), "views", ["tenant_id", "position"])
    op.create_table(
        "view_members",
        sa.Column("view_id", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _own("view_members", "view_id", "views"),
        _own("view_members", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("view_id", "who", "conversation_id", "tenant_id", name=op.f("pk_view_members")),
    )
    op.create_index(
        "ix_view_members_list",
        "view_members",
        ["tenant_id", "view_id", "who", sa.text("at desc"), sa.text("conversation_id desc")],
    )
    op.create_index(op.f("ix_view_members_tenant_id_conversation_id"), "view_members", ["tenant_id", "conversation_id"])
    op.create_table(
        "box_counts",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _own("box_counts", "inbox_id", "inboxes"),
        sa.PrimaryKeyConstraint("box", "who", "inbox_id", "tenant_id", name=op.f("pk_box_counts")),
    )
    op.create_index(op.f("ix_box_counts_tenant_id_who"), "box_counts", ["tenant_id", "who"])
    op.create_table(
        "box_deltas",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _own("box_deltas", "inbox_id", "inboxes"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_box_deltas")),
    )
    op.create_table(
        "touched_conversations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("conversation_ids", ARRAY(sa.Uuid()), nullable=False),
        *_tenant("touched_conversations"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_touched_conversations")),
    )
    for table in TABLES:
        protect(table)
    op.add_column("tenants", sa.Column("counts_checked_at", INSTANT, nullable=True))
    op.add_column("tenants", sa.Column("counts_drift", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("conversations", sa.Column("waiting_since", INSTANT, nullable=True))
    # History is nobody's wait; what is open is. Before the triggers, so that it is counted once.
    op.execute(
        "update conversations set waiting_since = last_message_at where last_message_direction = 'inbound'"
        " and status in ('open', 'pending')"
    )
    op.create_index("ix_conversations_waiting", "conversations", ["tenant_id", "waiting_since", "id"], postgresql_where=sa.text(ACTIVE))
    op.execute(
        "insert into box_counts (tenant_id, inbox_id, box, who, n)"
        f" select n.tenant_id, n.inbox_id, b.box, b.who, count(*) from conversations n {NEW} where {LIVE.format(r='n')} group by 1, 2, 3, 4"
    )
    op.execute(
        "insert into box_counts (tenant_id, inbox_id, box, who, n)"
        f" select tenant_id, inbox_id, 'spam_mail', {NOBODY}, count(*) from messages m where {OUTSIDE.format(r='m')} group by 1, 2"
    )
    for function in FUNCTIONS:
        op.execute(function)
    for name, (event, table, sees, function) in STATEMENT.items():
        op.execute(f"create trigger {name} after {event} on {table} referencing {sees} for each statement execute function {function}()")
    for name, (when, function) in ROWS.items():
        op.execute(f"create trigger {name} {when} execute function {function}()")


def downgrade() -> None:
    for name, (when, _) in ROWS.items():
        op.execute(f"drop trigger {name} on {when.split(' on ')[1].split()[0]}")
    for name, (_, table, _, _) in STATEMENT.items():
        op.execute(f"drop trigger {name} on {table}")
    for function in sorted({f for *_, f in STATEMENT.values()} | {f for _, f in ROWS.values()}):
        op.execute(f"drop function {function}()")
    op.drop_index("ix_conversations_waiting", "conversations")
    op.drop_column("conversations", "waiting_since")
    op.drop_column("tenants", "counts_drift")
    op.drop_column("tenants", "counts_checked_at")
    for table in TABLES[::-1]:
        unprotect(table)
        op.drop_table(table)
