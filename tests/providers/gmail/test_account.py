"""How calls reach Google: tokens, connections, cancelling, faults of the wire, and the egress rule before it all."""

import asyncio
import logging
import socket
import threading
import time

import pytest

from providers.egress import EgressPolicy
from providers.errors import AuthFailed, EgressBlocked, ProtocolBroken, Throttled, TlsFailed, Unreachable
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.source import GmailSource
from providers.gmail.transport import AnswerTooLarge, CheckedHttp
from providers.secret import Secret
from tests.providers.gmail.conftest import ADDRESS, mail
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer


def profile(api, connection):
    return api.users.getProfile(userId="me").execute(http=connection)


def account_with(endpoint: GmailEndpoint, *tokens: str) -> GmailAccount:
    """An account whose token source gives these one after the other, then the last for ever."""
    left = list(tokens)

    async def access_token() -> Secret:
        return Secret(left.pop(0) if len(left) > 1 else left[0])

    return GmailAccount(access_token, endpoint=endpoint)


async def test_calls_share_a_connection(mailbox: GmailMailbox, google: GmailServer, account: GmailAccount) -> None:
    for _ in range(3):
        await account.repeatable(profile, units=1)
    assert google.connections == 1


async def test_an_expired_access_token_is_asked_for_once_more(
    google: GmailServer, mailbox: GmailMailbox, endpoint: GmailEndpoint
) -> None:
    stale, good = google.oauth.access_token(ADDRESS, lifetime=-1), google.oauth.access_token(ADDRESS)
    account = account_with(endpoint, stale, good)
    assert await GmailSource(account).addresses() == {ADDRESS}
    await account.close()


async def test_an_expired_token_inside_a_batch_counts_for_the_whole(
    google: GmailServer, mailbox: GmailMailbox, endpoint: GmailEndpoint
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(3)]
    stale, good = google.oauth.access_token(ADDRESS, lifetime=-1), google.oauth.access_token(ADDRESS)
    account = account_with(endpoint, stale, good)
    assert all(a.raw for a in await GmailSource(account).fetch(ids))
    await account.close()


async def test_a_revoked_grant_is_auth_failed(
    google: GmailServer, mailbox: GmailMailbox, account: GmailAccount
) -> None:
    google.oauth.revoke_all(ADDRESS)
    with pytest.raises(AuthFailed) as caught:
        await account.repeatable(profile, units=1)
    assert (caught.value.reason, caught.value.transient) == ("token_refused", False)
    assert google.calls("getProfile") == 0


async def test_a_kept_connection_that_was_closed_is_replaced(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount
) -> None:
    await account.repeatable(profile, units=1)
    google.faults.plan("getProfile", reset=True)
    assert (await account.repeatable(profile, units=1))["emailAddress"] == ADDRESS
    assert google.connections == 2


async def test_passing_server_errors_are_repeated_and_lasting_ones_told(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount
) -> None:
    google.faults.plan("getProfile", status=503, times=2)
    assert await account.repeatable(profile, units=1)
    google.faults.plan("getProfile", status=500, times=9)
    with pytest.raises(Unreachable) as caught:
        await account.repeatable(profile, units=1)
    assert caught.value.transient


@pytest.mark.parametrize(("status", "reason"), [(429, None), (403, "rateLimitExceeded"), (403, "userRateLimitExceeded")])
async def test_limit_errors_back_off_and_honour_retry_after(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, nap, status: int, reason: str | None
) -> None:
    google.faults.plan("getProfile", status=status, reason=reason, retry_after=9)
    assert await account.repeatable(profile, units=1)
    assert 9 <= nap.slept <= 10
    assert account.budget.rate < account.budget.limits.units_per_second


async def test_a_long_retry_after_is_the_callers_to_wait(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, nap
) -> None:
    google.faults.plan("getProfile", status=429, retry_after=600)
    with pytest.raises(Throttled) as caught:
        await account.repeatable(profile, units=1)
    assert caught.value.retry_after == 600
    with pytest.raises(Throttled) as again:  # the next call does not even ask
        await account.repeatable(profile, units=1)
    assert again.value.retry_after is not None
    assert again.value.retry_after > 590
    assert (google.calls("getProfile"), nap.slept) == (1, 0)


async def test_a_cancelled_call_never_gives_its_connection_to_another(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount
) -> None:
    await account.repeatable(profile, units=1)
    google.faults.plan("getProfile", status=200, hang=30)
    hanging = asyncio.create_task(account.repeatable(profile, units=1))
    for _ in range(500):
        if google.calls("getProfile") == 2:
            break
        await asyncio.sleep(0.01)
    began = time.monotonic()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    answer = await account.repeatable(profile, units=1)
    assert answer["emailAddress"] == ADDRESS
    assert google.connections == 2
    assert time.monotonic() - began < 5
    for _ in range(100):  # its thread ends soon too: the socket was cut under it
        if not account._idle or all(not one.interrupted for one in account._idle):
            break
        await asyncio.sleep(0.01)
    assert len(account._idle) == 1


