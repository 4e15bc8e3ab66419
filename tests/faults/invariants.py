"""The invariant checker: rows, bucket, mailboxes, the submission server's log and the API against each other.

`check` reads only. Everything in `Report.damage` must be 0 once the system is quiet (integrity P1 to P3, P7).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx
from sqlalchemy import Connection, create_engine, text

from tests.faults.cursor_watch import CursorWatch
from tests.faults.desk_view import check_desk, check_stranger
from tests.faults.findings import Findings, Report
from tests.faults.mailbox_truth import FolderTruth, check_mailbox
from tests.faults.object_checks import Bucket, check_objects
from tests.faults.post_office import check_asked, check_post
from tests.faults.row_checks import check_rows, check_sends, check_strangers
from tests.servers.smtp_script import Accepted

__all__ = ["Report", "Witnesses", "check", "check_database"]


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who is asked. `mailboxes`: by inbox id what lies in each folder that is to be synced. `accepted`: all that the
    submission server took. `asked`: see `check_asked`. `stranger_id`: a tenant that owns nothing. Without `api` and
    `stranger` (clients with the tenants' keys) the desk is not asked.
    """

    bucket: Bucket
    stranger_id: str
    mailboxes: Mapping[str, Mapping[str, FolderTruth]] = field(default_factory=dict)
    accepted: Sequence[Accepted] = ()
    asked: Mapping[str, str | None] = field(default_factory=dict)
    open_workflows: frozenset[str] = frozenset()
    cursors: CursorWatch | None = None
    tenant_id: str = ""
    api: httpx.AsyncClient | None = None
    stranger: httpx.AsyncClient | None = None


def check_database(connection: Connection, witnesses: Witnesses) -> Findings:
    """All but the API. `connection` sees all rows (the owner's role); nothing is written."""
    found = Findings()
    check_rows(connection, found)
    check_sends(connection, found, open_workflows=witnesses.open_workflows)
    check_strangers(connection, found, stranger=witnesses.stranger_id)
    check_objects(connection, witnesses.bucket, found)
    for inbox_id, truth in witnesses.mailboxes.items():
        check_mailbox(connection, inbox_id, truth, found)
    check_post(connection, witnesses.accepted, found)
    check_asked(connection, witnesses.asked, found)
    if witnesses.cursors is not None:
        witnesses.cursors.add_to(found)
    return found


async def check(admin_url: str, witnesses: Witnesses) -> Report:
    """The whole report. `admin_url` is SQLAlchemy's URL of the owner."""
    engine = create_engine(admin_url)
    try:
        with engine.connect() as connection:
            found = check_database(connection, witnesses)
            if witnesses.api is not None:
                await check_desk(witnesses.api, connection, witnesses.tenant_id, found)
            if witnesses.stranger is not None:
                await check_stranger(witnesses.stranger, one_of_each(connection, witnesses.tenant_id), found)
    finally:
        engine.dispose()
    return found.report()


def one_of_each(connection: Connection, tenant_id: str) -> dict[str, str]:
    """An id of each kind of thing that a tenant owns and the API names."""
    picked = {}
    for kind in ("conversations", "messages", "inboxes"):
        one = connection.execute(text(f"select id from {kind} where tenant_id = :tenant limit 1"), {"tenant": tenant_id}).scalar()
        if one is not None:
            picked[kind] = str(one)
    return picked
