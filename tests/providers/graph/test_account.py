"""What holds for every call: retries where they are safe, and none where they are not."""

import asyncio

import pytest

from providers.errors import EgressBlocked, Throttled, Unreachable
from providers.graph.account import GraphAccount, Reply, Request
from providers.graph.endpoint import GraphEndpoint
from providers.secret import Secret
from tests.providers.graph.conftest import LOCAL, TLS, mail


async def test_a_write_is_never_repeated_after_a_lost_answer(account, graph, box):
    item = box.deliver(mail(1))
    graph.faults.plan("messages.move", reset=True)
    with pytest.raises(Unreachable):
        await account.write(Request("POST", f"messages/{item.immutable_id}/move", json={"destinationId": "archive"}))
    assert graph.count("messages.move") == 1


async def test_a_read_gives_up_after_three_tries(account, graph, box):
    graph.faults.plan("folders.get", 503, times=9)
    with pytest.raises(Unreachable):
        await account.read(Request("GET", "mailFolders/inbox"))
    assert graph.count("folders.get") == 3


async def test_when_one_call_is_throttled_the_others_wait_too(account, graph, box, opened):
    graph.faults.plan("folders.get", 429, headers={"Retry-After": "5"})
    await account.read(Request("GET", "mailFolders/inbox"))
    opened.slept.clear()
    await account.read(Request("GET", "mailFolders/drafts"))
    assert opened.slept
    assert 4 < opened.slept[0] <= 5


async def test_four_calls_at_a_time_share_one_account(account, graph, box):
    for _ in range(8):
        graph.faults.plan("folders.get", 503, hang=0.03)
    await asyncio.gather(*(account.read(Request("GET", "mailFolders/inbox")) for _ in range(12)))
    assert 1 < graph.peak <= 4


async def test_a_batch_of_many_is_cut_into_twenties(account, graph, box):
    answers = await account.batch([Request("GET", "mailFolders/inbox?$select=id") for _ in range(45)])
    assert all(isinstance(one, Reply) for one in answers)
    assert graph.count("batch") == 3


async def test_an_item_of_a_batch_that_stays_throttled_is_told_singly(account, graph, box):
    graph.faults.plan("folders.get", 429, item="drafts", times=9, headers={"Retry-After": "1"})
    ok, limited = await account.batch([Request("GET", f"mailFolders/{name}") for name in ("inbox", "drafts")])
    assert isinstance(ok, Reply)
    assert isinstance(limited, Throttled)


async def test_nothing_listens(closed_port, graph):
    async def token():
        return Secret("x")

    async def sleep(_):
        """No time passes."""

    account = GraphAccount(token, endpoint=GraphEndpoint(f"http://127.0.0.1:{closed_port}/v1.0/", policy=LOCAL, tls=TLS), sleep=sleep)
    with pytest.raises(Unreachable):
        await account.read(Request("GET", "mailFolders/inbox"))
    await account.close()


async def test_an_address_inside_is_blocked_like_every_other(graph):
    async def token():
        return Secret("x")

    account = GraphAccount(token, endpoint=GraphEndpoint(graph.root, tls=TLS))
    with pytest.raises(EgressBlocked):
        await account.read(Request("GET", "mailFolders/inbox"))
    await account.close()


async def test_no_address_is_logged(account, graph, box, caplog):
    with caplog.at_level("DEBUG"):
        await account.read(Request("GET", "mailFolders/inbox"))
    assert "mailFolders" not in caplog.text
    assert graph.url not in caplog.text


async def test_a_refused_token_is_reported_and_the_next_one_tried(graph, box):
    stale, good = graph.login.access_token(box.address, seconds=-1), graph.login.access_token(box.address)
    told = []

    async def token():
        return Secret(good if told else stale)

    async def refused(one):
        told.append(one.reveal())

    account = GraphAccount(token, refused=refused, endpoint=GraphEndpoint(graph.root, policy=LOCAL, tls=TLS))
    await account.read(Request("GET", "mailFolders/inbox"))
    assert told == [stale]
    await account.close()
