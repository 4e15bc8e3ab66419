"""Mail comes in and answers go out over links that hang up, reset, fall silent, delay and corrupt; every invariant is whole.

A proxy stands before each of IMAP, SMTP, PostgreSQL, S3 and Temporal, and one after the other breaks in every way. A flipped
bit is for the links that are encrypted: on the others nobody could notice it, which is why mail goes over TLS.
"""

import asyncio
import contextlib
import datetime as dt
import random
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.mailbox import mails
from tests.faults.cursor_watch import CursorWatch
from tests.faults.invariants import Witnesses, check
from tests.faults.people import Agents, Customers, beside
from tests.faults.post_boxes import PostOffice, post_office
from tests.faults.quiet import wait_until_quiet
from tests.faults.rig import Rig, connect_inbox
from tests.faults.tcp_proxy import Action, Corrupt, Delay, Direction, HangUp, Reset, Silence, TcpProxy

PHASE = 0.5
LONGEST = 4.0
HISTORY = 250
FAULTS: tuple[tuple[Action, Direction], ...] = (
    (HangUp(), "down"),
    (HangUp(), "up"),
    (Reset(), "down"),
    (Silence(), "down"),
    (Delay(0.05), "both"),
)
BIT: tuple[Action, Direction] = (Corrupt(), "down")
ADDRESS = "links@mailroom.example.com"


@contextmanager
def proxies(ports: dict[str, int]) -> Iterator[dict[str, TcpProxy]]:
    with ExitStack() as stack:
        made = {name: TcpProxy(port) for name, port in ports.items()}
        for proxy in made.values():
            proxy.start()
            stack.callback(proxy.stop)
        yield made


def through(url: str, proxy: TcpProxy) -> str:
    """The address with the proxy's port."""
    changed = re.sub(r":\d+(?=/|$)", f":{proxy.port}", url)
    assert changed != url
    return changed


@pytest.mark.timeout(400)
async def test_bad_links_break_no_invariant(tmp_path: Path) -> None:
    async with post_office(tmp_path) as post:
        rig = Rig(tmp_path / "data", hasty=True, durable=False)
        box = post.box(ADDRESS)
        old = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
        for number, raw in enumerate(mails(HISTORY, seed=4, to=box.address)):
            box.put(raw, received=old + dt.timedelta(minutes=number), seen=True)
        try:
            await rig.start_servers()
            stack = rig.stack
            ports = {
                "imap": post.secure_port or post.port,
                "smtp": post.smtp.tls_port,
                "postgres": stack.postgres.port,
                "s3": stack.s3.port,
                "temporal": stack.temporal.port,
            }
            with proxies(ports) as links:
                rig.detours = {
                    "MAILROOM_DATABASE_URL": through(stack.database_url, links["postgres"]),
                    "MAILROOM_S3_ENDPOINT": through(stack.s3_endpoint, links["s3"]),
                    "MAILROOM_TEMPORAL_ADDRESS": through(stack.temporal_address, links["temporal"]),
                }
                await rig.start_programs()
                await _talk_over(rig, post, links, tmp_path)
        finally:
            await rig.stop()


async def _talk_over(rig: Rig, post: PostOffice, links: dict[str, TcpProxy], directory: Path) -> None:
    chance = random.Random(9)
    box = next(iter(post.made))
    imap: dict[str, Any] = {**box.imap, "port": links["imap"].port, "security": "tls" if post.secure_port else "plain"}
    smtp = {**post.submission, "port": links["smtp"].port, "security": "tls"}
    encrypted = {"smtp", *(["imap"] if post.secure_port else [])}
    async with rig.desk() as api, rig.client(rig.stranger_key) as stranger:
        with CursorWatch(rig.stack.database_admin_url) as cursors:
            inbox = await connect_inbox(api, address=box.address, imap=imap, smtp=smtp, verify_tls=False)
            agents, customers = Agents(api, inbox), Customers(box)
            answers: list[asyncio.Task[str]] = []
            async with beside(agents.look()):
                for name, proxy in links.items():
                    for action, direction in (*FAULTS, *([BIT] if name in encrypted else [])):
                        number = len(answers)
                        customers.write(f"person-{number}", f"Question {number} over bad links.")
                        answers.append(asyncio.create_task(agents.answer(f"Question {number} over bad links.", f"links-{number:03d}-end")))
                        struck = proxy.struck
                        proxy.cut_all()  # so that there are new connections, whose first octets the rule can meet
                        proxy.on(action, direction=direction, after_bytes=chance.choice((0, 1, 40, 300)))
                        ends = time.monotonic() + LONGEST
                        while proxy.struck == struck and time.monotonic() < ends:
                            if name == "imap":  # a watch that was cut short is not begun again for a while
                                with contextlib.suppress(httpx.TransportError):
                                    await api.post(f"/v1/inboxes/{inbox}/resync", json={"scope": "new"})
                            await asyncio.sleep(PHASE)
                        await asyncio.sleep(PHASE)
                        proxy.behave()
                        proxy.cut_all()  # what was silenced would stay so until the other side's patience ends
                    assert proxy.struck > 2, f"rules acted {proxy.struck} times on {name}"
                wrong = [one for one in await asyncio.gather(*answers, return_exceptions=True) if isinstance(one, BaseException)]
            assert not wrong, f"{wrong}\n{rig.log_tail()}"
            left = await wait_until_quiet(rig, {inbox: box}, within=200)
            report = await check(
                rig.stack.database_admin_url,
                Witnesses(
                    bucket=rig.bucket(),
                    stranger_id=rig.stranger_id,
                    mailboxes={inbox: await asyncio.to_thread(box.truth)},
                    accepted=tuple(post.smtp.accepted),
                    asked=agents.asked,
                    open_workflows=await rig.open_workflows(),
                    cursors=cursors,
                    tenant_id=rig.tenant_id,
                    api=api,
                    stranger=stranger,
                ),
            )
    print(report)
    assert report.holds, f"{report}\nstill to do: {left}\n{rig.log_tail()}"
    assert not left
    assert report.quarantined == 0
