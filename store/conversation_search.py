"""How a search finds conversations: seldom words by the full-text index, frequent ones by walking down the list until the page
is full.

Both ways give the same rows in the same order; which one is taken only decides the time. The index knows no order of time, so
for a word of every fourth mail it would fetch a quarter of the desk for one page (docs/decisions/0011).
"""

import re
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FREQUENT = 20_000  # messages that the planner expects; of a word that it does not know it expects some thousands
STEPS = 50_000  # conversations that a walk looks at, about 3 µs each
NUMBER = re.compile(r"\s*(#)?\s*(\d{1,12})\s*")
ENDS_IN_A_WORD = re.compile(r"\w\Z")

# Words as people type them. A last word that is still being typed matches its beginnings: the query's text form ends in a
# quoted word unless a bracket closes it, and `:*` asks for words that begin so.
QUERY = """
with typed as materialized (select websearch_to_tsquery('simple', :words) as query),
asked as materialized (
  select case when :typing and query::text like '%''' then (query::text || ':*')::tsquery else query end as query from typed)
select query::text as query, case when numnode(query) > 0 then mailroom_search_expected(query) else 0 end as expected from asked
"""
INDEXED = "select mailroom_search(cast(:query as tsquery))"
INDEXED_OR_NUMBER = (
    f"{INDEXED} union select id from conversations where tenant_id = :tenant and number = :number"
)
WALKED = """
select 1 from search_documents d
where d.tenant_id = :tenant and d.conversation_id = k.id and d.document @@ cast(:query as tsquery)
"""
WALKED_OR_NUMBER = f"select 1 where k.number = :number union all ({WALKED} limit 1)"


@dataclass(frozen=True, slots=True)
class Search:
    """`query` is a tsquery's text, empty when no word is in it. A bare number is also the conversation's number."""

    query: str
    number: int | None
    frequent: bool

    @property
    def nothing(self) -> bool:
        return not self.query and self.number is None

    @property
    def ids(self) -> str:
        """Ids of the conversations that match, by the index."""
        return INDEXED if self.number is None else INDEXED_OR_NUMBER

    @property
    def met(self) -> str:
        """A row when the conversation `k` matches."""
        return WALKED if self.number is None else WALKED_OR_NUMBER


async def read_search(connection: AsyncConnection, words: str) -> Search:
    """What these words ask for, and about how much there is of it."""
    number = NUMBER.fullmatch(words)
    row = (
        await connection.execute(
            text(QUERY), {"words": words, "typing": ENDS_IN_A_WORD.search(words) is not None}
        )
    ).one()
    return Search(row.query, int(number[2]) if number else None, row.expected > FREQUENT)
