"""Saying that one looks at a conversation or writes in it; the answer names the others who do. Nothing of it is kept."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_found, not_valid
from api.schemas.conversation_life import Present, PresentPeople, ShowPresence
from store.notes import visible_place
from store.presence import Presence, announce


async def show(call: Call[Empty, ShowPresence]) -> PresentPeople:
    """Dying anywhere leaves what was said before to be forgotten; twice is once."""
    who, conversation_id, body = call.who, call.id("conversation_id"), call.body
    if who.user_id is None:
        raise not_valid(FieldError("Authorization", "is a key's; only people are present"))
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        inbox_id = await visible_place(connection, who.viewer, conversation_id)
        if inbox_id is None:
            raise not_found()
        said = Presence(who.tenant_id, inbox_id, conversation_id, who.user_id, who.name, body.state, body.tab)
        await announce(connection, said)
    others = [p for p in call.deps.streams.presence.at(who.tenant_id, conversation_id) if p.user_id != who.user_id]
    return PresentPeople(
        items=[Present.model_validate({"id": str(p.user_id), "name": p.name, "state": p.state}) for p in others]
    )


ENDPOINTS = (
    Endpoint(
        "PUT",
        "/v1/conversations/{conversation_id}/presence",
        show,
        Access.VIEWER,
        "Say that one looks at it, or writes",
        response=PresentPeople,
        body=ShowPresence,
    ),
)
