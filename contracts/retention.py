"""The retention flow: once a day each tenant's policy is worked through in small batches. What crosses the wire is ids and counts."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class RetentionState:
    """Where a run stands that continues as new; the schedule gives none."""

    after: str = ""
    tenants: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class RetentionQuestion:
    """The tenants behind this id, "" from the beginning."""

    after: str = ""


@dataclass(frozen=True, slots=True)
class RetentionTenants:
    """At most ten tenants in the order of their ids; none at the end."""

    tenants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetentionOrder:
    """`rows_done`: the rows are, and octets are dropped."""

    tenant_id: str
    rows_done: bool = False


@dataclass(frozen=True, slots=True)
class RetentionProgress:
    """What one step of about half a minute did; `done` False: ask again with what stands here."""

    done: bool
    rows_done: bool = False
    archived: int = 0
    conversations: int = 0
    messages: int = 0
    objects: int = 0


class RetentionSteps:
    """Signatures of the retention activities; `activities/retention.py` overrides each."""

    @activity.defn(name="retention.tenants")
    async def tenants(self, question: RetentionQuestion) -> RetentionTenants:
        """The next page of tenants. Reads only."""
        raise NotImplementedError

    @activity.defn(name="retention.step")
    async def step(self, order: RetentionOrder) -> RetentionProgress:
        """Work through one tenant's policy for about half a minute, each batch one transaction."""
        raise NotImplementedError
