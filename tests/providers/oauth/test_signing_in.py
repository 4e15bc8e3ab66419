"""The code flow and renewals against the stand-ins of Google and Microsoft."""

import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from providers.egress import EgressPolicy
from providers.errors import AuthFailed, AuthUnavailable, ProtocolBroken
from providers.oauth.application import Application, google, microsoft
from providers.oauth.signing_in import SigningIn, authorise_url, challenge, lacking
from providers.secret import Secret
from tests.servers.certificates import Certificates
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_server import GraphServer

ADDRESS = "support@example.com"
BACK = "https://desk.example.com/oauth/callback"
VERIFIER = "v" * 64


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        server.mailbox(ADDRESS)
        server.login.user = ADDRESS
        yield server


@pytest.fixture
def signing_in(local_policy: EgressPolicy, certificates: Certificates) -> SigningIn:
    return SigningIn(local_policy, tls=certificates.client_context())


@pytest.fixture
def at_google(google: GmailServer) -> Application:
    google.add_mailbox(ADDRESS)
    return made_for_google(google)


def made_for_google(server: GmailServer) -> Application:
    return google(server.oauth.client_id, Secret(server.oauth.client_secret), root=server.url)


@pytest.fixture
def at_microsoft(graph: GraphServer) -> Application:
    tenant = graph.authority.rpartition("/")[2]
    return microsoft(
        graph.login.client_id, Secret(graph.login.client_secret), tenant=tenant, root=f"{graph.url}/", graph=graph.root
    )


def agreed(application: Application, tls: ssl.SSLContext, state: str = "state-1") -> dict[str, str]:
    """What the browser is sent back with after the person has agreed."""
    url = authorise_url(application, redirect_uri=BACK, state=state, verifier=VERIFIER, address=ADDRESS)
    answer = httpx.get(url, verify=tls)
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == BACK
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636 appendix B
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_code_becomes_tokens_of_the_account_that_agreed(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn, certificates: Certificates
) -> None:
    application: Application = request.getfixturevalue(which)
    back = agreed(application, certificates.client_context())
    assert back["state"] == "state-1"
    tokens = await signing_in.exchange(application, code=back["code"], redirect_uri=BACK, verifier=VERIFIER)
    assert tokens.refresh is not None
    assert 3000 < tokens.seconds <= 3600
    assert lacking(application, tokens.scopes) == ()
    assert await signing_in.addresses(application, tokens.access) == {ADDRESS}
    renewed = await signing_in.refresh(application, tokens.refresh)
    assert renewed.access != tokens.access
    with pytest.raises(AuthFailed):  # a code is good once
        await signing_in.exchange(application, code=back["code"], redirect_uri=BACK, verifier=VERIFIER)


@pytest.mark.parametrize("which", ["at_google", "at_microsoft"])
async def test_a_code_without_its_verifier_is_worth_nothing(
    which: str, request: pytest.FixtureRequest, signing_in: SigningIn, certificates: Certificates
) -> None:
    application: Application = request.getfixturevalue(which)
    back = agreed(application, certificates.client_context())
    with pytest.raises(AuthFailed):
        await signing_in.exchange(application, code=back["code"], redirect_uri=BACK, verifier="w" * 64)


async def test_a_scope_that_was_not_ticked_is_named(
    google: GmailServer, at_google: Application, signing_in: SigningIn, certificates: Certificates
) -> None:
    google.oauth.granted_scopes = at_google.asked[1:]
    back = agreed(at_google, certificates.client_context())
    tokens = await signing_in.exchange(at_google, code=back["code"], redirect_uri=BACK, verifier=VERIFIER)
    assert lacking(at_google, tokens.scopes) == at_google.required


def test_microsoft_writes_scopes_with_graphs_address(at_microsoft: Application) -> None:
    written = tuple(f"https://graph.microsoft.com/{scope.lower()}" for scope in at_microsoft.required)
    assert lacking(at_microsoft, written) == ()


async def test_a_withdrawn_consent_at_google_ends_the_grant(
    google: GmailServer, at_google: Application, signing_in: SigningIn
) -> None:
    token = google.oauth.refresh_token(ADDRESS)
    google.oauth.revoke_all(ADDRESS)
    with pytest.raises(AuthFailed) as caught:
        await signing_in.refresh(at_google, Secret(token))
    assert caught.value.reason == "grant_revoked"
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("why", "reason"), [("expired", "grant_idle"), ("password_changed", "password_reset"), ("revoked", "grant_expired")]
)
async def test_microsoft_says_why_a_grant_ended(
    graph: GraphServer, at_microsoft: Application, signing_in: SigningIn, why: str, reason: str
) -> None:
    token = graph.login.refresh_token(ADDRESS)
    graph.login.break_refresh(ADDRESS, why)
    with pytest.raises(AuthFailed) as caught:
        await signing_in.refresh(at_microsoft, Secret(token))
    assert caught.value.reason == reason


async def test_a_wrong_secret_does_not_end_the_grant(
    graph: GraphServer, at_microsoft: Application, signing_in: SigningIn
) -> None:
    graph.login.app_broken = "secret_expired"
    with pytest.raises(AuthUnavailable) as caught:
        await signing_in.refresh(at_microsoft, Secret(graph.login.refresh_token(ADDRESS)))
    assert caught.value.reason == "secret_expired"


async def test_what_is_not_oauth_is_told_apart(
    graph: GraphServer, at_microsoft: Application, signing_in: SigningIn
) -> None:
    elsewhere = microsoft("id", Secret("secret"), root=f"{graph.url}/v1.0/", graph=graph.root)
    with pytest.raises(ProtocolBroken):
        await signing_in.refresh(elsewhere, Secret("token"))


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="https"):
        google("id", Secret("secret"), root="http://accounts.example.com/")
