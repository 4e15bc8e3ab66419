"""A domain's check against a real name server: what is right, what is wrong, what nobody could say, and whose it is."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from activities.domain_check import DomainChecking
from contracts.domains import DomainRef, DomainReport
from providers.dns.lookup import DnsLookup
from providers.errors import Unreachable
from providers.ses.identities import SesIdentity
from store.domains import add_domain, get_domain, remove_domain, set_ses_identity
from store.people import create_tenant
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.servers.dns import DnsServer, dns_server

NOW = dt.datetime(2030, 3, 4, 9, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass
class Office:
    """Two tenants, a name server, and a clock that tests turn."""

    house: Database
    dns: DnsServer
    viewers: tuple[Viewer, Viewer]
    now: dt.datetime = NOW

    def checking(self, **options: Any) -> DomainChecking:
        given = {"mx_hosts": ("in.example.net",), "spf_include": "spf.example.net"} | options
        return DomainChecking(self.house, DnsLookup([self.dns.address], seconds=0.5), clock=lambda: self.now, **given)

    async def claim(self, name: str, who: int = 0) -> tuple[DomainRef, str]:
        viewer = self.viewers[who]
        async with self.house.unit_of_work(viewer.tenant_id) as connection:
            domain_id = await add_domain(connection, viewer, name, {})
            row = await get_domain(connection, viewer.tenant_id, domain_id)
        assert row is not None
        return DomainRef(str(viewer.tenant_id), str(domain_id)), f"mailroom-domain={row.challenge}"

    async def check(self, ref: DomainRef) -> DomainReport:
        return await self.checking().check(ref)

    async def row(self, ref: DomainRef) -> Any:
        async with self.house.unit_of_work(ref.tenant_id) as connection:
            return await get_domain(connection, uuid.UUID(ref.tenant_id), uuid.UUID(ref.domain_id))

    async def told(self, ref: DomainRef) -> int:
        async with self.house.unit_of_work(ref.tenant_id) as connection:
            return (await connection.execute(text("select count(*) from events where type = 'domain.updated'"))).scalar_one()


@pytest.fixture
async def office(module_database):
    house = Database(module_database.url, pool_size=3)
    async with house.system_unit_of_work() as connection:
        made = [await create_tenant(connection, name="T", slug=uuid.uuid4().hex) for _ in range(2)]
    async with dns_server() as server:
        yield Office(house, server, (Viewer(made[0], None, True), Viewer(made[1], None, True)))
    await house.close()


def fresh() -> str:
    return f"d{uuid.uuid4().hex[:12]}.example.org"


def publish(dns: DnsServer, name: str, *challenges: str, tokens: tuple[str, ...] = ()) -> None:
    dns.put(f"_mailroom.{name}", "TXT", *(f'"{c}"' for c in challenges))
    dns.put(name, "MX", "10 in.example.net.")
    dns.put(name, "TXT", '"v=spf1 include:" "spf.example.net -all"')
    dns.put(f"_dmarc.{name}", "TXT", '"v=DMARC1; p=quarantine"')
    for token in tokens:
        dns.put(f"{token}._domainkey.{name}", "CNAME", f"{token}.dkim.amazonses.com.")
        dns.put(f"{token}.dkim.amazonses.com", "TXT", '"v=DKIM1; p=AAAA"')


async def test_all_is_right_and_then_it_is_looked_at_daily(office) -> None:
    name = fresh()
    ref, challenge = await office.claim(name)
    async with office.house.unit_of_work(ref.tenant_id) as connection:
        await set_ses_identity(connection, uuid.UUID(ref.tenant_id), uuid.UUID(ref.domain_id), dkim_tokens=["k1", "k2", "k3"], verified=False)
    publish(office.dns, name, challenge, tokens=("k1", "k2", "k3"))
    assert await office.check(ref) == DomainReport(held=True, records=7, open=0)
    row = await office.row(ref)
    assert (row.verified_at, row.checked_at) == (NOW, NOW)
    assert (row.mx_verified, row.spf_verified, row.dkim_verified, row.dmarc_verified) == (True,) * 4
    assert [r["record"] for r in row.records] == ["ownership", "mx", "spf", "dkim", "dkim", "dkim", "dmarc"]
    assert NOW + DAY <= row.check_due_at <= NOW + 1.25 * DAY
    before = await office.told(ref)
    office.now += DAY
    await office.check(ref)
    assert await office.told(ref) == before, "nothing changed, so nobody is told"


async def test_nothing_is_published(office) -> None:
    ref, _ = await office.claim(fresh())
    assert await office.check(ref) == DomainReport(held=False, records=5, open=5)
    row = await office.row(ref)
    assert {r["record"]: r["status"] for r in row.records} == {
        "ownership": "missing", "mx": "missing", "spf": "missing", "dkim": "waiting", "dmarc": "missing",
    }  # fmt: skip
    assert all(r["problem"] for r in row.records)


async def test_an_include_behind_other_records_is_found(office) -> None:
    name = fresh()
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge)
    office.dns.put(name, "TXT", f'"v=spf1 redirect=_spf.{name}"')
    office.dns.put(f"_spf.{name}", "TXT", f'"v=spf1 include:loop.{name} -all"')
    office.dns.put(f"loop.{name}", "TXT", f'"v=spf1 include:_spf.{name} include:spf.example.net -all"')
    await office.check(ref)
    assert (await office.row(ref)).spf_verified
    office.dns.put(f"loop.{name}", "TXT", f'"v=spf1 include:_spf.{name} -all"')
    await office.check(ref)
    assert not (await office.row(ref)).spf_verified, "a ring of includes ends"


@pytest.mark.parametrize("fault", ["servfail", "silent"])
async def test_when_dns_says_nothing_what_was_known_stands(office, fault) -> None:
    name = fresh()
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge)
    await office.check(ref)
    office.dns.faults = {name: fault, f"_mailroom.{name}": fault, f"_dmarc.{name}": fault}
    office.now += 10 * DAY
    report = await office.checking(seconds=2).check(ref)
    row = await office.row(ref)
    assert report.held
    assert row.missing_since is None
    assert (row.mx_verified, row.spf_verified, row.dmarc_verified) == (True, True, True)
    assert {r["status"] for r in row.records if r["record"] != "dkim"} == {"unknown"}


async def test_a_check_ends_in_time_whatever_dns_does(office) -> None:
    name = fresh()
    ref, _ = await office.claim(name)
    office.dns.faults = dict.fromkeys((name, f"_mailroom.{name}", f"_dmarc.{name}", "_dmarc.example.org"), "silent")
    report = await office.checking(seconds=0.1).check(ref)
    assert report.open == 5


async def test_a_holder_keeps_the_name_for_three_days(office) -> None:
    """Two tenants claim it: the first who shows its challenge holds it, until it has been gone for three days."""
    name = fresh()
    mine, first = await office.claim(name, 0)
    theirs, second = await office.claim(name, 1)
    publish(office.dns, name, first, second)
    assert (await office.check(mine)).held
    assert not (await office.check(theirs)).held
    owned = (await office.row(theirs)).records[0]
    assert owned["status"] == "wrong"
    assert "Another organisation" in owned["problem"]
    publish(office.dns, name, second)
    office.now += DAY
    assert (await office.check(mine)).held, "gone for a moment"
    assert not (await office.check(theirs)).held
    office.now += 3 * DAY
    assert not (await office.check(mine)).held
    assert (await office.check(theirs)).held
    assert (await office.row(theirs)).records[0]["status"] == "ok"
    publish(office.dns, name, first, second)
    assert not (await office.check(mine)).held, "who comes back does not take it back"


async def test_a_challenge_that_returns_in_time_counts_as_never_gone(office) -> None:
    name = fresh()
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge)
    await office.check(ref)
    publish(office.dns, name, "something else")
    office.now += 2 * DAY
    await office.check(ref)
    assert (await office.row(ref)).missing_since == office.now
    publish(office.dns, name, challenge)
    office.now += DAY
    await office.check(ref)
    row = await office.row(ref)
    assert (row.verified_at, row.missing_since) == (NOW, None)


async def test_one_that_comes_late_changes_nothing(office) -> None:
    name = fresh()
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge)
    await office.check(ref)
    office.dns.zone.clear()
    office.now -= dt.timedelta(seconds=5)
    assert (await office.check(ref)).held
    assert (await office.row(ref)).mx_verified


async def test_a_removed_domain_is_not_found_and_free(office) -> None:
    name = fresh()
    mine, first = await office.claim(name, 0)
    theirs, second = await office.claim(name, 1)
    publish(office.dns, name, first, second)
    await office.check(mine)
    async with office.house.unit_of_work(mine.tenant_id) as connection:
        await remove_domain(connection, office.viewers[0], uuid.UUID(mine.domain_id))
    with pytest.raises(ApplicationError) as failed:
        await office.check(mine)
    assert failed.value.type == "NotFound"
    assert (await office.check(theirs)).held


async def test_a_check_that_dies_is_due_again_in_ten_minutes(office) -> None:
    class Dies:
        async def ask(self, name: str, kind: str) -> Any:
            raise RuntimeError(name, kind)

    ref, _ = await office.claim(fresh())
    with pytest.raises(ApplicationError):
        await DomainChecking(office.house, Dies(), clock=lambda: office.now).check(ref)
    row = await office.row(ref)
    assert (row.checked_at, row.check_due_at) == (None, NOW + dt.timedelta(minutes=10))


class FakeSes:
    """What SES says of every domain; `away` it does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False
        self.verified = False
        self.tokens: tuple[str, ...] = ("k1", "k2", "k3")

    async def ensure(self, domain: str) -> SesIdentity:
        self.asked.append(domain)
        if self.away:
            raise Unreachable
        return SesIdentity(self.tokens, self.verified)


