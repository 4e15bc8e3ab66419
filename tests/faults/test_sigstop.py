"""Workers put to sleep in the middle of a step, for longer than anybody waits: others take over, and when the sleepers wake
up they touch no row and submit nothing twice (integrity T-7, S-2).
"""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from contracts.failpoints import Failpoint
from tests.faults.cursor_watch import CursorWatch
from tests.faults.gauntlet import Gauntlet
from tests.faults.haste import HEARTBEAT_SECONDS
from tests.faults.invariants import Witnesses, check
from tests.faults.post_boxes import post_office
from tests.faults.quiet import wait_until_quiet
from tests.faults.rig import Rig, until
from tests.servers.smtp_script import Slow

LEASED = (Failpoint.FETCH_AFTER_PUT, Failpoint.INGEST_FILES_STORED, Failpoint.BACKFILL_STRETCH_STORED)
BEFORE_DOT = (Failpoint.COMPOSE_AFTER_PUT, Failpoint.DELIVER_BEFORE_DOT)
AFTER_DOT = (Failpoint.DELIVER_STAGE_DOT, Failpoint.DELIVER_DOT_OUT)
SLEEPERS = (*LEASED, *BEFORE_DOT, *AFTER_DOT)

# The version of every row that a fetch, an ingest, a backfill or a submission writes. Rows of a send whose fate is not
# known are left out: the attempt that slept at its dot may still tell how it ended, and does.
VERSIONS = {
    "ledger": "select id, xmin::text || to_jsonb(l)::text from ledger l",
    "folders": "select id, last_uid || ' ' || coalesce(backfill_uid, 0) || ' ' || backfill_done || backfill_state || state from folders",
    "messages": "select id, xmin::text from messages where send_status is distinct from 'unknown' and not (id = any(:doubtful))",
    "conversations": """
        select id, xmin::text from conversations c
        where not exists (select from messages m where m.conversation_id = c.id and m.id = any(:doubtful))
    """,
    "attachments": "select id, xmin::text from attachments",
    "message_recipients": """
        select message_id || address, xmin::text from message_recipients where not (message_id = any(:doubtful))
    """,
    "thread_keys": "select key || inbox_id, xmin::text from thread_keys",
    "send_steps": "select id, xmin::text from send_steps where not (message_id = any(:doubtful))",
    "quarantine": "select id, xmin::text from quarantine",
    "events": """
        select e.id || ' ' || e.type, e.xmin::text from events e where e.type <> 'inbox.updated'
          and (e.message_id is null or not (e.message_id = any(:doubtful)))
          and not exists (select from messages m where m.conversation_id = e.conversation_id and m.id = any(:doubtful))
    """,
}


def read(rig: Rig, statement: str, **bound: Any) -> list[Any]:
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text(statement), bound).all()
    engine.dispose()
    return list(rows)


def versions(rig: Rig, doubtful: list[Any]) -> dict[str, dict[str, str]]:
    return {
        table: {str(key): str(version) for key, version in read(rig, statement, **({"doubtful": doubtful} if ":doubtful" in statement else {}))}
        for table, statement in VERSIONS.items()
    }


