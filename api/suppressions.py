"""Addresses that get no mail from us: look at them, and lift one that can be reached again. For administrators."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_valid
from api.schemas.base import PageOf, PageQuery
from api.schemas.suppressions import LiftSuppression, Suppression
from store.suppression import Suppressed, lift, list_suppressed


async def list_all(call: Call[PageQuery, None]) -> PageOf[Suppression]:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        page = await list_suppressed(connection, tenant_id, now=call.now(), after=call.query.after, limit=call.query.limit)
    return PageOf[Suppression](items=[_shown(row) for row in page.items], next=page.next)


async def lift_one(call: Call[Empty, LiftSuppression]) -> None:
    """Twice is 422 the second time. The next bounce or complaint puts the address back."""
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        if not await lift(connection, tenant_id, call.body.address):
            raise not_valid(FieldError("address", "is not on the list; look at GET /v1/suppressions for its spelling"))


def _shown(row: Suppressed) -> Suppression:
    return Suppression.model_validate(
        {
            "address": row.address,
            "reason": row.reason,
            "message_id": str(row.message_id) if row.message_id else None,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        }
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/suppressions",
        list_all,
        Access.ADMIN,
        "Addresses that get no mail",
        response=PageOf[Suppression],
        query=PageQuery,
    ),
    Endpoint(
        "POST", "/v1/suppressions/lift", lift_one, Access.ADMIN, "Take an address off the list", status=204, body=LiftSuppression
    ),
)
