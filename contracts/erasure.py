"""The erasure flow: a person who asked to be forgotten is removed batch by batch. Addresses stay in PostgreSQL."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class ErasureRef:
    tenant_id: str
    erasure_id: str


@dataclass(frozen=True, slots=True)
class ErasureProgress:
    """`state` is a word of `models.retention.ErasureState`, or `gone`. `waiting`: what is left cannot be removed yet (a mail that is being
    sent, an object that was stored within the hour).
    """

    state: str
    waiting: bool = False
    messages: int = 0


class ErasureSteps:
    """Signature of the erasure activity; `activities/erasure.py` overrides it."""

    @activity.defn(name="erasure.step")
    async def step(self, ref: ErasureRef) -> ErasureProgress:
        """Remove for about half a minute, each batch one transaction with its part of the receipt."""
        raise NotImplementedError
