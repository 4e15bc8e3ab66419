"""An SNS that signs for real: RSA with SHA-256 over AWS's string to sign, its certificate served over https.

Messages are what SNS posts to an HTTPS endpoint. A test's client is told to find the topic's host on this machine; TLS, the
egress rule and everything above are the product's own. What SES publishes through a topic is in `ses_payloads.py`.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from providers.egress import EgressPolicy
from providers.egress_http import EgressTransport
from tests.servers.certificates import Certificates

REGION = "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:ses-events"
HOST = f"https://sns.{REGION}.amazonaws.com"
CERTIFICATE = "/SimpleNotificationService-0123456789abcdef.pem"


class SnsSigner:
    """One signing key with its certificate. `lasts` is how long the certificate is valid from yesterday on."""

    def __init__(self, *, bits: int = 2048, lasts: dt.timedelta = dt.timedelta(days=365)) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        began = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        self.pem = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(began)
            .not_valid_after(began + lasts)
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    def notice(self, payload: Any, **changes: Any) -> dict[str, Any]:
        """A Notification of `payload` (text, or something to be JSON). `changes` are made before signing."""
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return self.signed(self._message("Notification", Message=body, **changes))

    def subscription(self, kind: str = "SubscriptionConfirmation", **changes: Any) -> dict[str, Any]:
        token = uuid.uuid4().hex
        topic = changes.get("TopicArn", TOPIC)
        given = {
            "Token": token,
            "Message": f"You have chosen to subscribe to the topic {topic}.\nTo confirm, visit the SubscribeURL.",
            "SubscribeURL": f"{HOST}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}",
        }
        return self.signed(self._message(kind, **(given | changes)))

    def signed(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with its signature, over AWS's "string to sign" of its type."""
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        if message["Type"] == "Notification":
            names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        text = "".join(f"{n}\n{message[n]}\n" for n in names if n in message)
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return message | {"Signature": base64.b64encode(signature).decode()}

    @staticmethod
    def _message(kind: str, **changes: Any) -> dict[str, Any]:
        now = dt.datetime.now(dt.UTC)
        given = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
            "SignatureVersion": "2",
            "SigningCertURL": HOST + CERTIFICATE,
        }
        return {k: v for k, v in (given | changes).items() if v is not None}


class SnsHost:
    """The topic's host: serves certificates and takes confirmations. `answers` maps a path to (status, octets)."""

    def __init__(self, port: int, signer: SnsSigner) -> None:
        self.port = port
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {CERTIFICATE: (200, signer.pem), "/": (200, b"<ConfirmSubscriptionResponse/>")}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            self.asked.append(target)
            status, body = self.answers.get(target.partition("?")[0], (404, b""))
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        writer.close()

    @property
    def certificates_asked(self) -> int:
        return sum(t.endswith(".pem") for t in self.asked)


class ToThisMachine(httpx.AsyncBaseTransport):
    """The product's own transport, told that the topic's host is here; any other host is passed on unchanged."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        policy = EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), check_ports=False)
        self._inner = EgressTransport(policy, certificates.client_context())
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == HOST.removeprefix("https://"):
            request.url = request.url.copy_with(host="localhost", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextlib.asynccontextmanager
async def sns_host(signer: SnsSigner, certificates: Certificates) -> AsyncIterator[tuple[SnsHost, httpx.AsyncClient]]:
    """The host, and a client that finds it."""
    host = SnsHost(0, signer)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=certificates.server_context())
    async with server:
        host.port = server.sockets[0].getsockname()[1]
        async with httpx.AsyncClient(transport=ToThisMachine(host.port, certificates)) as client:
            yield host, client
