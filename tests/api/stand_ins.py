"""The API's parts in memory: a bucket, a gateway that records, and limits that no test meets by chance."""

import asyncio
import uuid
from typing import Any

from argon2 import PasswordHasher

from api.app import Push, SignIns, Sns
from api.blobs import BlobMissing, BlobsAway
from api.deps import ApiConfig, Deps
from api.gateway import CheckOutcome, Gateway, TemporalAway
from api.mail_frames import MailFrames
from api.metrics import Metrics
from api.part_watch import PartWatch
from api.passwords import Passwords
from api.patience import Patience
from api.picture_tokens import PictureTokens
from api.push_pokes import PushPokes
from api.rate_limits import Rate, RateLimits
from api.remote_pictures import RemotePictures
from api.stream import EventStreams
from contracts.connect import ConnectCheck, ConnectReport
from providers.egress import EgressPolicy
from providers.egress_http import web_client
from providers.gmail.push_token import PushTokens
from providers.oauth.application import google
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from providers.ses.sns_door import SnsDoor
from store.sealing import Sealer
from store.unit_of_work import Database

ORIGIN = "http://mailroom.test"


class MemoryBlobs:
    """A bucket in memory. `away` makes it one that does not answer."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away = False

    def _here(self) -> None:
        if self.away:
            raise BlobsAway("test")

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        self._here()
        if key not in self.objects:
            raise BlobMissing(key)
        data = self.objects[key][offset:]
        return data if length is None else data[:length]

    async def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        self._here()
        self.objects[key] = data

    async def size(self, key: str) -> int | None:
        self._here()
        return len(self.objects[key]) if key in self.objects else None

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, inline: bool, seconds: int
    ) -> str:
        self._here()
        return f"http://bucket.test/{key}?for={seconds}"

    async def presign_put(self, key: str, *, length: int, content_type: str, seconds: int) -> str:
        self._here()
        return f"http://bucket.test/{key}?put={length}"

    async def ping(self) -> None:
        self._here()


class RecordingGateway(Gateway):
    """Takes every call and keeps it; with `away` nothing is taken."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.away = False
        self.outcome = CheckOutcome(ConnectReport((ConnectCheck("imap"), ConnectCheck("smtp"))))

    def _take(self, *call: str) -> bool:
        self.calls.append(call)
        return not self.away

    async def start_erase(self, tenant_id: str, erasure_id: str) -> bool:
        return self._take("erase", tenant_id, erasure_id)

    async def start_webhook(self, tenant_id: str, endpoint_id: str) -> bool:
        return self._take("webhook", tenant_id, endpoint_id)

    async def start_bulk(self, tenant_id: str, bulk_id: str) -> bool:
        return self._take("bulk", tenant_id, bulk_id)

    async def start_send(self, tenant_id: str, inbox_id: str, message_id: str) -> bool:
        return self._take("send", tenant_id, inbox_id, message_id)

    async def cancel_send(self, message_id: str) -> bool:
        return self._take("cancel", message_id)

    async def snooze(self, tenant_id: str, inbox_id: str, conversation_id: str) -> bool:
        return self._take("snooze", tenant_id, inbox_id, conversation_id)

    async def signal_snooze(self, conversation_id: str) -> bool:
        return self._take("signal_snooze", conversation_id)

    async def connect_inbox(self, tenant_id: str, inbox_id: str) -> bool:
        return self._take("connect", tenant_id, inbox_id)

    async def check_inbox(self, tenant_id: str, inbox_id: str) -> CheckOutcome:
        self._take("check", tenant_id, inbox_id)
        return self.outcome

    async def check_domain(self, tenant_id: str, domain_id: str) -> bool:
        if not self._take("check_domain", tenant_id, domain_id):
            raise TemporalAway
        return True

    async def start_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool:
        return self._take("sync", tenant_id, inbox_id, provider)

    async def poke_sync(self, tenant_id: str, inbox_id: str, provider: str) -> bool:
        return self._take("poke", tenant_id, inbox_id, provider)

    async def signal_sync(self, inbox_id: str, name: str) -> bool:
        return self._take("signal", inbox_id, name)

    async def resync(self, tenant_id: str, inbox_id: str, provider: str, order: Any) -> bool:
        return self._take("resync", tenant_id, inbox_id, provider, order.scope.value)

    async def signal_backfill(self, inbox_id: str, folder_id: str, name: str) -> bool:
        return self._take("signal_backfill", inbox_id, folder_id, name)

    async def start_backfill(self, tenant_id: str, inbox_id: str, folder_id: str) -> bool:
        return self._take("backfill", tenant_id, inbox_id, folder_id)

    async def start_reingest(self, tenant_id: str, reingest_id: str) -> bool:
        return self._take("reingest", tenant_id, reingest_id)

    async def poke_sla(self, tenant_id: str) -> bool:
        return self._take("sla", tenant_id)

    async def signal_reingest(self, reingest_id: str) -> bool:
        return self._take("signal_reingest", reingest_id)

    async def ping(self) -> None:
        if self.away:
            raise ConnectionError


class NothingToSetUp:
    """As for an inbox with a password."""

    async def tried(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> list[Any]:
        return []


async def no_dial(_host: str, _port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    raise ConnectionRefusedError


def make_deps(database: Database, url: str, **changes: Any) -> Deps:
    """The parts of an API whose bucket and Temporal are in memory, with limits that no test meets by chance."""
    secret = b"a secret of at least thirty-two characters"
    config = ApiConfig(
        public_url=ORIGIN,
        session_secret=secret,
        s3_origin="http://bucket.test",
        temporal_ui_url="http://temporal.test",
        **changes.pop("config", {}),
    )
    metrics = Metrics()
    tokens = PictureTokens(secret)
    parts: dict[str, Any] = {
        "config": config,
        "database": database,
        "blobs": MemoryBlobs(),
        "gateway": RecordingGateway(),
        "sealer": Sealer({"k1": b"k" * 32}),
        "passwords": Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        "streams": EventStreams(database, url, metrics),
        "frames": MailFrames(config.origin, tokens),
        "picture_tokens": tokens,
        "remote_pictures": RemotePictures(no_dial),
        "consents": SignIns(SigningIn(EgressPolicy()), {"gmail": google("client.apps.example.com", Secret("secret"))}),
        "setup": NothingToSetUp(),
        "sns": Sns(SnsDoor(web_client(EgressPolicy()), ())),
        "push": Push(PushTokens(web_client(EgressPolicy()), audience=None, account=None), graph=False),
        "limits": RateLimits(caller=Rate(1e6, 1e6), tenant=Rate(1e6, 1e6), search=Rate(1e6, 1e6), hook=Rate(1e6, 1e6)),
        "metrics": metrics,
        "patience": Patience(database.probe),
    }
    parts |= changes
    pings = {
        "postgresql": database.probe,
        "temporal": parts["gateway"].ping,
        "s3": parts["blobs"].ping,
    }
    pokes = PushPokes(parts["gateway"].poke_sync, rest_seconds=0.0)
    return Deps(**({"parts": PartWatch(pings), "pokes": pokes} | parts))