@pytest.mark.timeout(420)
async def test_a_sleeper_that_wakes_up_writes_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    async with post_office(tmp_path) as post:
        rig = Rig(tmp_path / "data", hasty=True, durable=False)
        try:
            await rig.start_servers()
            spare = post.boxes([f"desk-{n}@mailroom.example.com" for n in range(20)])
            await asyncio.gather(rig.start_worker(), rig.start_api())
            async with rig.desk() as api:
                gauntlet = Gauntlet(rig, post, api, spare)
                await gauntlet.open_inbox()
                await until("the first mails are in", lambda: _ingested(rig), 60)
                await rig.kill("worker", noted=False)
                post.smtp.on("dot", Slow(0.5))
                with CursorWatch(rig.stack.database_admin_url) as cursors:
                    asleep = await _put_to_sleep(rig, gauntlet)
                    began = time.monotonic()
                    await rig.start_worker()
                    left = await wait_until_quiet(rig, gauntlet.inboxes, within=120)
                    assert not left, left
                    assert time.monotonic() - began > HEARTBEAT_SECONDS
                    doubtful = [row.id for row in read(rig, "select id from messages where send_status = 'unknown'")]
                    assert len(doubtful) >= 1
                    before, sent_before = versions(rig, doubtful), Counter(mail.message_id for mail in post.smtp.accepted)
                    for process in asleep.values():
                        assert process.status() == psutil.STATUS_STOPPED
                        process.send_signal(signal.SIGCONT)
                    await _awake(rig)
                    left = await wait_until_quiet(rig, gauntlet.inboxes, within=60)
                    after, sent = versions(rig, doubtful), Counter(mail.message_id for mail in post.smtp.accepted)
                for table in VERSIONS:
                    changed = {key for key in before[table].keys() | after[table].keys() if before[table].get(key) != after[table].get(key)}
                    assert not changed, f"{table}: " + "\n".join(f"{before[table].get(key)}\n{after[table].get(key)}" for key in sorted(changed)[:2])
                assert max(sent.values()) == 1, "nothing was submitted twice"
                named = {row.message_id_header for row in read(rig, "select message_id_header from messages where id = any(:d)", d=doubtful)}
                assert set(sent - sent_before) <= named, "only those went out that slept at their own dot"
                report = await check(
                    rig.stack.database_admin_url,
                    Witnesses(
                        bucket=rig.bucket(),
                        stranger_id=rig.stranger_id,
                        mailboxes={inbox: await asyncio.to_thread(box.truth) for inbox, box in gauntlet.inboxes.items()},
                        accepted=tuple(post.smtp.accepted),
                        open_workflows=await rig.open_workflows(),
                        cursors=cursors,
                        tenant_id=rig.tenant_id,
                        api=api,
                    ),
                )
                print(report)
                assert report.holds, f"{report}\n{left}"
        finally:
            await rig.stop()


async def _put_to_sleep(rig: Rig, gauntlet: Gauntlet) -> dict[Failpoint, psutil.Process]:
    """A worker for each place, all at once; work is fed until every one of them has fallen asleep at its own."""
    await asyncio.gather(
        *(rig.start_worker(f"sleeper-{p}", MAILROOM_FAILPOINT=f"{p}:stop", MAILROOM_WORKER_PARSERS="1", FAULTS_DEAF="1") for p in SLEEPERS),
        return_exceptions=True,  # one may fall asleep before it says that it is ready
    )
    left = set(SLEEPERS)
    asleep: dict[Failpoint, psutil.Process] = {}
    feeding = asyncio.create_task(gauntlet._feed(left))

    async def all_asleep() -> bool:
        assert not feeding.done(), feeding.result()
        for point in list(left):
            process = rig.process_of(f"sleeper-{point}")
            assert process is not None, rig.log_tail(f"sleeper-{point}")
            if process.status() == psutil.STATUS_STOPPED:
                assert f"failpoint {point} reached" in rig.log(f"sleeper-{point}")
                asleep[point] = process
                left.discard(point)
        return not left

    try:
        # What a sleeper had polled for when it fell asleep goes to it for the minute that a long poll lasts, and waits there
        # until its step is given up: the last one may have work only when the polls of all others have ended.
        await until("every sleeper is asleep", all_asleep, 180)
    except AssertionError as late:
        raise AssertionError(f"{late}: {sorted(left)} are still awake") from None
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    return asleep


async def _ingested(rig: Rig) -> bool:
    return bool(read(rig, "select 1 from folders where backfill_state = 'done' and role = 'inbox'"))


async def _awake(rig: Rig) -> None:
    """Until every sleeper has had time to end the step that it slept in."""

    async def noticed() -> bool:
        return all("LeaseLost" in rig.log(f"sleeper-{point}") for point in LEASED)

    await asyncio.sleep(1.5 * HEARTBEAT_SECONDS)
    await until("every sleeper has found its lease lost", noticed, 60)
