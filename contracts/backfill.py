"""The backfill flow: a folder's history, newest first, on its own queue. Live mail always overtakes.

A backfill has a lease of its own (`folders.backfill_epoch`), so it and the live sync never fence each other out.
"""

from dataclasses import dataclass

from temporalio import activity

from contracts.refs import FolderRef


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """`state` is a word of `models.enums.BackfillState`; `eta_seconds` is None until a rate is known."""

    state: str
    done: int
    total: int
    eta_seconds: int | None = None
    failure: str | None = None
    retry_seconds: int | None = None


class BackfillSteps:
    """Signatures of the backfill activities; `activities/backfill.py` overrides each."""

    @activity.defn(name="backfill.plan")
    async def plan(self, ref: FolderRef) -> BackfillProgress:
        """Count what lies between the horizon and the first live UID, and set the state to running. Repeats harmlessly."""
        raise NotImplementedError

    @activity.defn(name="backfill.step")
    async def step(self, ref: FolderRef) -> BackfillProgress:
        """Fetch and ingest the next stretch downwards, for about half a minute; each batch moves the cursor of record, so
        a crash repeats at most one batch. Ends early when the row says paused or cancelled.
        """
        raise NotImplementedError
