"""A sending process killed with SIGKILL: before the dot the mail is sent by the next, from the dot on it is put to a person."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.outbound import DeliverOutcome, SendState
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Phase, ScriptedSmtp, Silence
from tests.store.desk import open_desk

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url)
    made = SendRoom(await open_desk(database))
    await made.connect(scripted_smtp.port)
    yield made
    await database.close()


@pytest.mark.parametrize(
    ("phase", "stage", "stored"), [("data", "body", False), ("dot", "dot", True), ("dot", "dot", False)]
)
async def test_a_killed_process_never_leads_to_a_second_mail(
    room: SendRoom,
    scripted_smtp: ScriptedSmtp,
    module_database: ServerDatabase,
    tmp_path: Path,
    phase: Phase,
    stage: str,
    stored: bool,
) -> None:
    scripted_smtp.on(phase, Silence(), times=1, stored=stored)
    ref = await room.reply()
    await room.compose(ref)
    row = await room.message(ref)
    raw = tmp_path / "frozen.eml"
    raw.write_bytes(room.blobs.objects[str(row["raw_key"])])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.activities.dying_sender",
        module_database.url, ref.tenant_id, ref.message_id, str(raw), str(row["raw_key"]),
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while (await room.status(ref))[1] != stage:  # noqa: ASYNC110 – another process moves it
                await asyncio.sleep(0.05)
            while stored and not scripted_smtp.accepted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
    assert (await room.status(ref)) == ("sending", stage)
    if stage == "dot":
        assert (await room.plan(ref)).state is SendState.DOUBT
        assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
        await room.settle(ref, DeliverOutcome.UNKNOWN)
        assert (await room.status(ref))[0] == "unknown"
        assert len(scripted_smtp.accepted) == int(stored)
    else:
        assert (await room.plan(ref)).state is SendState.DUE
        assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
        assert [m.sha256 for m in scripted_smtp.accepted] == [row["raw_sha256"]]
