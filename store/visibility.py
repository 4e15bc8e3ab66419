"""Who may see which inbox, as one SQL condition that every reading query carries.

Owners, admins and API keys see all inboxes of their tenant. Agents and viewers see an inbox when they are members of it,
themselves or by one of their teams, or when it has no members at all: an inbox without a list is open to everybody.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute, aliased

from models import Inbox, InboxMember, InboxTeam, TeamMember


@dataclass(frozen=True, slots=True)
class Viewer:
    """On whose behalf a query runs. `user_id` is None for an API key, which then sees all."""

    tenant_id: uuid.UUID
    user_id: uuid.UUID | None
    sees_all: bool

    @property
    def actor(self) -> str:
        """As events name who did it."""
        return f"user:{self.user_id}" if self.user_id else "api"


def may_see(viewer: Viewer, inbox_id: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """True for rows whose inbox the viewer may see. The set of inboxes is made once for a statement, not for each row."""
    if viewer.sees_all:
        return true()
    inbox, mine, anyone = aliased(Inbox), aliased(InboxMember), aliased(InboxMember)
    ours, any_team, member = aliased(InboxTeam), aliased(InboxTeam), aliased(TeamMember)
    return inbox_id.in_(
        select(inbox.id).where(
            inbox.tenant_id == viewer.tenant_id,
            or_(
                exists().where(
                    mine.tenant_id == viewer.tenant_id,
                    mine.inbox_id == inbox.id,
                    mine.user_id == viewer.user_id,
                ),
                exists().where(
                    ours.tenant_id == viewer.tenant_id,
                    ours.inbox_id == inbox.id,
                    member.tenant_id == viewer.tenant_id,
                    member.team_id == ours.team_id,
                    member.user_id == viewer.user_id,
                ),
                and_(
                    ~exists().where(anyone.tenant_id == viewer.tenant_id, anyone.inbox_id == inbox.id),
                    ~exists().where(any_team.tenant_id == viewer.tenant_id, any_team.inbox_id == inbox.id),
                ),
            ),
        )
    )


async def visible_inboxes(connection: AsyncConnection, viewer: Viewer) -> frozenset[uuid.UUID]:
    """Ids of the inboxes the viewer may see now, removed ones too, since their events may still arrive."""
    rows = await connection.execute(
        select(Inbox.id).where(Inbox.tenant_id == viewer.tenant_id, may_see(viewer, Inbox.id))
    )
    return frozenset(rows.scalars())


SEEN = text(
    """
    select array_agg(id) filter (where seen), bool_and(seen) from (
      select i.id, exists (select from inbox_members m where m.tenant_id = i.tenant_id and m.inbox_id = i.id and m.user_id = :user)
        or exists (select from inbox_teams t join team_members m on m.tenant_id = t.tenant_id and m.team_id = t.team_id
                   where t.tenant_id = i.tenant_id and t.inbox_id = i.id and m.user_id = :user)
        or not exists (select from inbox_members m where m.tenant_id = i.tenant_id and m.inbox_id = i.id)
           and not exists (select from inbox_teams t where t.tenant_id = i.tenant_id and t.inbox_id = i.id) as seen
      from inboxes i where i.tenant_id = :tenant) s
    """
)


async def seen_inboxes(connection: AsyncConnection, viewer: Viewer) -> list[uuid.UUID] | None:
    """As `visible_inboxes`, but None when the viewer may see all: a query without a condition reads from more indexes."""
    if viewer.sees_all:
        return None
    row = (await connection.execute(SEEN, {"tenant": viewer.tenant_id, "user": viewer.user_id})).one()
    return None if row[1] is not False else list(row[0] or ())
