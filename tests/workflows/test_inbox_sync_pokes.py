"""However often somebody says that there may be something new, the mailbox is asked at most once more."""

import asyncio
from dataclasses import dataclass, field, replace

from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from contracts.inbound import FetchOrder, FetchReport, InboxPlan, WakeReason
from tests.workflows.inbound_parts import CONNECTED, QUIET, Desk, workers
from tests.workflows.test_inbox_sync import start
from workflows.inbox_sync import InboxSync

POLLED = replace(CONNECTED, provider="gmail")


@dataclass
class SlowDesk(Desk):
    """A fetch lasts until it is let go; `mails` is what lies in the mailbox, `rows` what was stored of it."""

    plans: list[InboxPlan | Exception] = field(default_factory=lambda: [POLLED])
    going: asyncio.Event = field(default_factory=asyncio.Event)
    mails: set[str] = field(default_factory=set)
    rows: list[str] = field(default_factory=list)
    at_once: int = 0

    @activity.defn(name="inbound.fetch")
    async def fetch(self, order: FetchOrder) -> FetchReport:
        self.note("fetch")
        self.at_once += 1
        assert self.at_once == 1
        found = self.mails - set(self.rows)
        while not self.going.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)
        self.rows += sorted(found)
        self.at_once -= 1
        return QUIET


async def test_a_thousand_pokes_are_one_row_for_each_mail_and_at_most_two_fetches(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    desk = SlowDesk(wakes=[WakeReason.UNSUPPORTED] * 20, mails={"before"})
    client = time_skipping_env.client
    async with workers(client, desk):
        handle = await start(client, provider="gmail")
        await desk.reached("fetch")
        desk.mails.add("announced")
        for _ in range(20):
            await asyncio.gather(*(handle.signal(InboxSync.poke) for _ in range(50)))
        assert desk.names().count("fetch") == 1
        desk.going.set()
        await desk.reached("watch")
        assert desk.names().count("fetch") == 2
        assert desk.rows == ["before", "announced"]
        await handle.terminate()
