"""The re-ingest flow: mails that are stored are read again from their raw bytes, compared, and, when a person wants it, taken over.

Bodies and diffs stay in PostgreSQL; what crosses the wire is ids and counts.
"""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class ReingestRef:
    tenant_id: str
    reingest_id: str


@dataclass(frozen=True, slots=True)
class ReingestProgress:
    """`state` is a word of `models.enums.ReingestState`. `changed` of `done` mails differ; `to_apply` also counts those of
    which only the parser's version does.
    """

    state: str
    paused: bool = False
    total: int = 0
    done: int = 0
    changed: int = 0
    failed: int = 0
    to_apply: int = 0
    applied: int = 0


class ReingestSteps:
    """Signatures of the re-ingest activities; `activities/reingest.py` overrides each."""

    @activity.defn(name="reingest.plan")
    async def plan(self, ref: ReingestRef) -> ReingestProgress:
        """Read and compare for about half a minute, page by page. Writes what differs, and nothing of the mails."""
        raise NotImplementedError

    @activity.defn(name="reingest.apply")
    async def apply(self, ref: ReingestRef) -> ReingestProgress:
        """Take over what was planned for about half a minute, in small batches, each one transaction."""
        raise NotImplementedError
