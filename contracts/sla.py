"""The timer of service levels: acts on what is due, carries recounts on, and says how long there is nothing to do."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class SlaRef:
    tenant_id: str


@dataclass(frozen=True, slots=True)
class SlaReport:
    """`warned` and `breached` clocks acted now. `wait_seconds` until the next one is due, None when no clock runs; 0: look again
    at once. `recounting`: conversations are being worked out again.
    """

    warned: int = 0
    breached: int = 0
    wait_seconds: float | None = None
    recounting: bool = False


@dataclass(frozen=True, slots=True)
class RecountReport:
    """`done` of `total` conversations; `more` remain."""

    done: int = 0
    total: int = 0
    more: bool = False


class SlaSteps:
    """Signatures of the timer's activities; `activities/sla_timer.py` overrides each."""

    @activity.defn(name="sla.act")
    async def act(self, ref: SlaRef) -> SlaReport:
        """Warn and breach what is due, each clock once."""
        raise NotImplementedError

    @activity.defn(name="sla.recount")
    async def recount(self, ref: SlaRef) -> RecountReport:
        """Work the next page of conversations out again."""
        raise NotImplementedError
