"""Saved views: personal ones and those of the team."""

from typing import Any

from api.auth import Access, Principal
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.views import AddView, ChangeView, Filling, Preview, PreviewView, View, Views
from store.view_conditions import BadConditions, Group, read_conditions
from store.view_preview import count_matches
from store.views import (
    MOST_VIEWS,
    NotYours,
    TooManyViews,
    ViewRow,
    add_view,
    change_view,
    delete_view,
    list_views,
)


def _manages(who: Principal) -> bool:
    return who.access >= Access.ADMIN


def _tree(tree: dict[str, Any]) -> Group:
    try:
        return read_conditions(tree)
    except BadConditions as wrong:
        raise not_valid(FieldError(wrong.place, wrong.remedy)) from None


def _not_yours() -> Problem:
    return Problem(403, "This view was made by somebody else for the team; who made it or an administrator changes it.")


async def list_all(call: Call[Empty, None]) -> Views:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await list_views(connection, call.who.viewer)
    return Views(items=[_shown(v, call.who) for v in found])


async def add(call: Call[Empty, AddView]) -> View:
    """Dying after the row is written leaves its event to the desk, which fills the view."""
    who, given = call.who, call.body.model_dump()
    if who.user_id is None and not call.body.shared:
        raise not_valid(FieldError("shared", "is true for a view that a key makes: a key is nobody to own one"))
    conditions = _tree(given.pop("conditions"))
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            made = await add_view(connection, who.viewer, given, conditions)
    except TooManyViews:
        raise Problem(409, f"There are {MOST_VIEWS} views already. Delete some that nobody uses.", name="too-many-views") from None
    return _shown(made, who)


async def change(call: Call[Empty, ChangeView]) -> View:
    who = call.who
    changes: dict[str, Any] = {n: getattr(call.body, n) for n in call.body.model_fields_set}
    if "conditions" in changes:
        changes["conditions"] = _tree(changes["conditions"])
    if who.user_id is None and changes.get("shared") is False:
        raise not_valid(FieldError("shared", "is true for a view that a key changes: a key is nobody to own one"))
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            changed = await change_view(connection, who.viewer, call.id("view_id"), changes, manages=_manages(who))
    except NotYours:
        raise _not_yours() from None
    if changed is None:
        raise not_found()
    return _shown(changed, who)


async def delete(call: Call[Empty, None]) -> None:
    who = call.who
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            known = await delete_view(connection, who.viewer, call.id("view_id"), manages=_manages(who))
    except NotYours:
        raise _not_yours() from None
    if not known:
        raise not_found()


async def preview(call: Call[Empty, PreviewView]) -> Preview:
    """How many conversations the conditions hold for now, counted as far as is quick: nothing is kept."""
    call.deps.limits.search(call.who.caller)
    conditions = _tree(call.body.conditions)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await count_matches(connection, call.who.viewer, conditions)
    return Preview(count=found.count, capped=found.capped)


def _shown(row: ViewRow, who: Principal) -> View:
    mine = who.user_id is not None and row.owner_id == who.user_id
    fresh = row.filled_revision == row.revision
    return View(
        id=str(row.id),
        name=row.name,
        icon=row.icon,
        color=row.color,
        shared=row.shared,
        mine=mine,
        may_change=mine or _manages(who),
        position=row.position,
        sort=row.sort,  # type: ignore[arg-type]
        conditions=row.conditions.as_json(),
        personal=row.conditions.personal,
        filling=None if row.ready else Filling(done=row.filled_to if fresh else 0, total=row.to_fill if fresh else 0),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


ENDPOINTS = (
    Endpoint("GET", "/v1/views", list_all, Access.VIEWER, "Saved views, in their order", response=Views),
    Endpoint("POST", "/v1/views", add, Access.AGENT, "Save a view", status=201, response=View, body=AddView, conflicts=("too-many-views",)),
    Endpoint("POST", "/v1/views/preview", preview, Access.AGENT, "How many conversations conditions hold for", response=Preview, body=PreviewView),
    Endpoint("PATCH", "/v1/views/{view_id}", change, Access.AGENT, "Change a view", response=View, body=ChangeView),
    Endpoint("DELETE", "/v1/views/{view_id}", delete, Access.AGENT, "Delete a view", status=204),
)