async def test_an_address_that_egress_forbids_is_never_connected_to(google: GmailServer) -> None:
    account = account_with(GmailEndpoint(google.url, EgressPolicy()), "t")
    with pytest.raises(EgressBlocked):
        await account.repeatable(profile, units=1)
    assert google.connections == 0


async def test_a_certificate_that_is_not_trusted_gets_no_token(
    google: GmailServer, local_policy: EgressPolicy
) -> None:
    account = account_with(GmailEndpoint(google.url, local_policy), "t")  # knows public authorities only
    with pytest.raises(TlsFailed):
        await account.repeatable(profile, units=1)
    assert google.seen == []


async def test_nothing_listening_is_unreachable(closed_port: int, local_policy: EgressPolicy, nap) -> None:
    async def access_token() -> Secret:
        return Secret("t")

    endpoint = GmailEndpoint(f"http://127.0.0.1:{closed_port}/", local_policy)
    with pytest.raises(Unreachable):
        await GmailAccount(access_token, endpoint=endpoint, sleep=nap.sleep).repeatable(profile, units=1)


def test_the_token_does_not_follow_a_foreign_address(endpoint: GmailEndpoint) -> None:
    """An upload's address comes from an answer; it must not lead elsewhere."""
    http = CheckedHttp(endpoint)
    for uri in ("https://evil.example.com/x", endpoint.root_url.replace("https", "http"), "https://localhost:1/x"):
        with pytest.raises(ProtocolBroken):
            http.request(uri)


def test_a_redirect_is_not_followed(local_policy: EgressPolicy) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://evil.example.com/\r\nContent-Length: 0\r\n\r\n"
    port = answering(answer)
    http = CheckedHttp(GmailEndpoint(f"http://127.0.0.1:{port}/", local_policy))
    response, _ = http.request(f"http://127.0.0.1:{port}/x")
    http.close()
    assert response.status == 302


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(local_policy: EgressPolicy, answer: bytes) -> None:
    port = answering(answer)
    with pytest.raises(Unreachable):
        CheckedHttp(GmailEndpoint(f"http://127.0.0.1:{port}/", local_policy)).request(f"http://127.0.0.1:{port}/x")


def test_an_answer_larger_than_wanted_is_given_up(local_policy: EgressPolicy) -> None:
    port = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
    http = CheckedHttp(GmailEndpoint(f"http://127.0.0.1:{port}/", local_policy))
    http.limit = 1000
    with pytest.raises(AnswerTooLarge):
        http.request(f"http://127.0.0.1:{port}/x")
    assert not http.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nnot json!",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Length: 7\r\n\r\n--b--\r\n",
    ],
)
async def test_nonsense_in_an_answer_is_protocol_broken(local_policy: EgressPolicy, answer: bytes) -> None:
    port = answering(answer, times=4)
    account = account_with(GmailEndpoint(f"http://127.0.0.1:{port}/", local_policy), "t")
    with pytest.raises(ProtocolBroken):
        await GmailSource(account).fetch(["a", "b"])
    await account.close()


async def test_error_answers_leave_no_words_in_logs_or_errors(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status, reason in ((403, "forbidden"), (400, None), (500, None)):
        google.faults.plan("getProfile", status=status, reason=reason, times=3)
        with pytest.raises(Exception) as caught:  # whichever: it must keep quiet
            await account.repeatable(profile, units=1)
        shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
        assert "secret words" not in shown
        google.faults.clear()
    assert "secret words" not in caplog.text
    assert "ya29" not in caplog.text
    assert ADDRESS not in caplog.text


@pytest.mark.parametrize("url", ["http://mail.example.com/", "https://gmail.googleapis.com", "ftp://x/", "https:///"])
def test_an_unusable_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Gmail address"):
        GmailEndpoint(url)


def test_every_address_of_the_client_is_ours(endpoint: GmailEndpoint) -> None:
    """Batches and uploads too: given only as `api_endpoint`, they would go to Google."""
    api = endpoint.api
    assert api.service.new_batch_http_request()._batch_uri.startswith(endpoint.root_url)
    assert api.drafts.create(userId="me", body={}).uri.startswith(endpoint.root_url)


def answering(answer: bytes, times: int = 1) -> int:
    """A port where that many connections get one answer, whatever they ask."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening:
            for _ in range(times):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


async def test_a_refused_token_is_reported_and_the_next_one_tried(
    google: GmailServer, mailbox: GmailMailbox, endpoint: GmailEndpoint
) -> None:
    stale, good = google.oauth.access_token(ADDRESS, lifetime=-1), google.oauth.access_token(ADDRESS)
    told: list[str] = []

    async def access_token() -> Secret:
        return Secret(good if told else stale)

    async def refused(token: Secret) -> None:
        told.append(token.reveal())

    account = GmailAccount(access_token, refused=refused, endpoint=endpoint)
    assert await GmailSource(account).addresses() == {ADDRESS}
    assert told == [stale]
    await account.close()
