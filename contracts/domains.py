"""Checking a domain: look at its DNS and write what was found."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class DomainRef:
    tenant_id: str
    domain_id: str


@dataclass(frozen=True, slots=True)
class DomainReport:
    """`held`: this tenant holds the domain now. `open` records are not right, or DNS did not say."""

    held: bool
    records: int
    open: int


class DomainSteps:
    """Signatures of the domain activities; `activities/domain_check.py` overrides each."""

    @activity.defn(name="domains.check")
    async def check(self, ref: DomainRef) -> DomainReport:
        """Look everything up and write it. Fails with `NotFound` when the domain was removed."""
        raise NotImplementedError
