"""Tenants and the people who work in them: who they are, how much each has, and adding one."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Tenant, User
from store.addresses import address_key

MOST_PEOPLE = 1000
PROFILES = text(
    """
    select u.id, u.email, u.name, u.role, u.status, u.capacity, u.skills, u.languages, u.seniority, u.offline_since,
      coalesce(l.load, 0) as load,
      array(select m.team_id from team_members m where m.tenant_id = u.tenant_id and m.user_id = u.id order by m.team_id) as teams,
      u.password_hash is null as invited
    from users u left join (
      select c.assigned_to, count(*) as load from conversations c
      where c.tenant_id = :tenant and c.assigned_to is not null and c.status = 'open' and c.merged_into is null
        and c.deleted_at is null
      group by c.assigned_to) l on l.assigned_to = u.id
    where u.tenant_id = :tenant and u.deleted_at is null and (cast(:id as uuid) is null or u.id = :id)
    order by u.name, u.id limit :most
    """
)


class AddressTaken(Exception):
    """Somebody of this installation signs in with this address already."""


@dataclass(frozen=True, slots=True)
class Person:
    id: uuid.UUID
    email: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Somebody with what assignment looks at. `load`: their open conversations. `invited`: has no password yet."""

    id: uuid.UUID
    email: str
    name: str
    role: str
    status: str
    capacity: int
    skills: Sequence[str]
    languages: Sequence[str]
    seniority: int
    offline_since: dt.datetime | None
    load: int
    teams: Sequence[uuid.UUID]
    invited: bool


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
        .limit(MOST_PEOPLE)
    )
    return [Person(r.id, r.email, r.name, r.role) for r in rows]


async def list_profiles(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[Profile]:
    """The same people with status, load and teams."""
    rows = await connection.execute(PROFILES, {"tenant": tenant_id, "id": None, "most": MOST_PEOPLE})
    return [Profile(*r) for r in rows]


async def get_profile(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> Profile | None:
    row = (await connection.execute(PROFILES, {"tenant": tenant_id, "id": user_id, "most": 1})).first()
    return Profile(*row) if row is not None else None


async def exists_person(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> bool:
    found = await connection.execute(
        select(User.id).where(User.tenant_id == tenant_id, User.id == user_id, User.deleted_at.is_(None))
    )
    return found.first() is not None
