"""Following a conversation: oneself, or a colleague who may see it. Who is assigned or mentioned follows without this."""

import uuid

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.conversation_life import Follower, Followers
from store.followers import FollowerRow, follow, followers_of, unfollow
from store.notes import visible_place
from store.who_sees import who_sees


async def add(call: Call[Empty, None]) -> Followers:
    viewer, conversation_id, person = call.who.viewer, call.id("conversation_id"), _person(call)
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        inbox_id = await visible_place(connection, viewer, conversation_id)
        if inbox_id is None:
            raise not_found()
        sees = await who_sees(connection, viewer.tenant_id, inbox_id, [person])
        if person not in sees:
            raise not_found()
        if not sees[person]:
            raise not_valid(FieldError("user_id", "may not see this inbox; make them a member of it first"))
        await follow(connection, viewer, conversation_id, inbox_id, person)
        rows = await followers_of(connection, viewer.tenant_id, conversation_id)
    return shown(rows)


async def remove(call: Call[Empty, None]) -> Followers:
    viewer, conversation_id, person = call.who.viewer, call.id("conversation_id"), _person(call)
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        inbox_id = await visible_place(connection, viewer, conversation_id)
        if inbox_id is None:
            raise not_found()
        if person != viewer.user_id and call.who.access < Access.ADMIN:
            raise Problem(403, "Everybody stops following for themselves; only an administrator takes others off.")
        await unfollow(connection, viewer, conversation_id, inbox_id, person)
        rows = await followers_of(connection, viewer.tenant_id, conversation_id)
    return shown(rows)


def shown(rows: list[FollowerRow]) -> Followers:
    return Followers(items=[Follower.model_validate({"id": str(r.id), "name": r.name, "reason": r.reason}) for r in rows])


def _person(call: Call[Empty, None]) -> uuid.UUID:
    if call.request.path_params["user_id"] != "me":
        return call.id("user_id")
    if call.who.user_id is None:
        raise not_valid(FieldError("user_id", "`me` is a person; a key gives an id"))
    return call.who.user_id


OF = "/v1/conversations/{conversation_id}/followers/{user_id}"
ENDPOINTS = (
    Endpoint("PUT", OF, add, Access.AGENT, "Follow a conversation, or let a colleague follow it", response=Followers),
    Endpoint("DELETE", OF, remove, Access.AGENT, "Follow it no longer", response=Followers),
)
