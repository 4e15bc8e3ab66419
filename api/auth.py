"""Who is calling: a browser by its cookie or a program by its key, looked up afresh for every call so that revoking works.

A cookie alone changes nothing: unsafe methods also need our `Origin` and the header `X-Mailroom: 1`, which no foreign page
can send (integrity X-33).
"""

import uuid
from dataclasses import dataclass
from enum import IntEnum

from starlette.requests import Request

from api.deps import ApiConfig
from api.problems import Problem, not_signed_in
from store import api_keys, sessions
from store.api_keys import find_key
from store.sessions import find_session
from store.unit_of_work import Database
from store.visibility import Viewer

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Access(IntEnum):
    """What a route asks for; each includes those before it. Owners and admins may do the same here."""

    PUBLIC = 0
    VIEWER = 1
    AGENT = 2
    ADMIN = 3


ROLES = {"viewer": Access.VIEWER, "agent": Access.AGENT, "admin": Access.ADMIN, "owner": Access.ADMIN}
SCOPES = {"read": Access.VIEWER, "write": Access.AGENT, "admin": Access.ADMIN}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known. `caller` names the session or key, for limits; a key has neither `user_id`, address, status nor session."""

    tenant_id: uuid.UUID
    tenant_name: str
    access: Access
    role: str
    name: str
    caller: str
    user_id: uuid.UUID | None = None
    email: str = ""
    status: str | None = None
    session_id: uuid.UUID | None = None

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.tenant_id, self.user_id, self.user_id is None or self.access >= Access.ADMIN)


async def find_principal(request: Request, config: ApiConfig, database: Database) -> Principal | None:
    """The caller, or None. A key in `Authorization` wins over a cookie."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        holder = await database.read_as_system(lambda connection: find_key(connection, key.strip()))
        if holder is None:
            return None
        if holder.to_note:
            async with database.system_unit_of_work() as connection:
                await api_keys.note_use(connection, holder)
        access = max((SCOPES[s] for s in holder.scopes if s in SCOPES), default=Access.PUBLIC)
        role = {Access.ADMIN: "admin", Access.AGENT: "agent"}.get(access, "viewer")
        return Principal(
            holder.tenant_id, holder.tenant_name, access, role, holder.name, f"key:{holder.key_id}"
        )
    token = request.cookies.get(config.cookie_name)
    if not token or len(token) > 200:
        return None
    found = await database.read_as_system(lambda connection: find_session(connection, token))
    if found is None:
        return None
    if found.to_note:
        async with database.system_unit_of_work() as connection:
            await sessions.note_use(connection, found)
    return Principal(
        found.tenant_id,
        found.tenant_name,
        ROLES[found.role],
        found.role,
        found.name,
        f"session:{found.session_id}",
        found.user_id,
        found.email,
        found.status,
        found.session_id,
    )


def check_origin(request: Request, config: ApiConfig) -> None:
    """Refuse what a foreign page could make a browser send with our cookie. Keys are not sent by browsers."""
    if request.method in SAFE or "authorization" in request.headers:
        return
    origin = request.headers.get("origin")
    carries_cookie = config.cookie_name in request.cookies
    if (origin is not None and origin.lower() != config.origin) or (carries_cookie and origin is None):
        raise Problem(
            403,
            f"This call must come from a page of {config.origin}. Open Mailroom at that address.",
            name="foreign-origin",
        )
    if carries_cookie and request.headers.get("x-mailroom") != "1":
        raise Problem(
            403, "Calls that change something carry the header `X-Mailroom: 1`.", name="foreign-origin"
        )


def check_access(principal: Principal | None, needed: Access) -> None:
    """401 for nobody, 403 for somebody who may not."""
    if needed is Access.PUBLIC:
        return
    if principal is None:
        raise not_signed_in()
    if principal.access < needed:
        who = "an administrator" if needed is Access.ADMIN else "an agent"
        raise Problem(403, f"This needs {who}'s rights; {principal.name} has those of {principal.role}.")
