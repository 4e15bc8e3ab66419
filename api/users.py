"""The people of the team. Everybody signed in may see who is there, since work is assigned by name; admins keep the list."""

from typing import Any, NoReturn

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access, Principal
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.people import ChangeUser, Link, MadeUser, NewUser, RemovedUser, RemoveQuery, User
from store.people import AddressTaken, Profile, add_person, get_profile, list_profiles
from store.people_changes import LastOwner, OnlyOwners, change_person, invite, remove_person, tell

OWNERS_ONLY = "Only an owner can make an owner, change one, or let one in again. Ask an owner."


async def list_users(call: Call[Empty, None]) -> PageOf[User]:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        rows = await list_profiles(connection, who.tenant_id)
    return PageOf[User](items=[User.model_validate(shape(r)) for r in rows])


async def add_user(call: Call[Empty, NewUser]) -> MadeUser:
    """Dying before the commit leaves nobody; after it, the same call says that the address is taken, and a new link is made."""
    who, new, deps = call.who, call.body, call.deps
    if new.role == "owner" and who.role != "owner":
        raise Problem(403, OWNERS_ONLY)
    password_hash = None if new.password is None else await deps.passwords.hash(new.password)
    link = None
    try:
        async with deps.database.unit_of_work(who.tenant_id) as connection:
            made = await add_person(
                connection,
                who.tenant_id,
                email=new.email,
                name=new.name.strip(),
                role=new.role,
                password_hash=password_hash,
            )
            payload = {"user_id": str(made.id), "role": made.role}
            await tell(connection, who.viewer, "user.created", payload)
            given = {n: _stored(getattr(new, n)) for n in ("capacity", "skills", "languages", "seniority")}
            await change_person(connection, who.viewer, made.id, given, by_owner=_is_owner(who))
            if new.password is None:
                link = await _link(call, connection, made.id)
            row = await get_profile(connection, who.tenant_id, made.id)
    except AddressTaken:
        raise not_valid(FieldError("email", "is already used to sign in here; choose another one")) from None
    if row is None:
        raise not_found()
    return MadeUser.model_validate({**shape(row), "invitation": link})


async def change_user(call: Call[Empty, ChangeUser]) -> User:
    who, user_id = call.who, call.id("user_id")
    changes = {n: _stored(getattr(call.body, n)) for n in call.body.model_fields_set}
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            if not await change_person(connection, who.viewer, user_id, changes, by_owner=_is_owner(who)):
                raise not_found()
        except (OnlyOwners, LastOwner) as refused:
            _refuse(refused)
        row = await get_profile(connection, who.tenant_id, user_id)
    if row is None:
        raise not_found()
    return User.model_validate(shape(row))


async def remove_user(call: Call[RemoveQuery, None]) -> RemovedUser:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            gone = await remove_person(
                connection, who.viewer, call.id("user_id"), by_owner=_is_owner(who), keep_api_keys=call.query.keep_api_keys
            )
        except (OnlyOwners, LastOwner) as refused:
            _refuse(refused)
    if gone is None:
        raise not_found()
    return RemovedUser(handed_back=gone.handed_back, api_keys=gone.api_keys, api_keys_revoked=gone.api_keys_revoked)


async def invite_user(call: Call[Empty, None]) -> Link:
    """A person who cannot sign in any more sets a new password by it. The present one works until then."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        try:
            return await _link(call, connection, call.id("user_id"))
        except OnlyOwners as refused:
            _refuse(refused)


async def _link(call: Call[Any, Any], connection: AsyncConnection, user_id: Any) -> Link:
    """The token stands behind the `#`: browsers send it to nobody, so no log of a proxy holds it."""
    made = await invite(connection, call.who.viewer, user_id, by_owner=_is_owner(call.who))
    if made is None:
        raise not_found()
    token, ends = made
    return Link(url=f"{call.deps.config.origin}/join#{token}", expires_at=ends)


def _is_owner(who: Principal) -> bool:
    return who.role == "owner"


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, LastOwner):
        raise Problem(
            409, "This is the last owner. Make somebody else an owner first.", name="last-owner"
        ) from None
    raise Problem(403, OWNERS_ONLY) from None


def _stored(value: Any) -> Any:
    """As the columns hold it."""
    if isinstance(value, tuple):
        return list(dict.fromkeys(value))
    return value.strip() if isinstance(value, str) else value


def shape(row: Profile) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "status": row.status,
        "offline_since": row.offline_since,
        "capacity": row.capacity,
        "open": row.load,
        "skills": list(row.skills),
        "languages": list(row.languages),
        "seniority": row.seniority,
        "teams": [str(t) for t in row.teams],
        "invited": row.invited,
    }


ENDPOINTS = (
    Endpoint("GET", "/v1/users", list_users, Access.VIEWER, "The people of the team", response=PageOf[User]),
    Endpoint("POST", "/v1/users", add_user, Access.ADMIN, "Add a person", response=MadeUser, status=201, body=NewUser),
    Endpoint(
        "PATCH",
        "/v1/users/{user_id}",
        change_user,
        Access.ADMIN,
        "Change a person",
        response=User,
        body=ChangeUser,
        conflicts=("last-owner",),
    ),
    Endpoint(
        "DELETE",
        "/v1/users/{user_id}",
        remove_user,
        Access.ADMIN,
        "Remove a person",
        response=RemovedUser,
        query=RemoveQuery,
        conflicts=("last-owner",),
    ),
    Endpoint(
        "POST",
        "/v1/users/{user_id}/invitation",
        invite_user,
        Access.ADMIN,
        "A link by which a person sets their password",
        response=Link,
        status=201,
    ),
)
