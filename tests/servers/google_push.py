"""Pub/Sub as it pushes announcements of Gmail: tokens signed for real, keys served at Google's address."""

import base64
import datetime as dt
import json
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "https://mailroom.example.com/api/webhooks/gmail-push"
ACCOUNT = "push@project.iam.example.com"


class GooglePush:
    """Signs tokens with `key` under `kid`. `served` are the keys that its address gives; `asked` counts."""

    def __init__(self, *, kid: str = "k1") -> None:
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.served: list[dict[str, Any]] = [self.public()]
        self.status = 200
        self.asked = 0

    def public(self, **changes: Any) -> dict[str, Any]:
        key: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {k: v for k, v in key.items() if k in ("kty", "n", "e")} | {"kid": self.kid, "alg": "RS256", "use": "sig"} | changes

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self.status, json={"keys": self.served})

    def token(self, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A good token; `changes` are made to its claims, None takes one away."""
        now = int(dt.datetime.now(dt.UTC).timestamp())
        claims: dict[str, Any] = {
            "iss": "https://accounts.google.com", "aud": AUDIENCE, "sub": "1234567890", "azp": "1234567890",
            "email": ACCOUNT, "email_verified": True, "iat": now, "exp": now + 3600,
        }  # fmt: skip
        claims = {k: v for k, v in (claims | changes).items() if v is not None}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid} | (headers or {}))


def announcement(address: str, history_id: int | str, event_id: str) -> dict[str, Any]:
    """What Pub/Sub posts. Gmail's payload lies within in base64."""
    data = base64.b64encode(json.dumps({"emailAddress": address, "historyId": history_id}).encode()).decode()
    message = {"data": data, "messageId": event_id, "message_id": event_id, "publishTime": "2025-03-04T09:00:00Z"}
    return {"message": message, "subscription": "projects/example/subscriptions/gmail-push"}
