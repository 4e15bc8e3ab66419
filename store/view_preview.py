"""How many conversations a view would hold, counted on the spot with a bound, for whoever is making one."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.view_conditions import Group, compile_conditions
from store.visibility import Viewer, seen_inboxes

MOST = 10_000
LONGEST_MS = 2_000
COUNT = """
select count(*) from (
  select from conversations where tenant_id = :tenant and merged_into is null and deleted_at is null{seen} and {condition}
  limit {most}) s
"""


@dataclass(frozen=True, slots=True)
class Matches:
    count: int
    capped: bool


async def count_matches(connection: AsyncConnection, viewer: Viewer, conditions: Group) -> Matches:
    """As many as `MOST`, or as can be found in two seconds: then 0, capped."""
    inboxes = await seen_inboxes(connection, viewer)
    compiled = compile_conditions(conditions)
    known = {**compiled.bound, "tenant": viewer.tenant_id, "me": viewer.user_id, "inboxes": inboxes}
    seen = "" if inboxes is None else " and inbox_id = any(:inboxes)"
    clause = text(COUNT.format(seen=seen, condition=compiled.sql, most=MOST + 1))
    bound = {name: known[name] for name in clause.compile().params}
    try:
        async with connection.begin_nested():
            await connection.execute(text(f"set local statement_timeout = {LONGEST_MS}"))
            found = int((await connection.execute(clause, bound)).scalar_one())
            await connection.execute(text("set local statement_timeout = 60000"))
    except OperationalError as error:
        if "statement timeout" not in str(error.orig):
            raise
        return Matches(0, True)
    return Matches(min(found, MOST), found > MOST)
