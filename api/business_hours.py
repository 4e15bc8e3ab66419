"""Business hours: keep them, and see what a change would move before it is made. For administrators; everybody may read them."""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageQuery
from api.schemas.sla import ChangeHours, Country, Hours, HoursList, NewHours, Preview
from api.sla_preview import preview
from rules.business_hours import BadPlan, countries
from rules.sla_policy import read_hours
from store.sla_recounts import begin_recount
from store.sla_settings import HoursInUse, list_hours, list_policies, remove_hours, save_hours

FIELDS = ("name", "time_zone", "week", "country", "subdivision", "dates", "is_default")


async def list_business_hours(call: Call[Empty, None]) -> HoursList:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        rows = await list_hours(connection, tenant_id)
        policies = await list_policies(connection, tenant_id)
    known = [Country(code=code, subdivisions=list(parts)) for code, parts in sorted(countries().items())]
    return HoursList(items=[_shown(r, policies) for r in rows], countries=known)


async def add_hours(call: Call[Empty, NewHours]) -> Hours:
    return await _save(call, _checked(_plain(call.body)), None)


async def change_hours(call: Call[Empty, ChangeHours]) -> Hours:
    """Conversations are worked out again behind it; twice is once more. Dying after the commit leaves that to the sweep."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _found(connection, call)
    return await _save(call, _checked(row | _plain(call.body, given=True)), row["id"])


async def remove_business_hours(call: Call[Empty, None]) -> None:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await _found(connection, call)
        try:
            await remove_hours(connection, who.tenant_id, call.id("hours_id"), actor=who.viewer.actor)
        except HoursInUse as used:
            named = ", ".join(used.names)
            raise Problem(409, f"Policies count by these hours; give them others first: {named}.", name="hours-in-use") from None


async def preview_hours(call: Call[PageQuery, ChangeHours]) -> Preview:
    """What the change would move. Nothing is written."""
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        row = _checked(await _found(connection, call) | _plain(call.body, given=True))
        hours = [row if h["id"] == row["id"] else h for h in await list_hours(connection, tenant_id)]
        policies = await list_policies(connection, tenant_id)
    return await preview(call, policies, hours)


async def _save(call: Call[Any, Any], row: dict[str, Any], row_id: uuid.UUID | None) -> Hours:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        saved = await save_hours(connection, who.tenant_id, row | {"id": row_id}, actor=who.viewer.actor)
        if row_id is not None:
            await begin_recount(connection, who.tenant_id, why=f"hours “{row['name']}”", actor=who.viewer.actor)
        policies = await list_policies(connection, who.tenant_id)
        made = next(r for r in await list_hours(connection, who.tenant_id) if r["id"] == saved)
    if row_id is not None:
        await call.deps.gateway.poke_sla(str(who.tenant_id))
    return _shown(made, policies)


async def _found(connection: AsyncConnection, call: Call[Any, Any]) -> dict[str, Any]:
    wanted = call.id("hours_id")
    row = next((r for r in await list_hours(connection, call.who.tenant_id) if r["id"] == wanted), None)
    if row is None:
        raise not_found()
    return row


def _plain(body: NewHours | ChangeHours, *, given: bool = False) -> dict[str, Any]:
    """As it is stored: what was sent, or all of it."""
    return body.model_dump(mode="json", include=body.model_fields_set if given else set(FIELDS))


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    try:
        read_hours(row)
    except BadPlan as wrong:
        raise not_valid(FieldError(wrong.field, str(wrong))) from None
    return row


def _shown(row: dict[str, Any], policies: list[dict[str, Any]]) -> Hours:
    return Hours.model_validate(
        {n: row[n] for n in (*FIELDS, "created_at", "updated_at")}
        | {"id": str(row["id"]), "policies": [p["name"] for p in policies if p["business_hours_id"] == row["id"]]}
    )


AT = "/v1/business-hours/{hours_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/business-hours", list_business_hours, Access.VIEWER, "Business hours", response=HoursList),
    Endpoint(
        "POST", "/v1/business-hours", add_hours, Access.ADMIN, "Add business hours", response=Hours, status=201, body=NewHours
    ),
    Endpoint("PATCH", AT, change_hours, Access.ADMIN, "Change business hours", response=Hours, body=ChangeHours),
    Endpoint(
        "DELETE", AT, remove_business_hours, Access.ADMIN, "Remove business hours", status=204, conflicts=("hours-in-use",)
    ),
    Endpoint(
        "POST",
        f"{AT}/preview",
        preview_hours,
        Access.ADMIN,
        "What a change of business hours would move",
        response=Preview,
        query=PageQuery,
        body=ChangeHours,
    ),
)