async def test_ses_is_told_of_a_domain_that_is_held_and_of_no_other(office) -> None:
    name, ses = fresh(), FakeSes()
    ref, challenge = await office.claim(name)
    await office.checking(identities=ses).check(ref)
    assert ses.asked == [], "a claim costs nothing and proves nothing"
    publish(office.dns, name, challenge)
    office.now += DAY
    await office.checking(identities=ses).check(ref)
    row = await office.row(ref)
    assert (ses.asked, list(row.dkim_tokens), row.ses_verified) == ([name], ["k1", "k2", "k3"], False)
    assert [r["status"] for r in row.records if r["record"] == "dkim"] == ["missing"] * 3
    assert row.check_due_at == office.now + dt.timedelta(hours=1)
    ses.verified = True
    office.now += dt.timedelta(hours=1)
    await office.checking(identities=ses).check(ref)
    row = await office.row(ref)
    assert row.ses_verified
    assert row.check_due_at >= office.now + DAY


async def test_silence_of_ses_takes_nothing_away_and_a_domain_that_is_let_go_is_not_sent_as(office) -> None:
    name, ses = fresh(), FakeSes()
    ses.verified = True
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge, tokens=ses.tokens)
    await office.checking(identities=ses).check(ref)
    assert (await office.row(ref)).ses_verified
    ses.away = True
    office.now += DAY
    assert (await office.checking(identities=ses).check(ref)).held
    assert (await office.row(ref)).ses_verified
    office.dns.put(f"_mailroom.{name}", "TXT")
    for _ in range(5):
        office.now += DAY
        report = await office.checking(identities=ses).check(ref)
    assert not report.held
    assert not (await office.row(ref)).ses_verified


async def test_tokens_that_change_at_every_look_are_looked_for_once(office) -> None:
    class Restless(FakeSes):
        async def ensure(self, domain: str) -> SesIdentity:
            self.tokens = (f"t{len(self.asked)}",)
            return await super().ensure(domain)

    name, ses = fresh(), Restless()
    ref, challenge = await office.claim(name)
    publish(office.dns, name, challenge)
    await office.checking(identities=ses).check(ref)
    assert len(ses.asked) == 1
