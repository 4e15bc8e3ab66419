"""Every tenant's table is closed by forced row-level security; a second tenant sees and writes nothing of the first."""

import ast
import subprocess
import uuid
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from models import Base
from store.unit_of_work import Database

ROOT = Path(__file__).parents[2]
WITHOUT_TENANT = {"login_attempts", "event_cursors", "restores", "ses_receipts", "sns_notices"}

# The few jobs that work over all tenants, and why. Adding one is a decision: give its reason here.
CROSS_TENANT = {
    "api/stream.py": "one reader of the event log serves all tenants' streams",
    "api/metrics.py": "operators' figures count over all tenants",
    "api/auth.py": "a session or key names its tenant only once it is found",
    "api/session.py": "sign-in knows an address, not yet a tenant",
    "api/invitations.py": "a link by which somebody sets a password names no tenant until it is found",
    "api/me.py": "guesses at a password are counted with those at the door, over all tenants",
    "api/ses_webhook.py": "a message of SNS names no tenant until the mail is found that it tells of",
    "api/push_webhooks.py": "an announcement names a mailbox or a subscription, not a tenant; it gets ids only",
    "activities/ses_notices.py": "the same, for those that the webhook left waiting",
    "activities/ses_source.py": "which mails of the shared bucket are an inbox's stands in rows without tenant; it asks for one inbox",
    "activities/ses_spool.py": "a mail in the shared bucket names no tenant until its recipients are looked up",
    "activities/agents_absent.py": "once a minute people whom nobody has seen are offline, in every tenant",
    "activities/retention.py": "asks for the ids of the next tenants; their policies are worked through one tenant at a time",
    "activities/sweep.py": "finds what a crash left behind anywhere",
    "commands/backup.py": "a restored database is made safe whole, before anybody works with it",
    "commands/doctor.py": "asks whether the ring opens the rows of every tenant",
    "commands/events.py": "a month of the event log is all tenants' and goes when the desk of each has read it",
    "commands/keys.py": "a key seals rows of every tenant, so moving to another one goes through all of them",
    "worker.py": "looks before its first step whether the rows were restored",
    "commands/first_people.py": "makes a tenant before there is one",
}


def tenant_tables() -> set[str]:
    return {t.name for t in Base.metadata.tables.values() if "tenant_id" in t.columns} | {"tenants"}


async def test_every_tenant_table_has_forced_row_level_security(database) -> None:
    engine = create_engine(database.admin_url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("select relname, relrowsecurity, relforcerowsecurity from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')")
        ).all()
        policies = {r[0] for r in connection.execute(text("select tablename from pg_policies where policyname = 'own_tenant'"))}
    engine.dispose()
    secured = {r.relname for r in rows if r.relrowsecurity and r.relforcerowsecurity}
    assert tenant_tables() <= secured, tenant_tables() - secured
    assert tenant_tables() <= policies, tenant_tables() - policies
    known = {r.relname for r in rows if not r.relname.startswith("events_")} - {"alembic_version"}
    assert known == tenant_tables() | WITHOUT_TENANT, "a table without tenants needs a reason"


def test_every_row_is_held_by_its_tenant() -> None:
    """By a key to the tenant, or by one to a parent that is never missing and is held itself. Events go by partition."""
    tables = {name: Base.metadata.tables[name] for name in tenant_tables() - {"tenants", "events"}}
    held = {"tenants"}
    while True:
        more = {
            name
            for name, table in tables.items()
            for key in table.foreign_key_constraints
            if key.referred_table.name in held and not any(column.nullable for column in key.columns)
        } - held
        if not more:
            break
        held |= more
    assert tables.keys() - held == set()


async def test_the_app_role_owns_nothing(database) -> None:
    engine = create_engine(database.admin_url)
    with engine.connect() as connection:
        owned = connection.execute(text("select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname like 'mailroom_%'")).scalar_one()
        roles = connection.execute(text("select rolname, rolsuper, rolbypassrls, rolinherit from pg_roles where rolname in ('mailroom_app', 'mailroom_system')")).all()
    engine.dispose()
    assert owned == 0
    assert {r.rolname for r in roles} == {"mailroom_app", "mailroom_system"}
    assert not any(r.rolsuper or r.rolbypassrls for r in roles)
    assert not next(r for r in roles if r.rolname == "mailroom_app").rolinherit, "it would see all tenants without asking"


