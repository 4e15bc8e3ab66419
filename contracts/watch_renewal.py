"""Keeping a provider's announcements for one inbox alive: ask for the watch, write what was granted and when to ask again."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """`jitter` from 0 to 1 spreads the next time, so that inboxes that were connected together do not ask together."""

    tenant_id: str
    inbox_id: str
    jitter: float


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """`state`: granted, refused (asked again later, polling goes on), or idle (nothing to watch). `reason` of a refusal."""

    state: str
    reason: str = ""


class WatchRenewalSteps:
    """Signature of the step; `activities/watch_renewal.py` overrides it."""

    @activity.defn(name="watch.renew")
    async def renew(self, order: WatchOrder) -> WatchOutcome:
        """Ask the provider, write its answer. Fails with `NotFound` when the inbox was removed."""
        raise NotImplementedError
