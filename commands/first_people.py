"""The first tenant, its owner and a key for scripts: what must stand before anybody can sign in.

A second run finds the tenant and the owner and makes only what is missing. A password is never read back: whoever loses
it gets a new one with `mailroom user add --reset`.
"""

import secrets
import uuid
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.passwords import Passwords
from models import Tenant, User
from store.addresses import address_key
from store.api_keys import list_keys, make_key, revoke_key
from store.people import AddressTaken, add_person, create_tenant
from store.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class FirstPeople:
    tenant_id: uuid.UUID
    made_owner: bool


async def ensure_first_people(
    database: Database, *, tenant: str, slug: str, email: str, name: str, password: str
) -> FirstPeople:
    """The tenant called `slug` with an owner who signs in with `email` and `password`."""
    tenant_id = await make_tenant(database, name=tenant, slug=slug)
    made = await add_user(database, tenant_id, email=email, name=name, role="owner", password=password)
    return FirstPeople(tenant_id, made)


async def make_tenant(database: Database, *, name: str, slug: str) -> uuid.UUID:
    """The tenant's id, whether it was made now or before."""
    async with database.system_unit_of_work() as connection:
        return await create_tenant(connection, name=name, slug=slug)


async def add_user(
    database: Database,
    tenant_id: uuid.UUID,
    *,
    email: str,
    name: str,
    role: str,
    password: str,
    reset: bool = False,
) -> bool:
    """True when made. A known address is left alone, or, with `reset`, gets this password."""
    passwords = Passwords()
    try:
        hashed = await passwords.hash(password)
    finally:
        passwords.close()
    try:
        async with database.unit_of_work(tenant_id) as connection:
            await add_person(connection, tenant_id, email=email, name=name, role=role, password_hash=hashed)
    except AddressTaken:
        if reset:
            async with database.unit_of_work(tenant_id) as connection:
                await _set_password(connection, email, hashed)
        return False
    return True


async def fresh_key(database: Database, tenant_id: uuid.UUID, *, name: str) -> str:
    """A key with every scope, for scripts on this machine. Each start of the stack makes one and revokes the one before."""
    async with database.unit_of_work(tenant_id) as connection:
        for row in await list_keys(connection, tenant_id):
            if row.name == name:
                await revoke_key(connection, tenant_id, row.id)
        _, key = await make_key(
            connection, tenant_id, name=name, scopes=("read", "write", "admin"), created_by=None
        )
    return key


async def tenants(database: Database) -> dict[str, uuid.UUID]:
    """All tenants' slugs and ids."""
    async with database.system_unit_of_work() as connection:
        rows = await connection.execute(select(Tenant.slug, Tenant.id))
        return {row.slug: row.id for row in rows}


def make_password() -> str:
    """A password that a person can copy: 96 random bits."""
    return secrets.token_urlsafe(12)


async def _set_password(connection: AsyncConnection, email: str, hashed: str) -> None:
    await connection.execute(
        update(User).where(User.email_key == address_key(email)).values(password_hash=hashed)
    )
