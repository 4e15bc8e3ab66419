"""Teams and their members, and who may see an inbox: people and teams. Each change writes its event in the same transaction."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Inbox, InboxMember, InboxTeam, Team, TeamMember, User
from store.event_log import NewEvent, append_events
from store.people_changes import hand_back_unseen, tell
from store.visibility import Viewer

MOST_TEAMS = 500
TEAMS = text(
    """
    select t.id, t.name, t.description,
      array(select m.user_id from team_members m join users u on u.tenant_id = m.tenant_id and u.id = m.user_id
            where m.tenant_id = t.tenant_id and m.team_id = t.id and u.deleted_at is null order by u.name, u.id) as members
    from teams t where t.tenant_id = :tenant and (cast(:id as uuid) is null or t.id = :id)
    order by lower(t.name), t.id limit :most
    """
)


class NameTaken(Exception):
    """A team of this name stands already."""


class NotOfTheTeam(Exception):
    """Ids that name nobody, or no team, of this organisation; `field` holds them."""

    def __init__(self, field: str) -> None:
        super().__init__("unknown ids")
        self.field = field


@dataclass(frozen=True, slots=True)
class TeamRow:
    id: uuid.UUID
    name: str
    description: str
    members: Sequence[uuid.UUID]


@dataclass(frozen=True, slots=True)
class Members:
    """Who is let into an inbox. Neither people nor teams: everybody."""

    people: Sequence[uuid.UUID]
    teams: Sequence[uuid.UUID]


async def list_teams(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[TeamRow]:
    rows = await connection.execute(TEAMS, {"tenant": tenant_id, "id": None, "most": MOST_TEAMS})
    return [TeamRow(*r) for r in rows]


async def get_team(connection: AsyncConnection, tenant_id: uuid.UUID, team_id: uuid.UUID) -> TeamRow | None:
    row = (await connection.execute(TEAMS, {"tenant": tenant_id, "id": team_id, "most": 1})).first()
    return TeamRow(*row) if row is not None else None


async def add_team(connection: AsyncConnection, viewer: Viewer, *, name: str, description: str) -> uuid.UUID:
    """Raises NameTaken."""
    made = await connection.execute(
        upsert(Team)
        .values(tenant_id=viewer.tenant_id, name=name, description=description)
        .on_conflict_do_nothing(index_elements=["tenant_id", "name"])
        .returning(Team.id)
    )
    team_id: uuid.UUID | None = made.scalar_one_or_none()
    if team_id is None:
        raise NameTaken
    await tell(connection, viewer, "team.created", {"team_id": str(team_id)})
    return team_id


async def change_team(
    connection: AsyncConnection, viewer: Viewer, team_id: uuid.UUID, changes: Mapping[str, Any]
) -> bool:
    """Set `name` or `description`; False when there is no such team. Raises NameTaken."""
    mine = (Team.tenant_id == viewer.tenant_id, Team.id == team_id)
    row = (await connection.execute(select(Team.name, Team.description).where(*mine).with_for_update(key_share=True))).first()
    if row is None:
        return False
    new = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not new:
        return True
    if "name" in new:
        # Two who choose one name at once meet here and not at the constraint, whose error would end the transaction.
        await connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"{viewer.tenant_id} teams"})
        taken = await connection.execute(select(Team.id).where(Team.tenant_id == viewer.tenant_id, Team.name == new["name"]))
        if taken.first() is not None:
            raise NameTaken
    await connection.execute(update(Team).where(*mine).values(**new))
    await tell(connection, viewer, "team.updated", {"team_id": str(team_id), "changed": sorted(new)})
    return True


async def remove_team(connection: AsyncConnection, viewer: Viewer, team_id: uuid.UUID) -> bool:
    """False when there is no such team. What waited in its queue waits in its inbox's. The caller has asked `only_for`: an inbox
    that only this team was let into would be open to everybody.
    """
    gone = await connection.execute(delete(Team).where(Team.tenant_id == viewer.tenant_id, Team.id == team_id))
    if gone.rowcount == 0:
        return False
    await tell(connection, viewer, "team.removed", {"team_id": str(team_id)})
    await hand_back_unseen(connection, viewer)
    return True


async def only_for(connection: AsyncConnection, tenant_id: uuid.UUID, team_id: uuid.UUID) -> list[str]:
    """Names of the inboxes that this team alone is let into."""
    others = select(InboxTeam.team_id).where(
        InboxTeam.tenant_id == tenant_id, InboxTeam.inbox_id == Inbox.id, InboxTeam.team_id != team_id
    )
    people = select(InboxMember.user_id).where(InboxMember.tenant_id == tenant_id, InboxMember.inbox_id == Inbox.id)
    ours = select(InboxTeam.team_id).where(
        InboxTeam.tenant_id == tenant_id, InboxTeam.inbox_id == Inbox.id, InboxTeam.team_id == team_id
    )
    rows = await connection.execute(
        select(Inbox.name)
        .where(Inbox.tenant_id == tenant_id, Inbox.deleted_at.is_(None), ours.exists(), ~others.exists(), ~people.exists())
        .order_by(Inbox.name)
    )
    return list(rows.scalars())


async def set_team_members(
    connection: AsyncConnection, viewer: Viewer, team_id: uuid.UUID, people: Collection[uuid.UUID]
) -> bool:
    """Exactly these; False when there is no such team. Raises NotOfTheTeam."""
    mine = (Team.tenant_id == viewer.tenant_id, Team.id == team_id)
    if (await connection.execute(select(Team.id).where(*mine).with_for_update(key_share=True))).first() is None:
        return False
    await _all_known(connection, viewer.tenant_id, people, [])
    before = await _set_links(connection, viewer.tenant_id, TeamMember, {"team_id": team_id}, "user_id", people)
    await _told_of_members(connection, viewer, "team.members", {"team_id": str(team_id)}, before, people)
    await hand_back_unseen(connection, viewer)
    return True


async def members_of(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Members:
    people = await connection.execute(
        select(InboxMember.user_id).where(InboxMember.tenant_id == tenant_id, InboxMember.inbox_id == inbox_id)
    )
    teams = await connection.execute(
        select(InboxTeam.team_id).where(InboxTeam.tenant_id == tenant_id, InboxTeam.inbox_id == inbox_id)
    )
    return Members(sorted(people.scalars()), sorted(teams.scalars()))


async def set_members(connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, wanted: Members) -> None:
    """Exactly these. The caller has found the inbox. Raises NotOfTheTeam."""
    await connection.execute(
        select(Inbox.id).where(Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id).with_for_update(key_share=True)
    )
    await _all_known(connection, viewer.tenant_id, wanted.people, wanted.teams)
    place = {"inbox_id": inbox_id}
    people = await _set_links(connection, viewer.tenant_id, InboxMember, place, "user_id", wanted.people)
    teams = await _set_links(connection, viewer.tenant_id, InboxTeam, place, "team_id", wanted.teams)
    if people == set(wanted.people) and teams == set(wanted.teams):
        return
    payload = {"people": len(set(wanted.people)), "teams": len(set(wanted.teams))}
    event = NewEvent("inbox.members", viewer.tenant_id, inbox_id=inbox_id, actor=viewer.actor, payload=payload)
    await append_events(connection, [event])
    await hand_back_unseen(connection, viewer)


async def _all_known(
    connection: AsyncConnection, tenant_id: uuid.UUID, people: Collection[uuid.UUID], teams: Collection[uuid.UUID]
) -> None:
    known = await connection.execute(
        select(func.count()).where(User.tenant_id == tenant_id, User.id.in_(people), User.deleted_at.is_(None))
    )
    if known.scalar_one() != len(set(people)):
        raise NotOfTheTeam("user_ids")
    found = await connection.execute(select(func.count()).where(Team.tenant_id == tenant_id, Team.id.in_(teams)))
    if found.scalar_one() != len(set(teams)):
        raise NotOfTheTeam("team_ids")


async def _set_links(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    table: type[TeamMember | InboxMember | InboxTeam],
    place: Mapping[str, uuid.UUID],
    column: str,
    wanted: Collection[uuid.UUID],
) -> set[uuid.UUID]:
    """Exactly the wanted rows beside `place`; gives those that stood before."""
    where = [table.tenant_id == tenant_id, *(getattr(table, name) == value for name, value in place.items())]
    other = getattr(table, column)
    before = set((await connection.execute(select(other).where(*where))).scalars())
    await connection.execute(delete(table).where(*where, other.not_in(wanted)))
    new = [{"tenant_id": tenant_id, **place, column: one} for one in set(wanted) - before]
    if new:
        await connection.execute(insert(table), new)
    return before


async def _told_of_members(
    connection: AsyncConnection,
    viewer: Viewer,
    kind: str,
    payload: Mapping[str, Any],
    before: set[uuid.UUID],
    wanted: Collection[uuid.UUID],
) -> None:
    added, gone = set(wanted) - before, before - set(wanted)
    if added or gone:
        changed = {"added": sorted(map(str, added)), "removed": sorted(map(str, gone))}
        await tell(connection, viewer, kind, {**payload, **changed})
