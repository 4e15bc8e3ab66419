"""Google's OAuth endpoints of the Gmail stand-in: consent, code for tokens (PKCE), refresh, revocation, expiry."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

MODIFY = "https://www.googleapis.com/auth/gmail.modify"
SETTINGS = "https://www.googleapis.com/auth/gmail.settings.basic"
METADATA = "https://www.googleapis.com/auth/gmail.metadata"
ALL_SCOPES = (MODIFY, SETTINGS)
MAX_LIVE_REFRESH_TOKENS = 100  # the oldest is dropped without a word


@dataclass(frozen=True, slots=True)
class Grant:
    address: str
    scopes: tuple[str, ...]


@dataclass(slots=True)
class _Access:
    grant: Grant
    expires: float


@dataclass(slots=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str | None
    expires: float


class OAuthError(Exception):
    """The token endpoint's error body (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(slots=True)
class GoogleOAuth:
    """Tokens of all accounts. `rotate` makes each refresh return a new refresh token and end the old one."""

    clock: Callable[[], float]
    client_id: str = "client.apps.example.com"
    client_secret: str = "client-secret-of-the-test"
    lifetime: int = 3599
    rotate: bool = False
    refreshes: int = 0
    granted_scopes: tuple[str, ...] | None = None  # what the person ticks; None: all that is asked for
    consenting: str | None = None  # whose account answers the consent page
    _access: dict[str, _Access] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def access_token(
        self, address: str, scopes: tuple[str, ...] = ALL_SCOPES, *, lifetime: float | None = None
    ) -> str:
        with self._lock:
            token = f"ya29.{secrets.token_urlsafe(24)}"
            seconds = self.lifetime if lifetime is None else lifetime
            self._access[token] = _Access(Grant(address, scopes), self.clock() + seconds)
            return token

    def refresh_token(self, address: str, scopes: tuple[str, ...] = ALL_SCOPES) -> str:
        with self._lock:
            live = [token for token, grant in self._refresh.items() if grant.address == address]
            if len(live) >= MAX_LIVE_REFRESH_TOKENS:
                del self._refresh[live[0]]
            token = f"1//{secrets.token_urlsafe(32)}"
            self._refresh[token] = Grant(address, scopes)
            return token

    def revoke_all(self, address: str) -> None:
        """As when a person changes the password or removes the app: every token of the account is dead."""
        with self._lock:
            self._refresh = {t: g for t, g in self._refresh.items() if g.address != address}
            self.expire_access(address)

    def expire_access(self, address: str) -> None:
        """Access tokens handed out so far are no longer good; refreshing still works."""
        with self._lock:
            self._access = {t: a for t, a in self._access.items() if a.grant.address != address}

    def grant_of(self, token: str) -> Grant | None:
        with self._lock:
            access = self._access.get(token)
            return access.grant if access and access.expires > self.clock() else None

    def consent(self, query: dict[str, str]) -> str:
        """The person agrees: the address to which the browser is sent back."""
        asked = tuple(query.get("scope", "").split())
        scopes = asked if self.granted_scopes is None else tuple(s for s in asked if s in self.granted_scopes)
        address = self.consenting or query.get("login_hint", "")
        if query.get("client_id") != self.client_id or not address:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        code = f"4/{secrets.token_urlsafe(24)}"
        with self._lock:
            self._codes[code] = _Code(
                Grant(address, scopes),
                query["redirect_uri"],
                query.get("code_challenge"),
                self.clock() + 600,
            )
        return code

    def token(self, form: dict[str, str]) -> dict[str, object]:
        """Answer a POST to the token endpoint. Raises OAuthError."""
        with self._lock:
            if not self._is_client(form):
                raise OAuthError("invalid_client", "Unauthorized", 401)
            match form.get("grant_type"):
                case "refresh_token":
                    return self._refreshed(form.get("refresh_token", ""))
                case "authorization_code":
                    return self._exchanged(form)
            raise OAuthError("unsupported_grant_type", "Invalid grant_type")

    def _is_client(self, form: dict[str, str]) -> bool:
        return form.get("client_id") == self.client_id and form.get("client_secret") == self.client_secret

    def _refreshed(self, token: str) -> dict[str, object]:
        self.refreshes += 1
        grant = self._refresh.get(token)
        if grant is None:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        answer = self._answer(grant)
        if self.rotate:
            del self._refresh[token]
            answer["refresh_token"] = self.refresh_token(grant.address, grant.scopes)
        return answer

    def _exchanged(self, form: dict[str, str]) -> dict[str, object]:
        code = self._codes.pop(form.get("code", ""), None)  # a code is good once
        if code is None or code.expires < self.clock():
            raise OAuthError("invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "Bad Request")
        if code.challenge is not None and _s256(form.get("code_verifier", "")) != code.challenge:
            raise OAuthError("invalid_grant", "Invalid code verifier.")
        answer = self._answer(code.grant)
        answer["refresh_token"] = self.refresh_token(code.grant.address, code.grant.scopes)
        return answer

    def _answer(self, grant: Grant) -> dict[str, object]:
        return {
            "access_token": self.access_token(grant.address, grant.scopes),
            "expires_in": self.lifetime,
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
        }

    def revoke(self, token: str) -> None:
        """POST /revoke: an access or refresh token ends the whole grant. Raises OAuthError for an unknown one."""
        with self._lock:
            access = self._access.get(token)
            grant = self._refresh.get(token) or (access.grant if access else None)
            if grant is None:
                raise OAuthError("invalid_token", "Token expired or revoked")
            self.revoke_all(grant.address)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
