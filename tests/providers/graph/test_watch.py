"""Subscriptions: what is granted counts, both addresses are validated, and what is gone is said to be."""

import html
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest

from providers.errors import Refused
from providers.graph.watch import GraphWatch, SubscriptionGone
from providers.secret import Secret
from tests.providers.graph.conftest import ADDRESS, mail

HOOK, LIFE = "https://hooks.example.com/graph", "https://hooks.example.com/graph/life"
STATE = Secret("0123456789abcdef0123456789abcdef")


@pytest.fixture
def asked(graph):
    """Answers the handshake as our endpoint would; the addresses that were asked."""
    seen = []

    def post(url, body, content_type):
        parts = urllib.parse.urlsplit(url)
        seen.append(parts.path)
        token = urllib.parse.parse_qs(parts.query)["validationToken"][0]
        return 200, "text/plain; charset=utf-8", html.escape(token).encode()

    graph.subscriptions.post = post
    return seen


@pytest.fixture
def watch(account, asked):
    return GraphWatch(account)


async def test_both_addresses_are_validated(watch, asked):
    await watch.create(HOOK, LIFE, STATE)
    assert asked == ["/graph", "/graph/life"]


async def test_an_address_that_does_not_echo_is_named(graph, watch):
    graph.subscriptions.post = lambda *_: (200, "text/html", b"hello")
    with pytest.raises(Refused) as caught:
        await watch.create(HOOK, LIFE, STATE)
    assert caught.value.reason == "notification_url_unreachable"


async def test_the_granted_expiry_counts_not_the_wanted_one(graph, watch):
    graph.subscriptions.granted_minutes = 1440
    made = await watch.create(HOOK, LIFE, STATE)
    left = made.expires_at - datetime.now(UTC)
    assert timedelta(minutes=1438) < left <= timedelta(minutes=1440)


async def test_a_subscription_lives_under_seven_days(graph, watch):
    made = await watch.create(HOOK, LIFE, STATE)
    assert timedelta(days=6.9) < made.expires_at - datetime.now(UTC) < timedelta(days=7)


async def test_a_cloud_that_allows_only_4230_minutes_is_asked_for_those(graph, watch):
    graph.subscriptions.refused_over = 4230
    made = await watch.create(HOOK, LIFE, STATE)
    assert timedelta(minutes=4200) < made.expires_at - datetime.now(UTC) <= timedelta(minutes=4230)
    renewed = await watch.renew(made.id)
    assert renewed.expires_at >= made.expires_at


async def test_under_45_minutes_is_raised(graph, watch):
    made = await watch.create(HOOK, LIFE, STATE, wanted=timedelta(minutes=5))
    assert made.expires_at - datetime.now(UTC) > timedelta(minutes=44)


async def test_renewing_and_reauthorizing_a_subscription_that_is_gone(graph, watch):
    made = await watch.create(HOOK, LIFE, STATE)
    await watch.reauthorize(made.id)
    assert graph.subscriptions.find(made.id).reauthorized == 1
    await watch.delete(made.id)
    await watch.delete(made.id)
    with pytest.raises(SubscriptionGone):
        await watch.renew(made.id)
    with pytest.raises(SubscriptionGone):
        await watch.reauthorize(made.id)


async def test_a_refused_subscription_says_that_polling_goes_on(graph, watch):
    graph.subscriptions.limit = 1
    await watch.create(HOOK, LIFE, STATE)
    with pytest.raises(Refused) as caught:
        await watch.create(HOOK, LIFE, STATE)
    assert caught.value.reason == "subscriptions_refused"


async def test_subscriptions_that_nobody_knows_are_found(graph, watch):
    made = await watch.create(HOOK, LIFE, STATE)
    await watch.create("https://other.example.com/hook", LIFE, STATE)
    assert [one.id for one in await watch.ours(HOOK)] == [made.id]


async def test_client_state_is_at_most_128_characters_and_comes_back_with_notices(graph, watch, box):
    with pytest.raises(ValueError, match="client_state"):
        await watch.create(HOOK, LIFE, Secret("x" * 129))
    await watch.create(HOOK, LIFE, STATE)
    item = box.deliver(mail(1))
    sent = []
    graph.subscriptions.flush(lambda url, body: sent.append((url, body["value"][0])))
    [(url, notice)] = sent
    assert url == HOOK
    assert notice["clientState"] == STATE.reveal()
    assert notice["changeType"] == "created"
    assert notice["resourceData"]["id"] == item.immutable_id


async def test_notices_bear_immutable_ids_because_the_header_was_sent_at_creation(graph, watch, box):
    item = box.deliver(mail(1))
    await watch.create(HOOK, LIFE, STATE, folder="archive")
    box.move(item.immutable_id, "archive")
    sent = []
    graph.subscriptions.flush(lambda url, body: sent.append(body["value"][0]["resourceData"]["id"]))
    assert sent == [item.immutable_id]


async def test_a_move_out_of_a_watched_folder_is_told_as_deleted(graph, watch, box):
    item = box.deliver(mail(1))
    await watch.create(HOOK, LIFE, STATE, folder="inbox")
    box.move(item.immutable_id, "archive")
    sent = []
    graph.subscriptions.flush(lambda url, body: sent.append(body["value"][0]["changeType"]))
    assert sent == ["deleted"]
    assert box.find(item.immutable_id)


async def test_a_shared_mailbox_is_watched_by_its_address(graph, opened, asked):
    shared = graph.mailbox("team@example.com")
    shared.delegates.add(ADDRESS)
    graph.mailbox(ADDRESS)
    made = await GraphWatch(opened("team@example.com")).create(HOOK, LIFE, STATE)
    assert graph.subscriptions.find(made.id).mailbox is shared


async def test_an_ambiguous_creation_is_not_repeated(graph, watch):
    graph.faults.plan("subscriptions.create", 500, after_accept=True)
    with pytest.raises(Exception, match="problem of its own"):
        await watch.create(HOOK, LIFE, STATE)
    assert graph.count("subscriptions.create") == 1
    assert len(await watch.ours(HOOK)) == 1
