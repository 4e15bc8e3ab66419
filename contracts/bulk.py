"""The bulk flow: one change to many conversations, slice by slice, and its undoing. Ids and counts cross the wire."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class BulkRef:
    tenant_id: str
    bulk_id: str


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """`state` is a word of `models.enums.BulkState`; `done` of `total` conversations were looked at."""

    state: str
    total: int = 0
    done: int = 0
    changed: int = 0
    restored: int = 0
    left: int = 0


class BulkSteps:
    """Signature of the bulk activity; `activities/bulk_change.py` overrides it."""

    @activity.defn(name="bulk.step")
    async def step(self, ref: BulkRef) -> BulkProgress:
        """Carry out slices for about ten seconds, each one transaction, while the row wants it."""
        raise NotImplementedError
