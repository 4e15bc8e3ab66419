"""Microsoft's sign-in as msal speaks to it: authorize with PKCE, codes, rotating refresh tokens, application permission.

Errors are those of the v2.0 endpoint, with their AADSTS numbers.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
SCOPES = ("openid", "profile", "email", "offline_access", "Mail.ReadWrite", "Mail.Send", "User.Read")
AADSTS = {
    "expired": (700082, "The refresh token has expired due to inactivity."),
    "password_changed": (50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed."),
    "revoked": (70008, "The provided authorization code or refresh token has expired due to inactivity."),
    "consent": (65001, "The user or administrator has not consented to use the application."),
    "secret": (7000215, "Invalid client secret provided."),
    "secret_expired": (7000222, "The provided client secret keys for app are expired."),
    "unknown_app": (700016, "Application was not found in the directory."),
}


class OAuthError(Exception):
    def __init__(self, error: str, why: str, status: int = 400) -> None:
        number, words = AADSTS.get(why, (9002313, "Invalid request."))
        super().__init__(error)
        self.status = status
        self.body = {
            "error": error, "error_description": f"AADSTS{number}: {words} Trace ID: 0 Correlation ID: 0",
            "error_codes": [number], "timestamp": "2026-01-01 00:00:00Z", "trace_id": "0", "correlation_id": "0",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token may do: `user` is the address that signed in, None for application permission."""

    user: str | None
    scopes: tuple[str, ...]
    expires_at: float


@dataclass(slots=True)
class _Refresh:
    user: str
    scopes: tuple[str, ...]
    broken: str | None = None


class MicrosoftLogin:
    """Tokens of one tenant. `client_id` and `client_secret` are the app's."""

    def __init__(self) -> None:
        self.client_id, self.client_secret = "11111111-2222-3333-4444-555555555555", "app-secret-of-the-stand-in"
        self.lifetime = 3600.0
        self.keep_old_refresh_tokens = True  # as Entra does; the new one must be saved all the same
        self.granted: tuple[str, ...] | None = None  # what the person ticked, None: all that was asked
        self.refreshes = 0
        self.token_calls = 0
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._lock = threading.RLock()
        self.user = "agent@example.com"  # who signs in at the consent page
        self.app_broken: str | None = None

    # --- for tests --------------------------------------------------------------------------------------------------

    def access_token(self, user: str | None, *, scopes: tuple[str, ...] = SCOPES, seconds: float | None = None) -> str:
        """A token that is good at once. `user` None: application permission."""
        token = "eyJ." + secrets.token_urlsafe(32)
        with self._lock:
            self._access[token] = Grant(user, scopes, time.time() + (self.lifetime if seconds is None else seconds))
        return token

    def refresh_token(self, user: str, scopes: tuple[str, ...] = SCOPES) -> str:
        token = "0.AX" + secrets.token_urlsafe(48)
        with self._lock:
            self._refresh[token] = _Refresh(user, scopes)
        return token

    def break_refresh(self, user: str, why: str = "expired") -> None:
        """All refresh tokens of `user` die: `expired` (AADSTS700082), `password_changed` (50173), `revoked` (70008)."""
        with self._lock:
            for one in self._refresh.values():
                if one.user == user:
                    one.broken = why

    def revoke_access(self) -> None:
        with self._lock:
            self._access.clear()

    # --- for the server ---------------------------------------------------------------------------------------------

    def grant(self, token: str) -> Grant | None:
        with self._lock:
            grant = self._access.get(token)
            return grant if grant is not None and grant.expires_at > time.time() else None

    def consent(self, query: dict[str, str]) -> str:
        """A code, as if `self.user` had agreed."""
        code = "1.AX" + secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = {**query, "user": self.user}
        return code

    def token(self, form: dict[str, str], issuer: str, basic: tuple[str, str] | None = None) -> dict[str, Any]:
        with self._lock:
            self.token_calls += 1
            client, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
            if self.app_broken:
                raise OAuthError("invalid_client", self.app_broken, 401)
            if client != self.client_id:
                raise OAuthError("unauthorized_client", "unknown_app")
            if secret != self.client_secret:
                raise OAuthError("invalid_client", "secret", 401)
            kind = form.get("grant_type")
            if kind == "authorization_code":
                return self._by_code(form, issuer)
            if kind == "refresh_token":
                return self._by_refresh(form, issuer)
            if kind == "client_credentials":
                return self._answer(None, ("https://graph.microsoft.com/.default",), issuer)
            raise OAuthError("unsupported_grant_type", "")

    def _by_code(self, form: dict[str, str], issuer: str) -> dict[str, Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or asked.get("redirect_uri") != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "revoked")
        if challenge := asked.get("code_challenge"):
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                raise OAuthError("invalid_grant", "")
        scopes = self.granted or tuple(asked.get("scope", "").split())
        return self._answer(asked["user"], scopes, issuer, nonce=asked.get("nonce"))

    def _by_refresh(self, form: dict[str, str], issuer: str) -> dict[str, Any]:
        held = self._refresh.get(form.get("refresh_token", ""))
        if held is None or held.broken:
            raise OAuthError("invalid_grant", (held.broken if held else None) or "revoked")
        self.refreshes += 1
        if not self.keep_old_refresh_tokens:
            del self._refresh[form["refresh_token"]]
        return self._answer(held.user, held.scopes, issuer)

    def _answer(self, user: str | None, scopes: tuple[str, ...], issuer: str, nonce: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(scopes),
            "expires_in": int(self.lifetime),
            "ext_expires_in": int(self.lifetime),
            "access_token": self.access_token(user, scopes=scopes),
        }
        if user is not None:
            answer["refresh_token"] = self.refresh_token(user, scopes)
            answer["id_token"] = self._id_token(user, issuer, nonce)
            object_id = hashlib.sha256(user.encode()).hexdigest()[:32]
            answer["client_info"] = _b64(json.dumps({"uid": object_id, "utid": TENANT}).encode())
        return answer

    def _id_token(self, user: str, issuer: str, nonce: str | None) -> str:
        now = int(time.time())
        claims = {
            "iss": issuer, "aud": self.client_id, "iat": now, "nbf": now, "exp": now + 3600, "tid": TENANT, "ver": "2.0",
            "sub": hashlib.sha256(user.encode()).hexdigest(), "preferred_username": user, "email": user, "name": "Agent",
            "oid": hashlib.sha256(user.encode()).hexdigest()[:32],
        }  # fmt: skip
        if nonce:
            claims["nonce"] = nonce
        return ".".join((_b64(b'{"alg":"none","typ":"JWT"}'), _b64(json.dumps(claims).encode()), "c2lnbmF0dXJl"))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
