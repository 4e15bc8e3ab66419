"""Steps `reingest.plan` and `reingest.apply`: stored mail is read again by the parser of today, compared, and taken over.

Live mail goes first: one step at a time has a queue of its own and asks the parser children for one chunk at a time, so
that a live batch waits for sixteen mails at most. If a step dies, its open page is done again; nothing counts twice.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from temporalio import activity

from activities._edges import edges, failure
from activities.heartbeat import heartbeats
from activities.ingestion import Ingestion, bounded
from activities.parser_child import ReadMail, ReadOrder
from activities.parser_pool import CHUNK, CHUNK_BYTES, ParserPool
from activities.stored_files import FileStore, named_files
from contracts.reingest import ReingestProgress, ReingestRef, ReingestSteps
from providers.s3.blobs import BlobStore
from store.addresses import address_key
from store.inbox_state import LeaseLost, own_addresses
from store.incoming import PARSER_VERSION, IncomingMail
from store.reingest_apply import apply_changes, apply_versions, by_inbox
from store.reingest_diff import compare
from store.reingest_reading import Stored, fresh_reading, load_stored
from store.reingest_selection import Selection, Unit, select_page, units_of
from store.reingest_threads import Effect, effect_of
from store.reingests import (
    Change,
    ReingestChangeState,
    ReingestState,
    RunRow,
    Settled,
    end_apply,
    end_plan,
    give_up,
    hold_run,
    next_changes,
    read_run,
    record_changes,
    settle_changes,
    take_run,
    tell_run,
)
from store.unit_of_work import Database

STEP_SECONDS = 30.0
TELL_EVERY = 1.0  # seconds between two progress events
PAGE = 100
BATCH = 25  # mails of one applying transaction: it holds an inbox's threads, for which live mail waits
VERSIONS = 200
OTHER_PARSER = "The parser has changed since this was asked. Nothing more is done; ask again."

Readings = Mapping[uuid.UUID, IncomingMail | str]


class Reingesting(ReingestSteps):
    """Shares the parser children and the remembered packs with live ingest."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        ingestion: Ingestion,
        parsers: ParserPool,
        *,
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        self._database = database
        self._files = FileStore(blobs)
        self._ingestion = ingestion
        self._parsers = parsers
        self._step_seconds = step_seconds

    @activity.defn(name="reingest.plan")
    async def plan(self, ref: ReingestRef) -> ReingestProgress:
        """If it dies, the page that was open is compared again. A second attempt ends the first one's right to write."""
        return await self._step(ref, ReingestState.PLANNING)

    @activity.defn(name="reingest.apply")
    async def apply(self, ref: ReingestRef) -> ReingestProgress:
        """If it dies, the open batch is rolled back; files that it stored lie in the bucket until the next attempt names
        them. What is settled is not found again.
        """
        return await self._step(ref, ReingestState.APPLYING)

    async def _step(self, ref: ReingestRef, state: ReingestState) -> ReingestProgress:
        with edges():
            tenant_id = uuid.UUID(ref.tenant_id)
            run = await self._row(ref)
            if run.state != state or run.paused_at is not None:
                return _progress(run)
            async with self._database.unit_of_work(tenant_id) as connection:
                taken = await take_run(connection, tenant_id, run.id)
            if taken is None:
                raise failure("NotFound")
            async with heartbeats():
                try:
                    await self._work(tenant_id, taken)
                except LeaseLost:
                    after = await self._row(ref)
                    if after.state == state and after.paused_at is None:
                        raise  # another attempt took over; else somebody paused or cancelled it, which is an answer
            return _progress(await self._row(ref))

    async def _row(self, ref: ReingestRef) -> RunRow:
        tenant_id = uuid.UUID(ref.tenant_id)
        async with self._database.unit_of_work(tenant_id) as connection:
            run = await read_run(connection, tenant_id, uuid.UUID(ref.reingest_id))
        if run is None:
            raise failure("NotFound")
        return run

    async def _work(self, tenant_id: uuid.UUID, run: RunRow) -> None:
        """Page by page until the time is up or nothing is left."""
        if run.another_parser:
            async with self._database.unit_of_work(tenant_id) as connection:
                await hold_run(connection, tenant_id, run)
                await give_up(connection, tenant_id, run, OTHER_PARSER)
            await self._tell(tenant_id, run)
            return
        one = self._plan_page if run.state == ReingestState.PLANNING else self._apply_batch
        ends, told = time.monotonic() + self._step_seconds, 0.0
        more = True
        while more and time.monotonic() < ends:
            more = await one(tenant_id, run)
            if not more or time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                await self._tell(tenant_id, run)

    async def _tell(self, tenant_id: uuid.UUID, run: RunRow) -> None:
        async with self._database.unit_of_work(tenant_id) as connection:
            current = await read_run(connection, tenant_id, run.id)
            if current is not None:
                await tell_run(connection, tenant_id, current)

    # -- the dry run ---------------------------------------------------------------------------------------------------

    async def _plan_page(self, tenant_id: uuid.UUID, run: RunRow) -> bool:
        """One page; False when there was none and the plan is complete."""
        async with self._database.unit_of_work(tenant_id) as connection:
            current = await hold_run(connection, tenant_id, run)
            page = await select_page(
                connection,
                tenant_id,
                Selection.from_json(current.selection),
                after=current.planned_to,
                newest=current.newest,
                limit=PAGE,
            )
            if not page:
                await end_plan(connection, tenant_id, current)
                return False
            own = await own_addresses(connection, tenant_id)
        page = page[: len(bounded([u.pending for u in page]))]
        readings = await self._read(tenant_id, page, own)
        changes = await self._compared(tenant_id, page, readings, own)
        async with self._database.unit_of_work(tenant_id) as connection:
            current = await hold_run(connection, tenant_id, run)
            await record_changes(
                connection, tenant_id, current, changes, to=page[-1].pending.id, done=len(page)
            )
        return True

    async def _compared(
        self, tenant_id: uuid.UUID, page: Sequence[Unit], readings: Readings, own: frozenset[str]
    ) -> list[Change]:
        """What would change at each mail. Reads only; diffs are made beside the event loop."""
        keys = frozenset(address_key(a) for a in own)
        changes: list[Change] = []
        differing: list[tuple[Stored, str, Effect]] = []
        async with self._database.unit_of_work(tenant_id) as connection:
            stored = await load_stored(connection, tenant_id, [u.pending.id for u in page])
            for unit in page:
                before, mail = stored.get(unit.pending.id), readings.get(unit.pending.id, "gone")
                if before is None:
                    continue  # left the selection meanwhile: another run or a retry has it
                if isinstance(mail, str):
                    changes.append(_change(before, unread=mail))
                    continue
                fresh = fresh_reading(mail, before.received_at)
                if fresh != before.reading:
                    effect = await effect_of(connection, tenant_id, before, fresh, mail, own=keys)
                    differing.append((before, fresh.digest(), effect))
                elif _older(before):
                    changes.append(_change(before))
        return changes + await asyncio.to_thread(_told, differing)

    # -- taking over ---------------------------------------------------------------------------------------------------

    async def _apply_batch(self, tenant_id: uuid.UUID, run: RunRow) -> bool:
        """One batch; False when none was left and the run has ended."""
        async with self._database.unit_of_work(tenant_id) as connection:
            current = await hold_run(connection, tenant_id, run)
            if current.another_parser:
                await give_up(connection, tenant_id, current, OTHER_PARSER)
                return False
            changes = await next_changes(connection, tenant_id, run, limit=VERSIONS)
            if not changes:
                await end_apply(connection, tenant_id, run)
                return False
            versions = [c for c in changes if not c.kinds]
            if versions:
                done = await apply_versions(connection, tenant_id, versions)
                await settle_changes(connection, tenant_id, current, done)
        await self._take_over(tenant_id, run, [c for c in changes if c.kinds][:BATCH])
        return True

    async def _take_over(self, tenant_id: uuid.UUID, run: RunRow, changes: Sequence[Change]) -> None:
        """Read these again, store their files, and write them, one transaction for each inbox."""
        if not changes:
            return
        async with self._database.unit_of_work(tenant_id) as connection:
            units = await units_of(connection, tenant_id, [c.ledger_id for c in changes])
            own = await own_addresses(connection, tenant_id)
        readings: dict[uuid.UUID, IncomingMail | str] = {}
        waiting = list(units.values())
        while waiting:
            some = waiting[: len(bounded([u.pending for u in waiting]))]
            waiting = waiting[len(some) :]
            readings |= await self._with_files(tenant_id, await self._read(tenant_id, some, own))
        for inbox_id, group in by_inbox(changes).items():
            async with self._database.unit_of_work(tenant_id) as connection:
                current = await hold_run(connection, tenant_id, run)
                lost = [_lost(c, readings.get(c.ledger_id)) for c in group]
                settled = [s for s in lost if s is not None]
                mails = {i: m for i, m in readings.items() if isinstance(m, IncomingMail)}
                readable = [c for c in group if c.ledger_id in mails]
                settled += await apply_changes(connection, tenant_id, inbox_id, readable, mails)
                await settle_changes(connection, tenant_id, current, settled)
        await self._ingestion.index(tenant_id)

    async def _with_files(self, tenant_id: uuid.UUID, readings: Readings) -> Readings:
        """Blobs first (integrity X-10), then the mails without their bytes, so that a batch is light to hold."""
        mails = [m for m in readings.values() if isinstance(m, IncomingMail)]
        await self._files.store(tenant_id, [m.mail.parts for m in mails])
        return {i: _light(m) if isinstance(m, IncomingMail) else m for i, m in readings.items()}

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _read(self, tenant_id: uuid.UUID, units: Sequence[Unit], own: frozenset[str]) -> Readings:
        """Each mail as it reads now, or the reason why not. A bucket that is away is raised."""
        raws = await self._ingestion.raws([u.pending for u in units])
        readings: dict[uuid.UUID, IncomingMail | str] = {
            u.pending.id: "blob_missing" for u in units if u.pending.id not in raws
        }
        for chunk in _chunks([u for u in units if u.pending.id in raws]):
            orders = [
                ReadOrder(
                    raw=raws[u.pending.id],
                    tenant=str(tenant_id),
                    folder_role=u.pending.role or "inbox",
                    own_addresses=own,
                    labels=tuple(u.pending.flags),
                )
                for u in chunk
            ]
            for unit, answer in zip(chunk, await self._parsers.read(orders), strict=True):
                if isinstance(answer, ReadMail):
                    readings[unit.pending.id] = _incoming(tenant_id, unit, answer)
                else:
                    readings[unit.pending.id] = answer.reason
        return readings


