"""Teams, who is in them, and who is let into an inbox. Everybody signed in sees the teams; admins keep them."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import found
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.teams import AskedInboxMembers, ChangeTeam, InboxMembers, NewTeam, Team, TeamMembers
from store.teams import (
    Members,
    NameTaken,
    NotOfTheTeam,
    TeamRow,
    add_team,
    change_team,
    get_team,
    list_teams,
    members_of,
    only_for,
    remove_team,
    set_members,
    set_team_members,
)

TAKEN = "is the name of another team already; choose another one"
UNKNOWN = "names somebody who is not here; load the list again"


async def list_all(call: Call[Empty, None]) -> PageOf[Team]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await list_teams(connection, call.who.tenant_id)
    return PageOf[Team](items=[_shown(r) for r in rows])


async def make(call: Call[Empty, NewTeam]) -> Team:
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            team_id = await add_team(
                connection, call.who.viewer, name=call.body.name.strip(), description=call.body.description.strip()
            )
            row = await get_team(connection, call.who.tenant_id, team_id)
    except NameTaken:
        raise not_valid(FieldError("name", TAKEN)) from None
    return _shown(row)


async def change(call: Call[Empty, ChangeTeam]) -> Team:
    changes = {n: getattr(call.body, n).strip() for n in call.body.model_fields_set}
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            if not await change_team(connection, call.who.viewer, call.id("team_id"), changes):
                raise not_found()
            row = await get_team(connection, call.who.tenant_id, call.id("team_id"))
    except NameTaken:
        raise not_valid(FieldError("name", TAKEN)) from None
    return _shown(row)


async def remove(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        inboxes = await only_for(connection, call.who.tenant_id, call.id("team_id"))
        if inboxes:
            raise Problem(
                409,
                f"Only this team is let into {', '.join(inboxes[:3])}; without it everybody would be. Change who is let in first.",
                name="team-in-use",
            )
        if not await remove_team(connection, call.who.viewer, call.id("team_id")):
            raise not_found()


async def put_members(call: Call[Empty, TeamMembers]) -> Team:
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            if not await set_team_members(connection, call.who.viewer, call.id("team_id"), call.body.user_ids):
                raise not_found()
            row = await get_team(connection, call.who.tenant_id, call.id("team_id"))
    except NotOfTheTeam as unknown:
        raise not_valid(FieldError(unknown.field, UNKNOWN)) from None
    return _shown(row)


async def inbox_members(call: Call[Empty, None]) -> InboxMembers:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        return _let_in(await members_of(connection, call.who.tenant_id, call.id("inbox_id")))


async def put_inbox_members(call: Call[Empty, AskedInboxMembers]) -> InboxMembers:
    wanted = Members(call.body.user_ids, call.body.team_ids)
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            await found(connection, call)
            await set_members(connection, call.who.viewer, call.id("inbox_id"), wanted)
            return _let_in(await members_of(connection, call.who.tenant_id, call.id("inbox_id")))
    except NotOfTheTeam as unknown:
        raise not_valid(FieldError(unknown.field, UNKNOWN)) from None


def _let_in(row: Members) -> InboxMembers:
    return InboxMembers(user_ids=[str(p) for p in row.people], team_ids=[str(t) for t in row.teams])


def _shown(row: TeamRow | None) -> Team:
    if row is None:
        raise not_found()
    return Team(id=str(row.id), name=row.name, description=row.description, members=[str(m) for m in row.members])


TEAM = "/v1/teams/{team_id}"
MEMBERS = "/v1/inboxes/{inbox_id}/members"
ENDPOINTS = (
    Endpoint("GET", "/v1/teams", list_all, Access.VIEWER, "The teams", response=PageOf[Team]),
    Endpoint("POST", "/v1/teams", make, Access.ADMIN, "Make a team", response=Team, status=201, body=NewTeam),
    Endpoint("PATCH", TEAM, change, Access.ADMIN, "Change a team", response=Team, body=ChangeTeam),
    Endpoint("DELETE", TEAM, remove, Access.ADMIN, "Remove a team", status=204, conflicts=("team-in-use",)),
    Endpoint(
        "PUT", f"{TEAM}/members", put_members, Access.ADMIN, "Say who is in a team", response=Team, body=TeamMembers
    ),
    Endpoint("GET", MEMBERS, inbox_members, Access.ADMIN, "Who is let into an inbox", response=InboxMembers),
    Endpoint(
        "PUT",
        MEMBERS,
        put_inbox_members,
        Access.ADMIN,
        "Say who is let into an inbox",
        response=InboxMembers,
        body=AskedInboxMembers,
    ),
)
