"""How much is in each box: sums of what triggers wrote down, exact in the snapshot that reads them (docs/decisions/0016)."""

import re
import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.visibility import Viewer, seen_inboxes

NOBODY = uuid.UUID(int=0)
FOLDED_MOST = 20_000
QUARANTINED_MOST = 10_000

READ = """
select box, inbox_id, sum(n)::bigint as n from (
  select box, inbox_id, n from box_counts where tenant_id = :tenant and who = any(:who){seen}
  union all
  select box, inbox_id, n from box_deltas where tenant_id = :tenant and who = any(:who){seen}
) s group by box, inbox_id
"""
VIEWS = text("select id::text from views where tenant_id = :tenant and (shared or owner_id = :me)")
# Few mails are ever quarantined at once, and their inbox stands in another table.
QUARANTINED = """
select count(*) from (select from quarantine q join ledger l on l.tenant_id = q.tenant_id and l.id = q.ledger_id
  where q.tenant_id = :tenant and q.resolved_at is null{seen} limit {most}) s
"""
FOLD = text(
    """
    with taken as (
      delete from box_deltas where tenant_id = :tenant
        and id in (select id from box_deltas where tenant_id = :tenant order by id limit :limit)
      returning box, who, inbox_id, n
    ), added as (
      insert into box_counts (tenant_id, box, who, inbox_id, n)
      select :tenant, box, who, inbox_id, sum(n) from taken group by box, who, inbox_id having sum(n) <> 0
      order by box, who, inbox_id
      on conflict (box, who, inbox_id, tenant_id) do update set n = box_counts.n + excluded.n
    )
    select count(*) from taken
    """
)
BOXES = """
  select c.inbox_id, c.status as box, cast(:nobody as uuid) as who from live c
  union all select c.inbox_id, 'unread', :nobody from live c where c.unread_count > 0 and c.status in ('open', 'pending')
  union all select c.inbox_id, 'unassigned', :nobody from live c where c.assigned_to is null and c.status in ('open', 'pending')
  union all select c.inbox_id, 'mine', c.assigned_to from live c where c.assigned_to is not null and c.status in ('open', 'pending')
  union all select m.inbox_id, 'spam_mail', :nobody from messages m
    where m.tenant_id = :tenant and m.conversation_id is null and m.classification = 'spam'
  union all select m.inbox_id, m.view_id::text, m.who from view_members m where m.tenant_id = :tenant
"""
# One statement, so both sides are of one moment. What differs is written down as a difference like any other.
MEND = text(
    f"""
    with live as (
      select inbox_id, status, assigned_to, unread_count from conversations
      where tenant_id = :tenant and merged_into is null and deleted_at is null
    ), truth as (select box, who, inbox_id, count(*) as n from ({BOXES}) b group by 1, 2, 3),
    kept as (
      select box, who, inbox_id, sum(n) as n from (
        select box, who, inbox_id, n from box_counts where tenant_id = :tenant
        union all select box, who, inbox_id, n from box_deltas where tenant_id = :tenant) s group by 1, 2, 3
    ), wrong as (
      select box, who, inbox_id, coalesce(t.n, 0) - coalesce(k.n, 0) as n from truth t full join kept k using (box, who, inbox_id)
      where coalesce(t.n, 0) <> coalesce(k.n, 0)
    ), mended as (insert into box_deltas (tenant_id, box, who, inbox_id, n) select :tenant, box, who, inbox_id, n from wrong)
    select count(*) as boxes, coalesce(sum(abs(n)), 0)::bigint as off from wrong
    """
)
FORGET = text(
    """
    with b as (delete from box_counts where tenant_id = :tenant and box = :box)
    delete from box_deltas where tenant_id = :tenant and box = :box
    """
)
FORGET_EMPTY = text("delete from box_counts where tenant_id = :tenant and n = 0")


@dataclass(slots=True)
class Boxes:
    """Sums over the inboxes that the viewer sees, and for each of them. A box without rows holds nothing. `views`: of those that
    the viewer sees, by id as text.
    """

    all: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    views: dict[str, int] = field(default_factory=dict)
    of_inbox: dict[uuid.UUID, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Drift:
    """How many counters were wrong, and by how many conversations together."""

    boxes: int
    off: int


async def read_boxes(connection: AsyncConnection, viewer: Viewer) -> Boxes:
    """All boxes of one person: a few rows for each inbox, whatever lies in them."""
    inboxes = await seen_inboxes(connection, viewer)
    seen = "" if inboxes is None else " and inbox_id = any(:inboxes)"
    who = [NOBODY] if viewer.user_id is None else [NOBODY, viewer.user_id]
    bound: dict[str, object] = {"tenant": viewer.tenant_id}
    if inboxes is not None:
        bound["inboxes"] = inboxes
    found = Boxes()
    for row in await connection.execute(text(READ.format(seen=seen)), {**bound, "who": who}):
        found.all[row.box] += row.n
        found.of_inbox[row.inbox_id][row.box] += row.n
    seen_views = await connection.execute(VIEWS, {"tenant": viewer.tenant_id, "me": viewer.user_id})
    found.views = {view: found.all.get(view, 0) for view in seen_views.scalars()}
    quarantined = QUARANTINED.format(seen=seen.replace("inbox_id", "l.inbox_id"), most=QUARANTINED_MOST)
    found.quarantined = int((await connection.execute(text(quarantined), bound)).scalar_one())
    return found


async def fold_counts(connection: AsyncConnection, tenant_id: uuid.UUID) -> int:
    """Add what was written down to the sums, where it is read from one row; how many rows it was. The sums stay what they are,
    so it may run late, twice or never. One at a time for a tenant: the desk's turn.
    """
    return int((await connection.execute(FOLD, {"tenant": tenant_id, "limit": FOLDED_MOST})).scalar_one())


def mend_counts_sql(parameter: str) -> str:
    """The statement of `mend_counts` for another way to bind: `parameter` is how a name is written there, with `{}` for it."""
    return re.sub(r"(?<!:):(\w+)", lambda found: parameter.format(found[1]), MEND.text)


async def mend_counts(connection: AsyncConnection, tenant_id: uuid.UUID) -> Drift:
    """Compare every counter of the tenant with its rows and set right what differs: one scan of the conversations."""
    row = (await connection.execute(MEND, {"tenant": tenant_id, "nobody": NOBODY})).one()
    await connection.execute(FORGET_EMPTY, {"tenant": tenant_id})
    return Drift(int(row.boxes), int(row.off))


async def forget_box(connection: AsyncConnection, tenant_id: uuid.UUID, box: str) -> None:
    """Drop the counters of a view that is gone."""
    await connection.execute(FORGET, {"tenant": tenant_id, "box": box})
