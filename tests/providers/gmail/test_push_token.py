"""Google's tokens at the push webhook: each claim decides, no key is asked for by a forger's word, and silence proves nothing."""

import asyncio
from typing import Any

import httpx
import jwt
import pytest

from providers.errors import ProtocolBroken, Throttled, Unreachable
from providers.gmail.push_token import (
    ASK_AGAIN_SECONDS,
    KEEP_SECONDS,
    LONGEST_KEPT_SECONDS,
    NotOurs,
    PushTokens,
)
from tests.servers.google_push import ACCOUNT, AUDIENCE, GooglePush


@pytest.fixture(scope="module")
def keys() -> tuple[GooglePush, GooglePush]:
    """Google's, and somebody else's with the same id."""
    return GooglePush(), GooglePush()


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def google(keys: tuple[GooglePush, GooglePush]) -> GooglePush:
    keys[0].served, keys[0].status, keys[0].asked = [keys[0].public()], 200, 0
    return keys[0]


def door(google: GooglePush, clock: Clock | None = None, **changes: Any) -> PushTokens:
    given: dict[str, Any] = {"audience": AUDIENCE, "account": ACCOUNT} | changes
    return PushTokens(google.client(), now=clock or Clock(), **given)


async def test_push_authenticity_a_good_token_is_believed_and_keys_are_asked_for_once(google: GooglePush) -> None:
    tokens = door(google)
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        await tokens.check(google.token(iss=issuer))
    assert google.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example.com"},
        {"aud": [AUDIENCE, "https://other.example.com"]},
        {"aud": None},
        {"iss": "https://accounts.example.com"},
        {"iss": None},
        {"email": "somebody@else.iam.example.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nbf": 4102444800},
    ],
    ids=str,
)
async def test_push_authenticity_each_claim_decides(google: GooglePush, changes: dict[str, Any]) -> None:
    with pytest.raises(NotOurs):
        await door(google).check(google.token(**changes))


async def test_push_authenticity_a_foreign_signature_and_other_algorithms_are_refused(keys: tuple[GooglePush, GooglePush], google: GooglePush) -> None:
    claims = jwt.decode(google.token(), options={"verify_signature": False})
    forged = [
        keys[1].token(),  # the same id, another key
        jwt.encode(claims, "", algorithm="none", headers={"kid": google.kid}),
        jwt.encode(claims, "a secret that is long enough for HS256", algorithm="HS256", headers={"kid": google.kid}),
        google.token(headers={"kid": "unknown"}),
        google.token()[:-8] + "AAAAAAAA",
        "", "a.b.c", "x" * 9000,
    ]  # fmt: skip
    tokens = door(google)
    for token in forged:
        with pytest.raises(NotOurs):
            await tokens.check(token)
    assert google.asked == 1


async def test_without_audience_or_account_nothing_is_believed(google: GooglePush) -> None:
    for missing in ({"audience": None}, {"account": None}, {"audience": ""}):
        with pytest.raises(NotOurs):
            await door(google, **missing).check(google.token())
    assert google.asked == 0


async def test_a_new_key_is_fetched_but_a_forger_cannot_make_us_ask_often(google: GooglePush, keys: tuple[GooglePush, GooglePush]) -> None:
    clock = Clock()
    tokens = door(google, clock)
    await tokens.check(google.token())
    for number in range(50):
        with pytest.raises(NotOurs):
            await tokens.check(google.token(headers={"kid": f"f{number}"}))
    assert google.asked == 1
    google.served.append(keys[1].public(kid="k2"))
    clock.at += ASK_AGAIN_SECONDS
    await tokens.check(keys[1].token(headers={"kid": "k2"}))
    assert google.asked == 2


async def test_a_key_that_google_took_back_is_not_believed_for_long(google: GooglePush, keys: tuple[GooglePush, GooglePush]) -> None:
    clock = Clock()
    tokens = door(google, clock)
    await tokens.check(google.token())
    google.served = [keys[1].public(kid="k2")]
    clock.at += KEEP_SECONDS + 1
    with pytest.raises(NotOurs):
        await tokens.check(google.token())


async def test_keys_that_cannot_be_had_say_nothing_about_the_token(google: GooglePush) -> None:
    clock = Clock()
    tokens = door(google, clock)
    google.status = 503
    with pytest.raises(Unreachable):
        await tokens.check(google.token())
    with pytest.raises(Throttled):
        await tokens.check(google.token())
    assert google.asked == 1
    google.status = 200
    clock.at += ASK_AGAIN_SECONDS
    await tokens.check(google.token())
    google.served = "no list"  # type: ignore[assignment]
    with pytest.raises(ProtocolBroken):
        await door(google).check(google.token())


async def test_all_who_need_keys_at_once_share_one_answer(google: GooglePush, keys: tuple[GooglePush, GooglePush]) -> None:
    going, clock = asyncio.Event(), Clock()

    async def slowly(_request: httpx.Request) -> httpx.Response:
        google.asked += 1
        await going.wait()
        return httpx.Response(200, json={"keys": google.served})

    client = httpx.AsyncClient(transport=httpx.MockTransport(slowly))
    tokens = PushTokens(client, audience=AUDIENCE, account=ACCOUNT, now=clock)
    for turn in (1, 2):  # with no keys at all, then with keys that are too old
        callers = [asyncio.create_task(tokens.check(google.token())) for _ in range(20)]
        await asyncio.sleep(0)
        callers[0].cancel()  # the one that asked hangs up
        await asyncio.sleep(0)
        going.set()
        ended = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError, *[type(None)] * 19]
        assert google.asked == turn
        going.clear()
        clock.at += KEEP_SECONDS + 1
    await tokens.close()


async def test_while_google_gives_no_keys_the_old_ones_are_believed_for_some_hours(google: GooglePush, keys: tuple[GooglePush, GooglePush]) -> None:
    clock = Clock()
    tokens = door(google, clock)
    await tokens.check(google.token())
    google.status = 503
    clock.at += KEEP_SECONDS + 1
    await tokens.check(google.token())
    await tokens.check(google.token())
    assert google.asked == 2, "not at every call"
    with pytest.raises(Throttled):
        await tokens.check(keys[1].token(headers={"kid": "k2"}))  # nothing is known about it, so it is told again
    clock.at += LONGEST_KEPT_SECONDS - KEEP_SECONDS
    with pytest.raises(Unreachable):
        await tokens.check(google.token())
