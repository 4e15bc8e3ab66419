"""Waits until a system that was hurt has nothing left to do, as far as its rows and its open workflows tell."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.faults.post_boxes import PostBox
from tests.faults.rig import Rig

UNSETTLED = text(
    """
    select
      (select count(*) from ledger where state in ('seen', 'stored')) as waiting_mails,
      (select count(*) from messages where send_status in ('draft', 'scheduled', 'queued', 'sending')) as open_sends,
      (select count(*) from folders where backfill_state in ('waiting', 'running') or state = 'resetting') as open_folders,
      (select count(*) from messages where indexed_at is null) as unindexed,
      (select count(*) from events e left join desk_cursors d on d.tenant_id = e.tenant_id
        where (e.xid, e.id) > (coalesce(d.xid, '0'), coalesce(d.id, 0))) as unread_events,
      (select count(*) from conversations c join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
        where i.auto_response_enabled and not c.historical and c.merged_into is null
          and not exists (select from auto_response_claims a where a.tenant_id = c.tenant_id and a.conversation_id = c.id)
          and exists (select from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id and m.may_answer)
      ) as undecided
    """
)
ROWS = text(
    """
    select f.path, count(l.id) as n from folders f left join ledger l on l.folder_id = f.id and l.uidvalidity = f.uidvalidity
    where f.inbox_id = :inbox group by f.path
    """
)


IN_A_ROW = 3  # looks that must find nothing: between two steps of one flow there is a moment in which no row tells of it


async def wait_until_quiet(
    rig: Rig, boxes: Mapping[str, PostBox], *, within: float, tell: Callable[[str], None] = lambda _: None
) -> str:
    """Return "" once nothing is left to do, else, after `within` seconds, what still is. `boxes` by inbox id."""
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    ends = time.monotonic() + within
    left, looks = "it was never asked", 0
    try:
        while looks < IN_A_ROW and time.monotonic() < ends:
            with contextlib.suppress(DBAPIError):
                with engine.connect() as connection:
                    row = connection.execute(UNSETTLED).one()
                    todo = [f"{count} {name}" for name, count in row._mapping.items() if count]
                    for inbox, box in boxes.items():
                        rows = {r.path: r.n for r in connection.execute(ROWS, {"inbox": inbox})}
                        lying = await asyncio.to_thread(box.counts)
                        todo += [
                            f"{count - rows.get(path, 0)} unseen in {path}" for path, count in lying.items() if count > rows.get(path, 0)
                        ]
                if not todo:
                    todo = [f"{one} is open" for one in await rig.open_workflows() if one.startswith(("send/", "auto-response/"))]
                left = ", ".join(todo[:8])
                tell(left or "quiet")
            looks = 0 if left else looks + 1
            await asyncio.sleep(0.7)
    finally:
        engine.dispose()
    return left
