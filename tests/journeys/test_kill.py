"""SIGKILL in the middle: a worker that dies during a backfill and during sends loses nothing and doubles nothing."""

import asyncio
import collections
import contextlib
import random
import uuid
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from sqlalchemy import create_engine, text

from benchmarks.mailbox import mails
from tests.journeys.driver import Mailbox, Mailroom, letter, until

HISTORY = 1000
SENDS = 12


def kill_workers(mailroom: Mailroom) -> int:
    """SIGKILL the worker and its parsers at once."""
    killed = 0
    for process in mailroom.processes("worker"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            killed += 1
    return killed


@pytest.mark.timeout(900)  # a send that died at the dot is looked for during two minutes before a person is asked
async def test_nothing_is_lost_or_doubled(own_mailroom: Mailroom, quick_box: Mailbox, demo_mail, smtp) -> None:
    mailroom, chance = own_mailroom, random.Random(5)
    distinct = set()
    for number, raw in enumerate(mails(HISTORY, seed=11, to=quick_box.address)):
        quick_box.put(raw, received=datetime.now(UTC) - timedelta(days=2, minutes=HISTORY - number), seen=True)
        distinct.add(raw)
    await mailroom.start()
    inbox = await mailroom.connect_inbox(quick_box, smtp())

    # In the middle of the backfill the worker dies; `up` then stops as a whole and says why, and is started again.
    async def part_way() -> bool:
        status = await mailroom.get(f"/v1/inboxes/{inbox['id']}/status")
        return status["ledger"].get("ingested", 0) > HISTORY // 10

    await until("the backfill is under way", part_way, 90)
    assert kill_workers(mailroom)
    assert await asyncio.to_thread(mailroom._process.wait, 60) == 1
    assert "worker" in mailroom.log_tail()
    await mailroom.start()

    # Live mail overtakes the history that is still coming in.
    customers = [demo_mail.add_account(f"kill-{uuid.uuid4().hex[:8]}@customers.example.com") for _ in range(SENDS)]
    for number, account in enumerate(customers):
        quick_box.put(letter(account.address, quick_box.address, f"Live question {number}.", "Now.").as_bytes())
    conversations = [await mailroom.conversation_about(f"Live question {n}.", inbox, 90) for n in range(SENDS)]
    replies = [await mailroom.reply(c, f"Answer {n} marker-{n}-end") for n, c in enumerate(conversations)]
    await asyncio.sleep(chance.uniform(0.05, 0.6))
    assert kill_workers(mailroom)
    await asyncio.to_thread(mailroom._process.wait, 60)
    await mailroom.start()

    status: dict = {}

    async def all_in() -> bool:
        status.update(await mailroom.get(f"/v1/inboxes/{inbox['id']}/status"))
        done = sum(status["ledger"].get(k, 0) for k in ("ingested", "skipped", "quarantined"))
        return done >= HISTORY + SENDS and all(b["state"] == "done" for b in status["backfills"])

    try:
        await until("everything has its fate", all_in, 240, every=1)
    except AssertionError as late:
        raise AssertionError(f"{status['ledger']} {status['backfills']} {mailroom.log_tail()}") from late

    async def all_settled() -> bool:
        states = [(await mailroom.get(f"/v1/messages/{r['id']}"))["send"]["status"] for r in replies]
        return all(s in {"sent", "unknown"} for s in states)

    await until("every send is settled or asks a person", all_settled, 330, every=2)

    engine = create_engine(mailroom.stack["database_admin_url"])
    with engine.connect() as connection:
        states = dict(connection.execute(text("select state, count(*) from ledger where folder_id in (select id from folders where role = 'inbox') group by state")).all())
        kept = connection.execute(text("select count(*) from messages where direction = 'inbound'")).scalar_one()
        doubles = connection.execute(text("select count(*) from (select message_id_header, content_id from messages where direction = 'inbound' group by 1, 2 having count(*) > 1) d")).scalar_one()
        lost = connection.execute(text("select count(*) from ledger where state = 'ingested' and message_id is null")).scalar_one()
    engine.dispose()
    assert doubles == 0
    assert lost == 0
    assert sum(states.values()) == HISTORY + SENDS, states
    assert states.get("quarantined", 0) == 0
    assert kept == len(distinct) + SENDS

    arrived = collections.Counter()
    for account in customers:
        for path in [*account.maildir.glob("new/*"), *account.maildir.glob("cur/*")]:
            arrived[account.address] += b"marker-" in path.read_bytes()
    assert max(arrived.values()) == 1, "no answer went out twice"
    for reply, account in zip(replies, customers, strict=True):
        status = (await mailroom.get(f"/v1/messages/{reply['id']}"))["send"]["status"]
        if status == "sent":
            assert arrived[account.address] == 1, "what counts as sent has arrived"


@pytest.mark.timeout(600)
async def test_a_lost_temporal_database_is_recovered_without_sending_twice(own_mailroom: Mailroom, pymap_box: Mailbox, demo_mail, smtp) -> None:
    mailroom = own_mailroom
    await mailroom.start()
    inbox = await mailroom.connect_inbox(pymap_box, smtp(), undo_send_seconds=15)
    account = demo_mail.add_account(f"lost-{uuid.uuid4().hex[:8]}@customers.example.com")
    pymap_box.put(letter(account.address, pymap_box.address, "Before the loss", "?").as_bytes())
    conversation = await mailroom.conversation_about("Before the loss", inbox)
    first = await mailroom.reply(conversation, "sent before")
    await mailroom.sent(first["id"], within=60)
    second = await mailroom.reply(conversation, "waits in the undo window")
    await mailroom.stop()
    for path in (mailroom.data / "temporal").iterdir():
        path.unlink()
    await mailroom.start()
    await mailroom.sent(second["id"], within=120)
    pymap_box.put(letter(account.address, pymap_box.address, "After the loss", "?").as_bytes())
    await mailroom.conversation_about("After the loss", inbox, 120)
    assert (await mailroom.get(f"/v1/inboxes/{inbox['id']}"))["health"] == "ok"
    bodies = [p.read_bytes() for p in account.maildir.glob("new/*")]
    assert sum(b"sent before" in b for b in bodies) == 1
    assert sum(b"waits in the undo window" in b for b in bodies) == 1
