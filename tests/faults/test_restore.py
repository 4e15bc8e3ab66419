"""The drill: a backup is taken, the world goes on, the backup is restored. Nothing is sent again, nothing is lost."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from httpx_sse import aconnect_sse
from sqlalchemy import create_engine, text

from tests.journeys.driver import PROJECT, Mailbox, Mailroom, letter, until

GREETING = {"auto_response": {"enabled": True, "subject": "We have it", "body": "automatic-marker"}}


@pytest_asyncio.fixture(loop_scope="session")
async def mailroom(tmp_path: Path) -> AsyncIterator[Mailroom]:
    running = Mailroom(tmp_path / "data")
    try:
        yield running
    finally:
        await running.stop()


async def command(*words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "cli", *words], cwd=PROJECT, check=False, capture_output=True, text=True,
        timeout=120, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def arrived(account: Any, marker: str) -> int:
    return sum(marker.encode() in p.read_bytes() for p in Path(account.maildir).glob("*/*") if p.is_file())


async def all_arrived(account: Any, marker: str) -> bool:
    return arrived(account, marker) == 1


async def first_events(mailroom: Mailroom, after: str) -> list[str]:
    """What a browser hears first that comes back with the place where it was before."""
    kinds = []
    async with asyncio.timeout(15), aconnect_sse(mailroom.api, "GET", "/v1/events/stream", params={"after": after}, timeout=None) as source:
        async for event in source.aiter_sse():
            kinds.append(event.event)
            if len(kinds) == 2:
                return kinds
    return kinds


def aside(data: Path) -> Path:
    return next(data.glob("before-restore-*"))


@pytest.mark.timeout(400)
async def test_after_a_restore_nothing_is_sent_again_and_nothing_is_missing(mailroom: Mailroom, tmp_path: Path, demo_mail) -> None:
    team = demo_mail.add_account(f"support-{uuid.uuid4().hex[:8]}@mailroom.example.com")
    box = Mailbox(team.address, team.password, demo_mail.host, demo_mail.imap_port, team.maildir, lambda raw: demo_mail.deliver(team.address, raw))
    early, late = (demo_mail.add_account(f"{uuid.uuid4().hex[:8]}@customers.example.com") for _ in range(2))
    saved, data = tmp_path / "saved", mailroom.data
    await mailroom.start()
    inbox = await mailroom.connect_inbox(box, (demo_mail.host, demo_mail.smtp_port, team.address, team.password))
    changed = await mailroom.api.patch(f"/v1/inboxes/{inbox['id']}", json=GREETING)
    assert changed.status_code == 200, changed.text

    box.put(letter(early.address, team.address, "Early question", "?").as_bytes())
    conversation = await mailroom.conversation_about("Early question", inbox)
    await until("the first customer is greeted", lambda: all_arrived(early, "automatic-marker"))
    first = await mailroom.reply(conversation, "first-marker")
    await mailroom.sent(first["id"])

    # Queued in the backup, out by the time it is restored: the worker sleeps while the backup is taken.
    workers = [p for p in mailroom.processes("worker") if p.cmdline()[-2:] == ["-m", "worker"]]  # not PostgreSQL's io workers
    assert workers
    for process in workers:
        process.send_signal(signal.SIGSTOP)
    queued = await mailroom.reply(conversation, "queued-marker")
    planned = await mailroom.reply(conversation, "planned-marker", send_at="2031-01-01T00:00:00Z")
    taken = await command("backup", str(saved), "--data", str(data), "--json")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert json.loads(taken.stdout.splitlines()[-1])["state"] == "ready"
    for process in workers:
        process.send_signal(signal.SIGCONT)
    await mailroom.sent(queued["id"], within=90)
    await mailroom.post(f"/v1/messages/{planned['id']}/cancel")

    # What the backup will not know: a customer, the greeting, our answer.
    box.put(letter(late.address, team.address, "Late question", "?").as_bytes())
    conversation = await mailroom.conversation_about("Late question", inbox)
    await until("the second customer is greeted", lambda: all_arrived(late, "automatic-marker"))
    unknown_to_backup = await mailroom.reply(conversation, "late-marker")
    await mailroom.sent(unknown_to_backup["id"])

    async def copies() -> bool:
        return len(box.letters("Sent")) >= 3

    await until("the copies lie in Sent", copies)
    async with mailroom.listening() as heard:
        box.put(letter(late.address, team.address, "Last question", "?").as_bytes())
        await mailroom.conversation_about("Last question", inbox)
        await until("an event is heard", lambda: _truth(heard.events))
    place = heard.events[-1]["id"]
    await until("the last greeting is out", lambda: _truth(arrived(late, "automatic-marker") == 2))
    await mailroom.stop()

    refused = await command("restore", str(saved), "--data", str(data))
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    done = await command("restore", str(saved), "--data", str(data), "--replace")
    assert done.returncode == 0, done.stdout + done.stderr
    # Temporal is newer than the rows: its finished runs must not confuse anybody.
    shutil.rmtree(data / "temporal")
    shutil.copytree(aside(data) / "temporal", data / "temporal")
    await mailroom.start()

    assert await first_events(mailroom, place) == ["ready", "reset"]
    state = (await mailroom.get(f"/v1/messages/{planned['id']}"))["send"]["status"]
    assert state == "unknown", "a person had cancelled it since"
    await mailroom.conversation_about("Late question", inbox, 90)
    await mailroom.conversation_about("Last question", inbox, 90)
    # The copy in Sent proves what became of it.
    await mailroom.sent(queued["id"], within=150)

    async def answer_is_back() -> bool:
        again = await mailroom.conversation_about("Late question", inbox)
        assert again["number"] > conversation["number"], "a number that was told is not given again"
        return any("late-marker" in m["body_text"] for m in await mailroom.messages(again["id"]))

    await until("our answer is read from Sent", answer_is_back, 60)

    async def nothing_open() -> bool:
        status = await mailroom.get(f"/v1/inboxes/{inbox['id']}/status")
        return status["ledger"].get("stored", 0) == 0

    await until("all is ingested", nothing_open)
    await asyncio.sleep(5)  # whoever would send again has had the time for it
    for account, marker, times in (
        (early, "automatic-marker", 1), (early, "first-marker", 1), (early, "queued-marker", 1), (early, "planned-marker", 0),
        (late, "automatic-marker", 2), (late, "late-marker", 1),
    ):  # fmt: skip
        assert arrived(account, marker) == times, f"{marker} arrived {arrived(account, marker)} times"
    engine = create_engine(mailroom.stack["database_admin_url"])
    with engine.connect() as connection:
        claims = [r[0] for r in connection.execute(text("select outcome from auto_response_claims"))]
        mails = connection.execute(text("select count(*) from messages where direction = 'inbound' and kind = 'message' and subject like '%question'")).scalar_one()
        open_sends = connection.execute(text("select count(*) from messages where send_status in ('queued', 'scheduled', 'sending')")).scalar_one()
        gaps = connection.execute(text("select count(*) from gaps where cause = 'lost_state'")).scalar_one()
    engine.dispose()
    assert claims.count("older-than-the-rule") == 2, claims
    assert (mails, open_sends) == (3, 0)
    assert gaps >= 1


async def _truth(value: object) -> bool:
    return bool(value)


@pytest.mark.timeout(60)
async def test_what_is_no_backup_is_refused_with_a_sentence(tmp_path: Path) -> None:
    nothing = await command("backup", str(tmp_path / "to"), "--data", str(tmp_path / "no-such"))
    assert (nothing.returncode, "holds no Mailroom" in nothing.stderr) == (1, True), nothing.stderr
    (tmp_path / "half").mkdir()
    half = await command("restore", str(tmp_path / "half"), "--data", str(tmp_path / "new"))
    assert (half.returncode, "no complete backup" in half.stderr) == (1, True), half.stderr
