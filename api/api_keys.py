"""Keys of programs: made, listed, revoked by administrators. A key is shown once."""

from typing import Any

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import not_found, not_signed_in
from api.schemas.base import PageOf
from api.schemas.people import ApiKey, MadeApiKey, NewApiKey
from store.api_keys import KeyRow, MakerGone, list_keys, make_key, revoke_key
from store.people_changes import tell


async def list_api_keys(call: Call[Empty, None]) -> PageOf[ApiKey]:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        rows = await list_keys(connection, who.tenant_id)
    return PageOf[ApiKey](items=[ApiKey.model_validate(_shape(r)) for r in rows])


async def add_api_key(call: Call[Empty, NewApiKey]) -> MadeApiKey:
    who = call.who
    scopes = tuple(dict.fromkeys(call.body.scopes))
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            row, key = await make_key(
                connection, who.tenant_id, name=call.body.name.strip(), scopes=scopes, created_by=who.user_id
            )
        except MakerGone:
            raise not_signed_in() from None
        await tell(connection, who.viewer, "api_key.created", {"key_id": str(row.id), "scopes": list(scopes)})
    return MadeApiKey.model_validate({**_shape(row), "key": key})


async def revoke_api_key(call: Call[Empty, None]) -> None:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if not await revoke_key(connection, who.tenant_id, call.id("key_id")):
            raise not_found()
        await tell(connection, who.viewer, "api_key.revoked", {"key_id": str(call.id("key_id"))})


def _shape(row: KeyRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": f"mr_{row.prefix}",
        "scopes": list(row.scopes),
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
    }


ENDPOINTS = (
    Endpoint("GET", "/v1/api-keys", list_api_keys, Access.ADMIN, "Keys in use", response=PageOf[ApiKey]),
    Endpoint(
        "POST",
        "/v1/api-keys",
        add_api_key,
        Access.ADMIN,
        "Make a key",
        response=MadeApiKey,
        status=201,
        body=NewApiKey,
    ),
    Endpoint("DELETE", "/v1/api-keys/{key_id}", revoke_api_key, Access.ADMIN, "Revoke a key", status=204),
)