@pytest.fixture
async def two_tenants(database):
    """A database in which tenant one owns an inbox; gives (database, tenant one, tenant two, the inbox)."""
    house = Database(database.url, pool_size=2)
    one, two, inbox = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    async with house.system_unit_of_work() as connection:
        for tenant, slug in ((one, "one"), (two, "two")):
            await connection.execute(text("insert into tenants (id, name, slug) values (:id, :slug, :slug)"), {"id": tenant, "slug": f"{slug}-{tenant}"})
    async with house.unit_of_work(one) as connection:
        await connection.execute(text("insert into inboxes (tenant_id, id, name, email_address) values (:t, :i, 'a', 'a@example.com')"), {"t": one, "i": inbox})
    yield house, one, two, inbox
    await house.close()


async def test_the_second_tenant_sees_nothing(two_tenants) -> None:
    house, one, two, _ = two_tenants
    async with house.unit_of_work(one) as connection:
        assert (await connection.execute(text("select count(*) from inboxes"))).scalar_one() == 1
    async with house.unit_of_work(two) as connection:
        for table in sorted(tenant_tables() - {"tenants"}):
            assert (await connection.execute(text(f"select count(*) from {table}"))).scalar_one() == 0, table
        assert (await connection.execute(text("select array_agg(id) from tenants"))).scalar_one() == [two]
        assert (await connection.execute(text("update inboxes set name = 'stolen'"))).rowcount == 0
        assert (await connection.execute(text("delete from inboxes"))).rowcount == 0


async def test_the_second_tenant_cannot_write_into_the_first(two_tenants) -> None:
    house, one, two, _ = two_tenants
    with pytest.raises(DBAPIError, match="row-level security"):
        async with house.unit_of_work(two) as connection:
            await connection.execute(text("insert into tags (tenant_id, name) values (:t, 'x')"), {"t": one})


async def test_a_row_of_the_second_tenant_cannot_point_into_the_first(two_tenants) -> None:
    """Foreign keys bypass row-level security; composite keys make a foreign id a missing one (integrity X-44)."""
    house, _, two, inbox = two_tenants
    with pytest.raises(DBAPIError, match="foreign key"):
        async with house.unit_of_work(two) as connection:
            await connection.execute(text("insert into folders (tenant_id, inbox_id, name, path) values (:t, :i, 'x', 'x')"), {"t": two, "i": inbox})


async def test_without_a_tenant_nothing_is_visible(two_tenants) -> None:
    house, *_ = two_tenants
    async with house._engine.begin() as connection:
        assert (await connection.execute(text("select count(*) from inboxes"))).scalar_one() == 0


async def test_the_tenant_does_not_leak_through_the_pool(two_tenants) -> None:
    house, one, *_ = two_tenants
    async with house.unit_of_work(one) as connection:
        await connection.execute(text("select 1"))
    for _ in range(4):
        async with house._engine.begin() as connection:
            assert (await connection.execute(text("select current_setting('app.tenant', true)"))).scalar_one() in {None, ""}
            assert (await connection.execute(text("select current_user"))).scalar_one() == "mailroom_app"


async def test_history_cannot_be_edited(two_tenants) -> None:
    house, one, *_ = two_tenants
    for statement in ("update events set type = 'x'", "delete from events"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with house.unit_of_work(one) as connection:
                await connection.execute(text(statement))


def test_only_the_listed_jobs_work_over_all_tenants() -> None:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    callers = set()
    for path in listed:
        if path.split("/")[0] in {"tests", "benchmarks"} or not (ROOT / path).exists():
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"system_unit_of_work", "read_as_system"}:
                callers.add(path)
    assert callers == set(CROSS_TENANT)