def _incoming(tenant_id: uuid.UUID, unit: Unit, answer: ReadMail) -> IncomingMail:
    return IncomingMail(
        pending=unit.pending,
        mail=answer.mail,
        verdict=answer.verdict,
        hints=answer.hints,
        files=named_files(tenant_id, answer.mail.parts),
        send_id=answer.send_id,
        authentication=answer.authentication,
    )


def _light(mail: IncomingMail) -> IncomingMail:
    return replace(mail, mail=replace(mail.mail, parts=()))


def _told(differing: Sequence[tuple[Stored, str, Effect]]) -> list[Change]:
    """A difference may come to nothing: a person's decision stands over what the parser says."""
    changes = []
    for before, after, effect in differing:
        thread = effect.move.as_json() if effect.move else None
        told = compare(before.reading, effect.reading, thread=thread, kept=effect.kept)
        if told.kinds or _older(before):
            changes.append(_change(before, kinds=told.kinds, after=after, detail=told.detail))
    return changes


def _older(before: Stored) -> bool:
    return before.parser_version is None or before.parser_version < PARSER_VERSION


def _change(
    before: Stored,
    *,
    kinds: tuple[str, ...] = (),
    after: str = "",
    detail: Mapping[str, object] | None = None,
    unread: str | None = None,
) -> Change:
    versions = {"parser_version": {"old": before.parser_version, "new": PARSER_VERSION}}
    return Change(
        before.ledger_id,
        before.message_id,
        before.inbox_id,
        kinds,
        before.mark,
        after,
        {**(detail or {}), **versions},
        unread,
    )


def _lost(change: Change, reading: IncomingMail | str | None) -> Settled | None:
    """A planned mail that cannot be taken over any more, or None."""
    if reading is None:
        return Settled(change.ledger_id, ReingestChangeState.STALE, "gone")
    if isinstance(reading, str):
        return Settled(change.ledger_id, ReingestChangeState.REFUSED, reading)
    return None


def _chunks(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """As many as one child reads at a time: the pool then holds one of its children for us, never more."""
    chunk: list[Unit] = []
    size = 0
    for unit in units:
        if chunk and (len(chunk) >= CHUNK or size + unit.pending.raw_length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(unit)
        size += unit.pending.raw_length
    if chunk:
        yield chunk


def _progress(run: RunRow) -> ReingestProgress:
    return ReingestProgress(
        state=run.state,
        paused=run.paused_at is not None,
        total=run.total,
        done=run.done,
        changed=run.changed,
        failed=run.failed,
        to_apply=run.to_apply,
        applied=run.applied,
    )
