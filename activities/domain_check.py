"""Looks a domain's records up and writes what was found. If it dies, nothing was written and it is due again in ten minutes;
run twice it looks twice, and of two checks the one that began later stands.
"""

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Callable
from typing import Protocol

from temporalio import activity

from activities._edges import edges, failure
from contracts.domains import DomainRef, DomainReport, DomainSteps
from mail.dns_policies import spf_records, spf_targets
from providers.dns.lookup import DnsAnswer, Kind
from providers.errors import ProviderError
from providers.ses.identities import SesIdentity
from rules.domain_records import (
    SES_DKIM,
    Expected,
    Looked,
    RecordCheck,
    Status,
    challenge_name,
    dkim,
    dmarc,
    mx,
    names_above,
    no_keys_yet,
    ownership,
    spf,
    verdicts,
)
from store.domain_checks import CheckSubject, begin_check, write_check
from store.domains import check_by, set_ses_identity
from store.unit_of_work import Database

log = logging.getLogger(__name__)

CHECK_SECONDS = 15.0
AT_ONCE = 6
SES_AGAIN = dt.timedelta(hours=1)
SPF_STEPS = 10  # a receiver follows no more (RFC 7208 §4.6.4)


class Asks(Protocol):
    """What `providers.dns.lookup.DnsLookup` offers."""

    async def ask(self, name: str, kind: Kind) -> DnsAnswer: ...


class Identities(Protocol):
    """What `providers.ses.identities.SesIdentities` offers."""

    async def ensure(self, domain: str) -> SesIdentity: ...


class DomainChecking(DomainSteps):
    """`identities` makes a domain that is held known to SES, which then gives the keys to publish. `mx_hosts` and `spf_include` are what this installation receives and sends through. `seconds` bounds a whole check;
    what was not learned by then is unknown.
    """

    def __init__(
        self,
        database: Database,
        dns: Asks,
        *,
        mx_hosts: tuple[str, ...] = (),
        spf_include: str = "",
        identities: Identities | None = None,
        seconds: float = CHECK_SECONDS,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._dns = dns
        self._mx_hosts = mx_hosts
        self._spf_include = spf_include
        self._identities = identities
        self._seconds = seconds
        self._clock = clock

    @activity.defn(name="domains.check")
    async def check(self, ref: DomainRef) -> DomainReport:
        with edges():
            return await self._check(uuid.UUID(ref.tenant_id), uuid.UUID(ref.domain_id))

    async def _check(self, tenant_id: uuid.UUID, domain_id: uuid.UUID, *, ask_ses: bool = True) -> DomainReport:
        now = self._clock()
        async with self._database.unit_of_work(tenant_id) as connection:
            subject = await begin_check(connection, tenant_id, domain_id, now=now)
        if subject is None:
            raise failure("NotFound")
        expected = Expected(
            subject.name, subject.challenge, subject.dkim_tokens, self._mx_hosts, self._spf_include
        )
        checks = await Questions(self._dns, self._seconds).all_of(expected)
        async with self._database.unit_of_work(tenant_id) as connection:
            held = await write_check(
                connection,
                tenant_id,
                domain_id,
                records=[c.kept() for c in checks],
                verdicts=verdicts(checks),
                now=now,
            )
        if held is None:
            raise failure("NotFound")
        report = DomainReport(held, len(checks), sum(c.status is not Status.OK for c in checks))
        if ask_ses and self._identities is not None:
            report = await self._with_ses(self._identities, tenant_id, domain_id, subject, report)
        return report

    async def _with_ses(
        self, identities: Identities, tenant_id: uuid.UUID, domain_id: uuid.UUID, subject: CheckSubject, report: DomainReport
    ) -> DomainReport:
        """Make and read what SES knows of the domain, and look for its keys at once when they are new. Only for who holds the
        name, so that nobody fills the operator's account with names of others; what SES does not say leaves what stood.
        """
        try:
            identity = await identities.ensure(subject.name) if report.held else None
        except ProviderError as error:
            log.warning("Amazon SES could not be asked about a domain (%s)", error.reason)
            return report
        tokens, verified = (identity.dkim_tokens, identity.verified) if identity else (subject.dkim_tokens, False)
        async with self._database.unit_of_work(tenant_id) as connection:
            new = await set_ses_identity(connection, tenant_id, domain_id, dkim_tokens=tokens, verified=verified)
        if new:
            report = await self._check(tenant_id, domain_id, ask_ses=False)
        if identity is not None and not verified:
            async with self._database.unit_of_work(tenant_id) as connection:
                await check_by(connection, tenant_id, domain_id, at=self._clock() + SES_AGAIN)
        return report


class Questions:
    """The look-ups of one check: a few at a time, none after the time is up."""

    def __init__(self, dns: Asks, seconds: float) -> None:
        self._dns = dns
        self._until = asyncio.get_running_loop().time() + seconds
        self._seats = asyncio.Semaphore(AT_ONCE)

    async def all_of(self, expected: Expected) -> list[RecordCheck]:
        """Every record of the domain, in the order in which they are shown."""
        name, tokens = expected.name, expected.dkim_tokens
        keys = [self._dkim(name, token) for token in tokens]
        found = await asyncio.gather(
            self._owned(expected), self._mx(expected), self._spf(expected), *keys, self._dmarc(expected)
        )
        return list(found) if tokens else [*found[:3], no_keys_yet(name), *found[3:]]

    async def _owned(self, expected: Expected) -> RecordCheck:
        return ownership(expected, await self._ask(challenge_name(expected.name), "TXT"))

    async def _mx(self, expected: Expected) -> RecordCheck:
        return mx(expected, await self._ask(expected.name, "MX"))

    async def _spf(self, expected: Expected) -> RecordCheck:
        texts = await self._ask(expected.name, "TXT")
        records = spf_records(texts.values)
        include = expected.spf_include.lower().rstrip(".")
        if not include or len(records) != 1 or include in spf_targets(records[0]):
            return spf(expected, texts)
        return spf(expected, texts, await self._reached(records[0], include))

    async def _reached(self, record: str, include: str) -> Looked:
        """The names that a record brings in through others, until the one that is looked for turns up."""
        waiting, seen, trouble = list(spf_targets(record)), set[str](), None
        while waiting and len(seen) < SPF_STEPS:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            looked = await self._ask(name, "TXT")
            trouble = trouble or looked.trouble
            for inner in spf_records(looked.values)[:1]:
                waiting += spf_targets(inner)
            if include in waiting:
                return Looked((include,))
        return Looked(tuple(sorted(seen)), trouble)

    async def _dkim(self, name: str, token: str) -> RecordCheck:
        own = f"{token}._domainkey.{name}"
        aliases, here, there = await asyncio.gather(
            self._ask(own, "CNAME"), self._ask(own, "TXT"), self._ask(f"{token}.{SES_DKIM}", "TXT")
        )
        return dkim(name, token, aliases, here, there)

    async def _dmarc(self, expected: Expected) -> RecordCheck:
        names = (expected.name, *names_above(expected.name))
        texts, *above = await asyncio.gather(*(self._ask(f"_dmarc.{n}", "TXT") for n in names))
        return dmarc(expected, texts, above)

    async def _ask(self, name: str, kind: Kind) -> Looked:
        try:
            async with asyncio.timeout_at(self._until), self._seats:
                answer = await self._dns.ask(name, kind)
        except TimeoutError:
            return Looked(trouble="no answer in time")
        return Looked(answer.values, answer.trouble)
