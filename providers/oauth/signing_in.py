"""The code flow with PKCE (RFC 6749 §4.1, RFC 7636) and the renewal of tokens (§6), through the egress rule."""

import base64
import contextlib
import hashlib
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from providers.egress import EgressPolicy, tls_context
from providers.egress_http import web_client
from providers.errors import AuthFailed, AuthUnavailable, ProtocolBroken, ProviderError, Refused
from providers.oauth.application import Application
from providers.oauth.faults import fault_of
from providers.secret import Secret

SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024
LONGEST_LIFE = 24 * 3600
NOT_OPENED = (
    "mailbox_not_opened",
    "The mailbox does not open. Check its address, give the account full access to it, or the application in the access policy.",
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """`seconds` is how long the access token is good. `refresh` is None when the answer brings none: the old one stays.
    `refresh_seconds` is its life where the provider tells it (Google, for an application that is in testing).
    """

    access: Secret
    seconds: int
    refresh: Secret | None
    scopes: tuple[str, ...]
    refresh_seconds: int | None = None


def challenge(verifier: str) -> str:
    """S256 of RFC 7636 §4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorise_url(application: Application, *, redirect_uri: str, state: str, verifier: str, address: str) -> str:
    """Where the person agrees. `address` only fills the field of the account; the person may choose another."""
    query = {
        "client_id": application.client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": " ".join(application.asked),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        "login_hint": address,
        **dict(application.extras),
    }
    return f"{application.authorise_url}?{urlencode(query)}"


def lacking(application: Application, scopes: Sequence[str], *, shared: bool = False) -> tuple[str, ...]:
    """Required scopes that were not granted. Microsoft writes some with Graph's address before them, in any case."""
    granted = {scope.rpartition("graph.microsoft.com/")[2].casefold() for scope in scopes}
    wanted = application.required + (application.shared if shared else ())
    return tuple(scope for scope in wanted if scope.casefold() not in granted)


class SigningIn:
    """Asks the token endpoint of any application. Each call has a connection of its own: they are rare and the answer to a
    lost connection matters. Errors are ProviderErrors that quote nothing of the answer.
    """

    def __init__(self, policy: EgressPolicy, *, tls: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._tls = tls or tls_context()  # loading the trusted authorities takes milliseconds

    async def exchange(self, application: Application, *, code: str, redirect_uri: str, verifier: str) -> Tokens:
        """The tokens for a code, which is good once. Raises AuthFailed, AuthUnavailable, Refused without a refresh token."""
        tokens = await self._tokens(
            application,
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier},
        )
        if tokens.refresh is None:
            raise Refused(
                "no_refresh_token", "The provider gave no lasting permission. Remove the application from the account and connect again."
            )
        return tokens

    async def refresh(self, application: Application, refresh: Secret) -> Tokens:
        """New tokens. May bring a new refresh token, which must be kept: the old one may be dead (Microsoft rotates)."""
        return await self._tokens(application, {"grant_type": "refresh_token", "refresh_token": refresh.reveal()})

    async def for_application(self, application: Application) -> Tokens:
        """A token of the application itself (RFC 6749 §4.4), for every mailbox that its administrator lets it open. Raises
        AuthUnavailable where the provider knows no such permission.
        """
        if not application.whole:
            raise AuthUnavailable("application_unknown", "This provider lets no application in without a person.")
        return await self._tokens(application, {"grant_type": "client_credentials", "scope": application.whole})

    async def accepted(self, application: Application) -> bool:
        """Whether the provider takes our client id and secret; False where only a person's sign-in shows it. Raises AuthUnavailable
        where it does not. Google checks the client before the token, so one that cannot be is refused as such; Entra lets the
        application itself in, where its tenant is named.
        """
        if application.whole:
            if application.of_any_tenant:
                return False
            await self.for_application(application)
            return True
        with contextlib.suppress(AuthFailed):
            await self.refresh(application, Secret("none"))
        return True

    async def opened(self, application: Application, access: Secret, mailbox: str) -> frozenset[str]:
        """The addresses, folded, of a mailbox that is not the signed-in account's own. Who may open one may often not read its entry in the
        directory: then the address by which it was opened is its address. Raises AuthFailed where it does not open.
        """
        place = application.mailbox_url + quote(mailbox, safe="")
        headers = {"Authorization": f"Bearer {access.reveal()}", "Prefer": 'IdType="ImmutableId"'}
        inbox, body = await self._asked("GET", f"{place}/mailFolders/inbox?$select=id", headers=headers)
        if inbox in (401, 403, 404):
            raise AuthFailed(*NOT_OPENED)
        if inbox != 200:
            raise fault_of(inbox, body)
        status, body = await self._asked("GET", f"{place}?$select={','.join(application.address_fields)}", headers=headers)
        if status in (401, 403, 404):
            return frozenset({mailbox.casefold()})
        if status != 200:
            raise fault_of(status, body)
        return self._named(application, body)

    async def addresses(self, application: Application, access: Secret) -> frozenset[str]:
        """The addresses, folded, of the account that agreed."""
        headers = {"Authorization": f"Bearer {access.reveal()}"}
        status, body = await self._asked("GET", application.profile_url, headers=headers)
        if status in (401, 403):
            raise AuthFailed("profile_refused", "The provider refuses to say whose mailbox it is. Enable its mail API for the application.")
        if status != 200:
            raise fault_of(status, body)
        return self._named(application, body)

    def _named(self, application: Application, body: bytes) -> frozenset[str]:
        value = _object(body)
        found = {str(value[name]).casefold() for name in application.address_fields if value.get(name)}
        if not found:
            raise ProtocolBroken("no_address")
        return frozenset(found)

    async def _tokens(self, application: Application, form: dict[str, str]) -> Tokens:
        # RFC 6749 §2.3.1 prefers HTTP Basic; both providers document the form.
        form |= {"client_id": application.client_id, "client_secret": application.client_secret.reveal()}
        status, body = await self._asked("POST", application.token_url, form=form)
        if status != 200:
            raise fault_of(status, body)
        value = _object(body)
        access, seconds, refresh = value.get("access_token"), value.get("expires_in"), value.get("refresh_token")
        life = str(value.get("refresh_token_expires_in", ""))
        if not isinstance(access, str) or not access or not isinstance(seconds, (int, str)) or not str(seconds).isdigit():
            raise ProtocolBroken("not_oauth")
        return Tokens(
            access=Secret(access),
            seconds=min(int(seconds), LONGEST_LIFE),
            refresh=Secret(refresh) if isinstance(refresh, str) and refresh else None,
            scopes=tuple(str(value.get("scope", "")).split()),
            refresh_seconds=int(life) if life.isascii() and life.isdigit() and len(life) < 10 else None,
        )

    async def _asked(
        self, method: str, url: str, *, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        async with web_client(self._policy, seconds=SECONDS, tls=self._tls) as client:
            try:
                async with client.stream(method, url, data=form, headers=headers) as answer:
                    body = b""
                    async for piece in answer.aiter_bytes():
                        body += piece
                        if len(body) > ANSWER_LIMIT:
                            raise ProtocolBroken("answer_too_large")
                    return answer.status_code, body
            except (ProviderError, TimeoutError):
                raise
            except httpx.HTTPError:
                raise ProtocolBroken("not_http") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise ProtocolBroken("not_oauth") from None
    if not isinstance(value, dict):
        raise ProtocolBroken("not_oauth")
    return value
