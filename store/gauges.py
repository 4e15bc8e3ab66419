"""What operators watch, over all tenants: mails that wait, quarantine, sends that are open. Each count is bounded and has a
partial index. As the system.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 100_000
WAITING = text(
    f"""
    select state, count(*) as n from
      (select state from ledger where state in ('seen', 'stored') limit {MOST}) s group by state
    """
)
QUARANTINED = text(
    f"select count(*) from (select 1 from quarantine where resolved_at is null limit {MOST}) q"
)
OPEN_SENDS = text(
    f"""
    select send_status, count(*) as n from
      (select send_status from messages
       where send_status in ('draft', 'scheduled', 'queued', 'sending', 'unknown') limit {MOST}) s
    group by send_status
    """
)


@dataclass(frozen=True, slots=True)
class Gauges:
    ledger: dict[str, int]
    quarantined: int
    sends: dict[str, int]


async def read_gauges(connection: AsyncConnection) -> Gauges:
    ledger = {"seen": 0, "stored": 0} | {r.state: r.n for r in await connection.execute(WAITING)}
    quarantined = (await connection.execute(QUARANTINED)).scalar_one()
    words = ("scheduled", "queued", "sending", "unknown")
    sends = dict.fromkeys(words, 0) | {r.send_status: r.n for r in await connection.execute(OPEN_SENDS)}
    return Gauges(ledger, quarantined, sends)
