"""The tags of the tenant. Agents put them on conversations, by name; administrators name, colour and remove them."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.tags import ChangeTag, NewTag, TagItem
from store.tags import NameTaken, TagRow, change_tag, list_tags, make_tag, remove_tag


async def list_all(call: Call[Empty, None]) -> PageOf[TagItem]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await list_tags(connection, call.who.tenant_id)
    return PageOf[TagItem](items=[_shown(row) for row in rows])


async def make(call: Call[Empty, NewTag]) -> TagItem:
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            made = await make_tag(connection, call.who.viewer, name=call.body.name, color=call.body.color)
    except NameTaken:
        raise _taken() from None
    return _shown(made)


async def change(call: Call[Empty, ChangeTag]) -> TagItem:
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            changed = await change_tag(
                connection, call.who.viewer, call.id("tag_id"), name=call.body.name, color=call.body.color
            )
    except NameTaken:
        raise _taken() from None
    if changed is None:
        raise not_found()
    return _shown(changed)


async def remove(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        if not await remove_tag(connection, call.who.viewer, call.id("tag_id")):
            raise not_found()


def _taken() -> Problem:
    return not_valid(FieldError("name", "is another tag's; choose a name that is not taken"))


def _shown(row: TagRow) -> TagItem:
    return TagItem(id=str(row.id), name=row.name, color=row.color)


ENDPOINTS = (
    Endpoint("GET", "/v1/tags", list_all, Access.VIEWER, "Every tag, by name", response=PageOf[TagItem]),
    Endpoint("POST", "/v1/tags", make, Access.ADMIN, "Make a tag", response=TagItem, status=201, body=NewTag),
    Endpoint("PATCH", "/v1/tags/{tag_id}", change, Access.ADMIN, "Rename or recolour a tag", response=TagItem, body=ChangeTag),
    Endpoint("DELETE", "/v1/tags/{tag_id}", remove, Access.ADMIN, "Remove a tag everywhere", status=204),
)
