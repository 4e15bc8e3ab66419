"""A POST to an address that a tenant chose: statuses are told, redirects are not followed, giants and sleepers are left."""

import asyncio

import pytest

from providers import egress
from providers.egress import EgressPolicy, tls_context
from providers.webhook_post import MOST_OCTETS, Posted, WebhookPost
from tests.servers.webhook_receiver import HUGE, receiver

HEADERS = {"webhook-id": "1"}
LONG = 60.0
TLS = tls_context()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "BLUR", (0.0, 0.0))


async def posted(policy: EgressPolicy, url: str, *, seconds: float = LONG) -> Posted:
    async with WebhookPost(policy, TLS, seconds=seconds) as door:
        return await door.post(url, b"{}", HEADERS)


@pytest.mark.parametrize("status", [200, 204, 410, 500])
async def test_the_status_is_told_and_how_long_it_took(local_policy: EgressPolicy, status: int) -> None:
    async with receiver(status) as there:
        said = await posted(local_policy, there.url)
    assert (said.status, said.error) == (status, None)
    assert said.milliseconds is not None
    assert [(t.path, t.body, t.headers["webhook-id"]) for t in there.told] == [("/hooks", b"{}", "1")]


async def test_a_redirect_is_an_answer_and_leads_nowhere(local_policy: EgressPolicy) -> None:
    async with receiver("redirect", 200) as there:
        assert (await posted(local_policy, there.url)).status == 302
    assert [t.path for t in there.told] == ["/hooks"]


async def test_a_giant_is_read_to_the_cap_only(local_policy: EgressPolicy) -> None:
    async with receiver("huge") as there:
        assert (await posted(local_policy, there.url)).status == 200
        # What lies in the sockets' buffers was sent without having been read.
        assert MOST_OCTETS < there.sent_octets < HUGE / 2


@pytest.mark.parametrize(("answer", "said"), [("hang", Posted(error="timeout")), ("drop", Posted(error="unreachable")), ("babble", Posted(error="not_http"))])
async def test_who_gives_no_status_is_told_by_a_word_and_without_a_time(local_policy: EgressPolicy, answer: str, said: Posted) -> None:
    async with receiver(answer) as there:
        assert await posted(local_policy, there.url, seconds=0.5 if answer == "hang" else LONG) == said
    assert len(there.told) == 1


async def test_a_status_counts_though_the_rest_never_comes(local_policy: EgressPolicy) -> None:
    async with receiver("stall") as there:
        said = await posted(local_policy, there.url, seconds=2.0)
    assert (said.status, said.error) == (200, None)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://169.254.169.254/latest", "http://8.8.8.8:443/", "https://8.8.8.8:8443/", "http://8.8.8.8/"])
async def test_what_may_not_be_reached_is_blocked_whatever_is_there(url: str) -> None:
    assert await posted(EgressPolicy(), url) == Posted(error="blocked")


async def test_one_who_hangs_keeps_nobody_else_waiting(local_policy: EgressPolicy) -> None:
    async with receiver("hang") as sleeper, receiver(200) as awake:
        waiting = [asyncio.create_task(posted(local_policy, sleeper.url)) for _ in range(30)]
        assert (await posted(local_policy, awake.url)).status == 200
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
