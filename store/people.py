"""Tenants and the people who work in them."""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Tenant, User
from store.addresses import address_key


class AddressTaken(Exception):
    """Somebody of this installation signs in with this address already."""


@dataclass(frozen=True, slots=True)
class Person:
    id: uuid.UUID
    email: str
    name: str
    role: str


async def create_tenant(connection: AsyncConnection, *, name: str, slug: str) -> uuid.UUID:
    """The tenant's id; the one that stands when the slug is taken, so running it twice makes one. As the system."""
    await connection.execute(
        upsert(Tenant).values(name=name, slug=slug).on_conflict_do_nothing(index_elements=["slug"])
    )
    found: uuid.UUID = (await connection.execute(select(Tenant.id).where(Tenant.slug == slug))).scalar_one()
    return found


async def add_person(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    email: str,
    name: str,
    role: str,
    password_hash: str | None,
) -> Person:
    """A new person. Raises AddressTaken; a second run with the same address raises it too and changes nothing."""
    made = await connection.execute(
        upsert(User)
        .values(
            tenant_id=tenant_id,
            email=email,
            email_key=address_key(email),
            name=name,
            role=role,
            password_hash=password_hash,
        )
        .on_conflict_do_nothing(index_elements=["email_key"])
        .returning(User.id)
    )
    row = made.scalar_one_or_none()
    if row is None:
        raise AddressTaken
    return Person(row, email, name, role)


async def list_people(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[Person]:
    """Everybody who still works here, by name."""
    rows = await connection.execute(
        select(User.id, User.email, User.name, User.role)
        .where(User.tenant_id == tenant_id, User.deleted_at.is_(None))
        .order_by(User.name, User.id)
        .limit(1000)
    )
    return [Person(r.id, r.email, r.name, r.role) for r in rows]


async def exists_person(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> bool:
    found = await connection.execute(
        select(User.id).where(User.tenant_id == tenant_id, User.id == user_id, User.deleted_at.is_(None))
    )
    return found.first() is not None
