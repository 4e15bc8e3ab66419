"""Claims to a domain, the addresses in it, and who may hold it."""

import uuid
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from store.domain_inboxes import (
    AddressTaken,
    CatchallTaken,
    NotOfDomain,
    inbox_for_address,
    inboxes_in_domains,
    join_domain,
    leave_domain,
)
from store.domains import (
    DomainExists,
    DomainInUse,
    add_domain,
    get_domain,
    list_domains,
    remove_domain,
    set_ses_identity,
)
from store.people import create_tenant
from store.unit_of_work import Database
from store.visibility import Viewer


@dataclass(slots=True)
class Claimant:
    """A tenant with short ways to its domains and inboxes."""

    house: Database
    viewer: Viewer

    def work(self):
        return self.house.unit_of_work(self.viewer.tenant_id)

    async def claims(self, name: str) -> uuid.UUID:
        async with self.work() as connection:
            return await add_domain(connection, self.viewer, name, {})

    async def holds(self, domain_id: uuid.UUID) -> None:
        async with self.work() as connection:
            await connection.execute(text("update domains set verified_at = now() where id = :id"), {"id": domain_id})

    async def inbox(self, address: str, provider: str = "ses") -> uuid.UUID:
        async with self.work() as connection:
            made = await connection.execute(
                text("insert into inboxes (tenant_id, name, email_address, provider) values (:t, :a, :a, :p) returning id"),
                {"t": self.viewer.tenant_id, "a": address, "p": provider},
            )
            return made.scalar_one()

    async def joins(self, inbox_id: uuid.UUID, domain_id: uuid.UUID, *, is_catchall: bool = False) -> bool:
        async with self.work() as connection:
            return await join_domain(connection, self.viewer, inbox_id, domain_id, is_catchall=is_catchall)


@pytest.fixture
async def house(module_database):
    made = Database(module_database.url, pool_size=2)
    yield made
    await made.close()


@pytest.fixture
async def two(house) -> tuple[Claimant, Claimant]:
    async with house.system_unit_of_work() as connection:
        made = [await create_tenant(connection, name="T", slug=uuid.uuid4().hex) for _ in range(2)]
    first, second = (Claimant(house, Viewer(tenant, None, True)) for tenant in made)
    return first, second


def fresh() -> str:
    return f"d{uuid.uuid4().hex[:12]}.example.org"


async def addressed(house: Database, address: str):
    async with house.system_unit_of_work() as connection:
        return await inbox_for_address(connection, address)


async def test_a_claim_is_made_once_and_again_after_it_was_given_up(two) -> None:
    one, _ = two
    name = fresh()
    domain_id = await one.claims(name)
    with pytest.raises(DomainExists):
        await one.claims(name)
    async with one.work() as connection:
        row = await get_domain(connection, one.viewer.tenant_id, domain_id)
        assert row is not None
        assert not row.held
        assert len(row.challenge) == 40
        await set_ses_identity(connection, one.viewer.tenant_id, domain_id, dkim_tokens=["a", "b"], verified=True)
        await remove_domain(connection, one.viewer, domain_id)
        assert await get_domain(connection, one.viewer.tenant_id, domain_id) is None
    again = await one.claims(name)
    async with one.work() as connection:
        rows = await list_domains(connection, one.viewer.tenant_id)
    assert [r.id for r in rows] == [again]
    assert rows[0].challenge != row.challenge


async def test_two_tenants_may_claim_and_one_may_hold(two) -> None:
    one, other = two
    name = fresh()
    mine, theirs = await one.claims(name), await other.claims(name)
    await other.holds(theirs)
    with pytest.raises(Exception, match="uq_domains_holder"):
        await one.holds(mine)
    async with one.work() as connection:
        assert await get_domain(connection, one.viewer.tenant_id, theirs) is None, "a foreign claim is not seen"


async def test_mail_goes_to_the_holder_by_local_part_tag_and_catchall(two, house) -> None:
    one, other = two
    name = fresh()
    mine, theirs = await one.claims(name), await other.claims(name)
    support, rest = await one.inbox(f"Support@{name}"), await one.inbox(f"rest@{name}")
    foreign = await other.inbox(f"support@{name}")
    await one.joins(support, mine)
    await one.joins(rest, mine, is_catchall=True)
    await other.joins(foreign, theirs, is_catchall=True)
    assert await addressed(house, f"support@{name}") is None, "nobody holds it yet"
    await one.holds(mine)
    for address in (f"support@{name}", f"SUPPORT@{name.upper()}.", f"support+vip@{name}"):
        found = await addressed(house, address)
        assert found is not None, address
        assert (found.inbox_id, found.caught) == (support, False), address
    found = await addressed(house, f"anybody@{name}")
    assert found is not None
    assert (found.tenant_id, found.inbox_id, found.caught) == (one.viewer.tenant_id, rest, True)
    for address in ("", "support", f"@{name}", "support@", "support@elsewhere.example.org"):
        assert await addressed(house, address) is None


async def test_one_catchall_and_unique_local_parts(two) -> None:
    one, _ = two
    name = fresh()
    domain_id = await one.claims(name)
    first, second = await one.inbox(f"first@{name}"), await one.inbox(f"FIRST@{name}")
    third, elsewhere = await one.inbox(f"third@{name}"), await one.inbox("third@elsewhere.example.org")
    assert await one.joins(first, domain_id, is_catchall=True)
    assert await one.joins(first, domain_id, is_catchall=True), "twice is once"
    with pytest.raises(AddressTaken):
        await one.joins(second, domain_id)
    with pytest.raises(CatchallTaken):
        await one.joins(third, domain_id, is_catchall=True)
    with pytest.raises(NotOfDomain):
        await one.joins(elsewhere, domain_id)
    assert not await one.joins(third, uuid.uuid4())
    async with one.work() as connection:
        with pytest.raises(DomainInUse):
            await remove_domain(connection, one.viewer, domain_id)
        assert [i.id for i in await inboxes_in_domains(connection, one.viewer)] == [first]
        assert await leave_domain(connection, one.viewer, first, domain_id)
        assert not await leave_domain(connection, one.viewer, first, domain_id)
        await remove_domain(connection, one.viewer, domain_id)


async def test_an_inbox_joins_no_foreign_domain(two) -> None:
    one, other = two
    name = fresh()
    theirs = await other.claims(name)
    inbox = await one.inbox(f"a@{name}")
    assert not await one.joins(inbox, theirs)
    with pytest.raises(Exception, match="fk_inboxes_tenant_id_domain_id"):
        async with one.work() as connection:
            await connection.execute(
                text("update inboxes set domain_id = :d, local_part = 'a' where id = :i"), {"d": theirs, "i": inbox}
            )
