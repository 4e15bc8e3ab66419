"""Takes rows out of the ledger behind Mailroom's back, for those who want to see the next balance sheet find them missing."""

from typing import Any

from sqlalchemy import create_engine, text

LOSE = text(
    """
    delete from ledger where id in (
      select l.id from ledger l join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
      where f.role = 'inbox' and l.state = 'ingested' and l.uidvalidity = f.uidvalidity order by l.uid desc limit :count)
    """
)


def lose_rows(stack: dict[str, Any], count: int) -> None:
    """The newest ones of all INBOXes together; their messages stay."""
    engine = create_engine(stack["database_admin_url"])
    try:
        with engine.begin() as connection:
            connection.execute(LOSE, {"count": count})
    finally:
        engine.dispose()
