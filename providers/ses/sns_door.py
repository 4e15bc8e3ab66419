"""Which messages at the SNS webhook are believed: expected topic, fresh, and signed by the topic's own SNS.

Certificates are fetched over verified TLS from the topic's SNS host alone, through the egress rule, and kept; a subscription
is confirmed by its own URL at the same host. Running anything here twice repeats a read or a confirmation, which is harmless.
"""

import datetime as dt
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from providers.errors import ProviderError, Throttled, Unreachable
from providers.ses.sns_message import NotSns, SnsKind, SnsMessage, read_sns

OLDEST = dt.timedelta(hours=1)
AHEAD = dt.timedelta(minutes=5)  # clocks differ
MOST_CERTIFICATES = 32
MOST_CERTIFICATE_OCTETS = 64 * 1024
FETCHES_A_MINUTE = 10  # a forger may name as many certificates as he likes
LEAST_KEY_BITS = 2048


class NotBelieved(ProviderError):
    """Forged, foreign, stale or malformed. The text says which, for the operator's log; the caller is told nothing."""

    reason = "not_believed"
    sentence = "The message is not signed by an expected SNS topic."
    transient = False


class SnsDoor:
    """`topics` are the ARNs that the operator expects; `client` goes through the egress rule (`egress_http.web_client`).
    `clock` gives aware instants, `now` seconds that only grow.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        topics: Collection[str],
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._topics = frozenset(topics)
        self._clock = clock
        self._now = now
        self._certificates: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._fetches: deque[float] = deque(maxlen=FETCHES_A_MINUTE)

    async def read(self, raw: bytes) -> SnsMessage:
        """The message in `raw`, proven. Raises NotBelieved; or Unreachable, Throttled, TlsFailed and their like when the
        certificate could not be had, which says nothing about the message.
        """
        try:
            message = read_sns(raw)
        except NotSns as defect:
            raise NotBelieved("malformed", f"Not a message of SNS: {defect}.") from None
        if message.topic not in self._topics:
            raise NotBelieved("unexpected_topic", "The topic is not among MAILROOM_SES_TOPICS.")
        age = self._clock() - message.sent_at
        if age > OLDEST or age < -AHEAD:
            raise NotBelieved("stale", "The message was sent more than an hour ago, or its time lies ahead of ours.")
        certificate = await self._certificate(message.certificate_url)
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_KEY_BITS:
            raise NotBelieved("certificate_weak", "The certificate has no RSA key of at least 2048 bits.")
        try:
            key.verify(message.signature, message.signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise NotBelieved("signature_wrong", "The signature does not fit the message.") from None
        return message

    async def confirm(self, message: SnsMessage) -> None:
        """Accept the subscription that a proven message offers. Raises what the client raises, or Unreachable when SNS does
        not say yes; SNS offers it again then.
        """
        if message.kind is not SnsKind.SUBSCRIBE or message.confirm_url is None:
            raise ValueError("only a SubscriptionConfirmation can be confirmed")
        answer = await self._client.get(message.confirm_url, follow_redirects=False)
        if answer.status_code != 200:
            raise Unreachable("subscription_not_confirmed", "SNS did not confirm the subscription. It will be offered again.")

    async def close(self) -> None:
        await self._client.aclose()

    async def _certificate(self, url: str) -> x509.Certificate:
        kept = self._certificates.get(url)
        if kept is None:
            kept = await self._fetched(url)
            self._certificates[url] = kept
            if len(self._certificates) > MOST_CERTIFICATES:
                self._certificates.popitem(last=False)
        if not kept.not_valid_before_utc <= self._clock() <= kept.not_valid_after_utc:
            raise NotBelieved("certificate_expired", "The certificate is not valid now.")
        self._certificates.move_to_end(url)
        return kept

    async def _fetched(self, url: str) -> x509.Certificate:
        now = self._now()
        if len(self._fetches) == FETCHES_A_MINUTE and now - self._fetches[0] < 60:
            raise Throttled("certificates_throttled", "Too many different certificates were named within a minute.")
        self._fetches.append(now)
        async with self._client.stream("GET", url, follow_redirects=False) as answer:
            pem = b""
            async for piece in answer.aiter_bytes():
                pem += piece
                if len(pem) > MOST_CERTIFICATE_OCTETS:
                    raise NotBelieved("certificate_unreadable", "The certificate is larger than any.")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unreachable("certificate_away", "SNS does not give its certificate just now.")
        if answer.status_code != 200:
            raise NotBelieved("certificate_missing", "There is no such certificate at SNS.")
        try:
            return x509.load_pem_x509_certificate(pem)
        except ValueError:
            raise NotBelieved("certificate_unreadable", "What SNS gave is no certificate.") from None
