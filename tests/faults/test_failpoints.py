"""Each failpoint, hit once in a run of whole flows: afterwards every invariant is whole (integrity: what if it dies here?)."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from contracts.failpoints import Failpoint
from tests.faults.cursor_watch import CursorWatch
from tests.faults.gauntlet import Gauntlet
from tests.faults.invariants import Witnesses, check
from tests.faults.people import Agents, beside
from tests.faults.post_boxes import PostOffice, post_office
from tests.faults.quiet import wait_until_quiet
from tests.faults.rig import Rig, until

OF_API = [point for point in Failpoint if point.process == "api"]
OF_WORKER = [point for point in Failpoint if point.process == "worker"]


@pytest_asyncio.fixture
async def post() -> AsyncIterator[PostOffice]:
    directory = Path(tempfile.mkdtemp(prefix="mailroom-faults-"))
    async with post_office(directory) as made:
        yield made
    shutil.rmtree(directory, ignore_errors=True)


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    directory = Path(tempfile.mkdtemp(prefix="mailroom-faults-"))
    made = Rig(directory, hasty=True, durable=False)
    try:
        await made.start_servers()
        yield made
    finally:
        await made.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.timeout(1500)
async def test_dying_at_any_place_breaks_no_invariant(rig: Rig, post: PostOffice) -> None:
    spare = post.boxes([f"desk-{n}@mailroom.example.com" for n in range(40)])
    await asyncio.gather(rig.start_worker(), rig.start_api())
    async with rig.desk() as api, rig.client(rig.stranger_key) as stranger:
        gauntlet = Gauntlet(rig, post, api, spare)
        first = await gauntlet.open_inbox()
        await until("the inbox is connected", lambda: _healthy(api, first), 60)
        gauntlet.agents = Agents(api, first)
        await rig.kill("worker", noted=False)
        with CursorWatch(rig.stack.database_admin_url) as cursors:
            async with beside(gauntlet.agents.look()):
                left = await gauntlet.run(OF_WORKER, within=900)
                assert not left, f"never reached: {', '.join(left)}\n{rig.log_tail('worker-0')}"
                for point in OF_API:
                    await _api_falls(rig, gauntlet, point)
            for inbox in gauntlet.inboxes:
                await gauntlet.resync(inbox)
            busy = await wait_until_quiet(rig, gauntlet.inboxes, within=240)
            await _release(api)
            busy = busy or await wait_until_quiet(rig, gauntlet.inboxes, within=120)
            assert sorted(gauntlet.hit) == sorted([*OF_WORKER, *OF_API])
            report = await check(
                rig.stack.database_admin_url,
                Witnesses(
                    bucket=rig.bucket(),
                    stranger_id=rig.stranger_id,
                    mailboxes={inbox: await asyncio.to_thread(box.truth) for inbox, box in gauntlet.inboxes.items()},
                    accepted=tuple(post.smtp.accepted),
                    asked=gauntlet.agents.asked,
                    open_workflows=await rig.open_workflows(),
                    cursors=cursors,
                    tenant_id=rig.tenant_id,
                    api=api,
                    stranger=stranger,
                ),
            )
    print(report)
    assert report.holds, f"{report}\nstill to do: {busy}"
    assert not busy
    assert report.quarantined == 0
    assert cursors.looks > 100


async def _release(api: httpx.AsyncClient) -> None:
    """A mail that three workers died over, by chance, waits in quarantine: an administrator lets it be tried again."""
    for line in (await api.get("/v1/quarantine", params={"limit": 100})).raise_for_status().json()["items"]:
        (await api.post(f"/v1/quarantine/{line['id']}/retry")).raise_for_status()


async def _healthy(api: httpx.AsyncClient, inbox: str) -> bool:
    answer = await api.get(f"/v1/inboxes/{inbox}")
    return bool(answer.status_code == 200 and answer.json()["health"] == "ok")


async def _api_falls(rig: Rig, gauntlet: Gauntlet, point: Failpoint) -> None:
    """The API dies between commit and answer; the client asks again under its key, and one mail goes out."""
    await rig.kill("api", noted=False)
    await rig.start_api(MAILROOM_FAILPOINT=str(point))
    box = next(iter(gauntlet.inboxes.values()))
    subject = f"A question for {point}."
    box.put(b"From: late@customers.example.com\r\nSubject: " + subject.encode() + b"\r\nMessage-ID: <late@customers.example.com>\r\n\r\nHello?\r\n")
    assert gauntlet.agents is not None
    answering = asyncio.create_task(gauntlet.agents.answer(subject, "answer-of-a-dead-api-end"))
    await until(f"the API falls at {point}", lambda: _gone(rig, "api"), 60)
    assert f"failpoint {point} reached" in rig.log("api")
    gauntlet.hit.add(point)
    await rig.start_api()
    await answering


async def _gone(rig: Rig, name: str) -> bool:
    return rig.process_of(name) is None
