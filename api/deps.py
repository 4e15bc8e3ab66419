"""What the endpoints are given: the doors to database, bucket and Temporal, the keys, and the numbers that bound them."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from api.blobs import Blobs
from api.consents import Consents
from api.gateway import Gateway
from api.mail_frames import MailFrames
from api.metrics import Metrics
from api.part_watch import PartWatch
from api.passwords import Passwords
from api.patience import Patience
from api.picture_tokens import PictureTokens
from api.push_door import PushDoor
from api.push_pokes import PushPokes
from api.rate_limits import RateLimits
from api.remote_pictures import RemotePictures
from api.setup_door import SetupDoor
from api.sns import SnsDoor
from api.stream import EventStreams
from rules.access_expiry import NOTHING_GIVEN, Given
from store.sealing import Sealer
from store.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Values from the settings. `public_url` decides cookie and Origin; `s3_origin` is the one that browsers reach. `given` is what the
    operator told of the OAuth applications; `application_mailboxes` are a tenant's short name and an address or `@domain` each.
    `plain_webhooks`: the operator listed networks, within which a webhook may do without TLS.
    """

    public_url: str
    session_secret: bytes
    s3_origin: str | None = None
    temporal_ui_url: str | None = None
    temporal_namespace: str = "default"
    web_directory: Path = Path("web")
    request_seconds: float = 30.0
    session_days: int = 14
    recheck_seconds: float = 60.0
    file_bytes: int = 25 * 1024 * 1024
    files: int = 10
    message_bytes: int = 25 * 1024 * 1024
    given: Given = NOTHING_GIVEN
    application_mailboxes: tuple[tuple[str, str], ...] = ()
    plain_webhooks: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port of `public_url`, as a browser writes it in `Origin`."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def secure(self) -> bool:
        return self.public_url.lower().startswith("https://")

    @property
    def cookie_name(self) -> str:
        """`__Host-` where TLS allows it (integrity X-33): no other host or path can then set it."""
        return "__Host-mailroom" if self.secure else "mailroom"


@dataclass(frozen=True, slots=True)
class Deps:
    """Made once by `api/app.py`, or by a test."""

    config: ApiConfig
    database: Database
    blobs: Blobs
    gateway: Gateway
    sealer: Sealer
    passwords: Passwords
    streams: EventStreams
    frames: MailFrames
    picture_tokens: PictureTokens
    remote_pictures: RemotePictures
    sns: SnsDoor
    consents: Consents
    setup: SetupDoor
    push: PushDoor
    pokes: PushPokes
    limits: RateLimits
    metrics: Metrics
    patience: Patience
    parts: PartWatch
