"""The code flow, PKCE and renewals against `emulate`: the sign-in of Google and Entra as others read their documentation.

Left to our own stand-ins: what a person ticks, AADSTS numbers, application permission, consent that is withdrawn between two calls, and `login_hint`
(emulate shows all accounts). Its addresses differ too: Google's token endpoint has another path, Entra's have no tenant, and Gmail has no
profile, so whose mailbox it is comes from `userinfo`. At Entra a renewed refresh token lives on for a while; here it dies at once,
which is the stricter reading.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.errors import AuthFailed, AuthUnavailable
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.sender import GmailSender
from providers.gmail.source import GmailSource
from providers.oauth.application import Application, google, microsoft
from providers.oauth.signing_in import SigningIn, authorise_url, lacking
from providers.secret import Secret
from tests.servers.emulate import ADDRESS, BACK, CLIENT_ID, CLIENT_SECRET, Emulate, agree, needs_emulate

pytestmark = [pytest.mark.emulate, needs_emulate]

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B


@pytest.fixture
def at_google(emulated_google: Emulate) -> Application:
    made = google(CLIENT_ID, Secret(CLIENT_SECRET), root=emulated_google.url)
    return replace(
        made,
        token_url=f"{emulated_google.url}oauth2/token",
        profile_url=f"{emulated_google.url}oauth2/v2/userinfo",
        address_fields=("email",),
    )


@pytest.fixture
def at_microsoft(emulated_microsoft: Emulate) -> Application:
    url = emulated_microsoft.url
    made = microsoft(CLIENT_ID, Secret(CLIENT_SECRET), root=url, graph=f"{url}v1.0/")
    return replace(made, authorise_url=f"{url}oauth2/v2.0/authorize", token_url=f"{url}oauth2/v2.0/token")


@pytest.fixture
def signing_in(local_policy: EgressPolicy) -> SigningIn:
    return SigningIn(local_policy)


def agreed(application: Application, *, state: str = "state-1", verifier: str = VERIFIER) -> str:
    url = authorise_url(application, redirect_uri=BACK, state=state, verifier=verifier, address=ADDRESS)
    back = agree(url)
    assert back["state"] == state
    return back["code"]


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_code_becomes_tokens_of_the_account_that_agreed(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn
) -> None:
    application: Application = request.getfixturevalue(which)
    code = agreed(application, state="a+b/c= d")  # what needs quoting comes back as it was
    tokens = await signing_in.exchange(application, code=code, redirect_uri=BACK, verifier=VERIFIER)
    assert tokens.refresh is not None
    assert 3000 < tokens.seconds <= 3600
    assert lacking(application, tokens.scopes) == ()
    assert await signing_in.addresses(application, tokens.access) == {ADDRESS}
    renewed = await signing_in.refresh(application, tokens.refresh)
    assert renewed.access.reveal() != tokens.access.reveal()
    with pytest.raises(AuthFailed):  # RFC 6749 §4.1.2: a code is good once
        await signing_in.exchange(application, code=code, redirect_uri=BACK, verifier=VERIFIER)


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_code_without_its_verifier_is_worth_nothing(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn
) -> None:
    application: Application = request.getfixturevalue(which)
    code = agreed(application)
    with pytest.raises(AuthFailed) as caught:
        await signing_in.exchange(application, code=code, redirect_uri=BACK, verifier="w" * 64)
    assert code not in str(caught.value)


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_wrong_secret_is_the_operators_and_ends_no_grant(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn
) -> None:
    application: Application = request.getfixturevalue(which)
    tokens = await signing_in.exchange(application, code=agreed(application), redirect_uri=BACK, verifier=VERIFIER)
    assert tokens.refresh is not None
    for wrong in (replace(application, client_secret=Secret("another")), replace(application, client_id="another")):
        with pytest.raises(AuthUnavailable) as caught:
            await signing_in.refresh(wrong, tokens.refresh)
        assert caught.value.reason == "application_unknown"
    assert (await signing_in.refresh(application, tokens.refresh)).access


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_grant_that_was_withdrawn_asks_for_a_person(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn
) -> None:
    application: Application = request.getfixturevalue(which)
    tokens = await signing_in.exchange(application, code=agreed(application), redirect_uri=BACK, verifier=VERIFIER)
    assert tokens.refresh is not None
    form = {"token": tokens.refresh.reveal(), "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    async with httpx.AsyncClient() as person:
        answer = await person.post(httpx.URL(application.token_url).join("revoke"), data=form)  # beside the token endpoint
    assert answer.status_code == 200
    with pytest.raises(AuthFailed) as caught:
        await signing_in.refresh(application, tokens.refresh)
    assert caught.value.reason == "grant_revoked"


async def test_a_rotated_refresh_token_is_told_and_the_old_one_is_dead(at_microsoft: Application, signing_in: SigningIn) -> None:
    tokens = await signing_in.exchange(at_microsoft, code=agreed(at_microsoft), redirect_uri=BACK, verifier=VERIFIER)
    assert tokens.refresh is not None
    first = await signing_in.refresh(at_microsoft, tokens.refresh)
    assert first.refresh is not None
    assert first.refresh.reveal() != tokens.refresh.reveal()
    assert (await signing_in.refresh(at_microsoft, first.refresh)).refresh is not None
    with pytest.raises(AuthFailed):
        await signing_in.refresh(at_microsoft, tokens.refresh)


async def test_a_code_for_another_way_back_is_refused(at_microsoft: Application, signing_in: SigningIn) -> None:
    """RFC 6749 §4.1.3; emulate looks at it for Entra only."""
    code = agreed(at_microsoft)
    with pytest.raises(AuthFailed):
        await signing_in.exchange(at_microsoft, code=code, redirect_uri="https://other.example.com/", verifier=VERIFIER)


@pytest_asyncio.fixture(loop_scope="session")
async def consented(
    at_google: Application, signing_in: SigningIn, emulated_google: Emulate, local_policy: EgressPolicy
) -> AsyncIterator[GmailAccount]:
    """Gmail, opened by a token of a real consent that is renewed for each call."""
    tokens = await signing_in.exchange(at_google, code=agreed(at_google), redirect_uri=BACK, verifier=VERIFIER)
    refresh = tokens.refresh
    assert refresh is not None

    async def access_token() -> Secret:
        return (await signing_in.refresh(at_google, refresh)).access

    account = GmailAccount(access_token, endpoint=GmailEndpoint(emulated_google.url, local_policy))
    yield account
    await account.close()


async def test_a_consent_opens_the_mailbox_of_who_agreed(consented: GmailAccount) -> None:
    raw = f"From: {ADDRESS}\r\nTo: ann@example.org\r\nSubject: s\r\nMessage-ID: <consented@example.org>\r\n\r\nhello\r\n".encode()
    sender = GmailSender(consented)
    sent = await sender.submit(await sender.prepare(raw))
    (found,) = await GmailSource(consented).fetch([sent.id])
    assert b"hello" in (found.raw or b"")
