"""The API's composition root: reads the settings, opens the doors to database, bucket and Temporal, and serves.

`python -m api.app` runs it; `create_app` makes the application from given parts, for tests and for other roots.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until `seldom_collected`: looking for garbage, of which there is none yet, took a fifth of the imports

import asyncio
import contextlib
import functools
import ipaddress
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client

from activities.setup_checks import SetupChecks
from api.access_log import AccessLog
from api.blobs import BlobMissing, BlobsAway
from api.consents import ConsentFailed, Granted
from api.deps import ApiConfig, Deps
from api.dispatch import problem_of
from api.headers import SecurityHeaders
from api.mail_frames import MailFrames
from api.metrics import Metrics
from api.oauth import BACK
from api.part_watch import PartWatch
from api.passwords import Passwords
from api.patience import GivenUp, Patience, bounded
from api.picture_tokens import PictureTokens
from api.problems import Problem, not_found
from api.push_door import KeysAway, NotOurs
from api.push_pokes import PushPokes
from api.rate_limits import RateLimits
from api.remote_pictures import RemotePictures
from api.routes import routes
from api.sns import NotBelieved, Notice, SnsAway
from api.stream import EventStreams
from api.temporal_gateway import TemporalGateway
from contracts import failpoints
from garbage import seldom_collected
from providers.egress import EgressPolicy, Purpose, blur, connect, tls_context
from providers.egress_http import web_client
from providers.errors import ProviderError
from providers.gmail.endpoint import GOOGLE, GmailEndpoint
from providers.gmail.push_token import NotOurs as NotOurToken
from providers.gmail.push_token import PushTokens
from providers.graph.endpoint import GraphEndpoint
from providers.oauth.application import Application
from providers.oauth.signing_in import SigningIn, Tokens, authorise_url, lacking
from providers.s3.blobs import BlobMissing as NoObject
from providers.s3.blobs import BlobStore
from providers.ses.sns_door import NotBelieved as NotProven
from providers.ses.sns_door import SnsDoor
from providers.ses.sns_message import SnsKind, SnsMessage
from rules.access_expiry import Given
from settings import Settings, load_settings
from store.sealing import Sealer
from store.unit_of_work import Database
from telemetry import log_json

T = TypeVar("T")
WEB = Path(__file__).resolve().parents[1] / "web"
AWS = "https://s3.{region}.amazonaws.com"
BUCKET_SECONDS = 20.0
PING_SECONDS = 2.0
DRAIN_SECONDS = 20
# Longer than proxies (nginx and AWS's balancers 60 s) and clients keep an idle connection: whoever closes first must be who
# sends, else a request may go out on a connection that ends at this moment, and nobody knows whether it was taken.
KEEP_ALIVE_SECONDS = 75
log = logging.getLogger("mailroom.api")


def create_app(deps: Deps) -> Starlette:
    """The application. Starting it starts the reader of the event log; stopping it closes what `deps` holds open."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        deps.streams.start()
        deps.parts.start()
        try:
            yield
        finally:
            await deps.parts.close()
            await deps.streams.close()
            deps.passwords.close()
            deps.frames.close()
            await deps.pokes.close()
            await deps.push.close()
            await deps.sns.close()
            await deps.database.close()

    return Starlette(
        routes=routes(deps),
        middleware=[Middleware(SecurityHeaders, secure=deps.config.secure), Middleware(AccessLog)],
        exception_handlers={HTTPException: _refused, Exception: _broken},
        lifespan=lifespan,
    )


async def build(settings: Settings) -> Deps:
    """Everything the settings name. Nothing is reached yet: each part may be away while the process starts."""
    database = Database(
        settings.database_url, pool_size=settings.database_pool_size, application="mailroom-api"
    )
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace, lazy=True)
    endpoint = settings.s3_endpoint or AWS.format(region=settings.s3_region)
    public = settings.s3_public_endpoint or endpoint
    store = BlobStore(
        endpoint,
        settings.s3_bucket,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_region,
        public if public != endpoint else None,
    )
    session_secret = settings.session_secret.get_secret_value().encode()
    sealer = Sealer(settings.key_ring)
    sealer.self_test()
    parts = urlsplit(public)
    given = Given(settings.google_testing, settings.secret_expires)
    config = ApiConfig(
        public_url=settings.public_url,
        session_secret=session_secret,
        s3_origin=f"{parts.scheme}://{parts.netloc}",
        temporal_ui_url=settings.temporal_ui_url,
        temporal_namespace=settings.temporal_namespace,
        web_directory=WEB,
        given=given,
        application_mailboxes=settings.application_mailboxes,
        plain_webhooks=bool(settings.egress_allow),
    )
    policy = EgressPolicy(allow=tuple(ipaddress.ip_network(n) for n in settings.egress_allow))
    tls = tls_context()
    signing_in = SigningIn(policy, tls=tls)

    async def dial(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await connect(host, port, policy, purpose=Purpose.WEB, seconds=5.0, tls=tls)
        except ProviderError:
            await blur()
            raise

    metrics = Metrics(given)
    blobs, gateway = Bucket(store), TemporalGateway(client)
    tokens = PictureTokens(session_secret)
    return Deps(
        config=config,
        database=database,
        blobs=blobs,
        gateway=gateway,
        sealer=sealer,
        passwords=Passwords(),
        streams=EventStreams(database, settings.database_url, metrics),
        frames=MailFrames(config.origin, tokens),
        picture_tokens=tokens,
        remote_pictures=RemotePictures(dial),
        consents=SignIns(signing_in, settings.oauth_applications),
        setup=SetupChecks(
            database,
            sealer,
            signing_in,
            settings.oauth_applications,
            google=GmailEndpoint(settings.google_url or GOOGLE, policy, tls),
            microsoft=GraphEndpoint(settings.microsoft_graph_url, policy, tls),
            redirect_uri=settings.public_url.rstrip("/") + BACK,
            topic=settings.google_pubsub_topic,
            push_url=settings.graph_push_notification_url,
        ),
        sns=Sns(SnsDoor(web_client(policy, seconds=5.0), settings.ses_topics)),
        push=Push(
            PushTokens(
                web_client(policy, seconds=5.0),
                audience=settings.google_push_audience,
                account=settings.google_push_account,
                keys_url=settings.google_keys_url,
            ),
            graph=settings.graph_push_notification_url is not None,
        ),
        pokes=PushPokes(gateway.poke_sync),
        limits=RateLimits(),
        metrics=metrics,
        patience=Patience(database.probe),
        parts=PartWatch({"postgresql": database.probe, "temporal": gateway.ping, "s3": blobs.ping}),
    )


class SignIns:
    """Google and Microsoft as the API knows them: whatever goes wrong there is a reason."""

    def __init__(self, signing_in: SigningIn, applications: Mapping[str, Application]) -> None:
        self._signing_in = signing_in
        self._applications = applications

    @property
    def providers(self) -> frozenset[str]:
        return frozenset(self._applications)

    def url(self, provider: str, *, redirect_uri: str, state: str, verifier: str, address: str) -> str:
        application = self._applications[provider]
        return authorise_url(application, redirect_uri=redirect_uri, state=state, verifier=verifier, address=address)

    async def granted(
        self, provider: str, *, code: str, redirect_uri: str, verifier: str, mailbox: str | None = None
    ) -> Granted:
        application = self._application(provider)
        try:
            tokens = await self._signing_in.exchange(
                application, code=code, redirect_uri=redirect_uri, verifier=verifier
            )
            missing = lacking(application, tokens.scopes, shared=mailbox is not None)
            own = frozenset() if missing else await self._signing_in.addresses(application, tokens.access)
            addresses = own
            if mailbox is not None and not missing:
                addresses = await self._signing_in.opened(application, tokens.access, mailbox)
        except ProviderError as error:
            raise ConsentFailed(error.reason) from None
        return _granted(tokens, missing, addresses, account=min(own, default=""))

    async def opened(self, provider: str, *, mailbox: str) -> Granted:
        application = self._application(provider)
        try:
            tokens = await self._signing_in.for_application(application)
            addresses = await self._signing_in.opened(application, tokens.access, mailbox)
        except ProviderError as error:
            raise ConsentFailed(error.reason) from None
        return _granted(tokens, (), addresses, account=mailbox)

    def _application(self, provider: str) -> Application:
        application = self._applications.get(provider)
        if application is None:
            raise ConsentFailed("application_missing")
        return application


def _granted(tokens: Tokens, missing: tuple[str, ...], addresses: frozenset[str], *, account: str) -> Granted:
    refresh = tokens.refresh.reveal() if tokens.refresh else ""
    return Granted(
        tokens.access.reveal(), refresh, tokens.seconds, tokens.scopes, missing, addresses, account, tokens.refresh_seconds
    )


class Bucket:
    """The blob store as the API knows it: its errors are the API's two, and no call lasts."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._patience = Patience(store.ping)

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        whole = length is None
        return await self._reached(self._store.get(key, None if whole else offset, length))

    async def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        await self._reached(self._store.put(key, data, content_type))

    async def size(self, key: str) -> int | None:
        info = await self._reached(self._store.head(key))
        return info.size if info else None

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, inline: bool, seconds: int
    ) -> str:
        return await self._reached(
            self._store.presign_get(
                key, filename=filename, content_type=content_type, inline=inline, seconds=seconds
            )
        )

    async def presign_put(self, key: str, *, length: int, content_type: str, seconds: int) -> str:
        return await self._reached(
            self._store.presign_put(key, length=length, content_type=content_type, seconds=seconds)
        )

    async def ping(self) -> None:
        await bounded(self._store.ping(), PING_SECONDS)

    async def _reached(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._patience.during(call, limit=BUCKET_SECONDS)
        except NoObject as error:
            raise (BlobsAway if error.reason == "bucket_missing" else BlobMissing)(error.reason) from None
        except ProviderError as error:
            log.warning("the S3 store did not do its part (%s)", error.reason)
            raise BlobsAway(error.reason) from None
        except (GivenUp, TimeoutError):
            log.warning("the S3 store did not answer in time")
            raise BlobsAway("timeout") from None


class Sns:
    """The SNS door as the API knows it. A certificate that cannot be fetched says nothing about the message."""

    def __init__(self, door: SnsDoor) -> None:
        self._door = door

    async def read(self, raw: bytes) -> Notice:
        try:
            message = await self._door.read(raw)
        except NotProven as error:
            raise NotBelieved(error.reason) from None
        except ProviderError as error:
            raise SnsAway(error.reason) from None

        offers = message.kind is SnsKind.SUBSCRIBE
        confirm = functools.partial(self._confirm, message) if offers else None
        return Notice(message.id, message.topic, message.kind.value, message.body, confirm)

    async def close(self) -> None:
        await self._door.close()

    async def _confirm(self, message: SnsMessage) -> None:
        try:
            await self._door.confirm(message)
        except ProviderError as error:
            raise SnsAway(error.reason) from None


class Push:
    """Google's tokens as the API knows them, and whether notices of Graph are expected."""

    def __init__(self, tokens: PushTokens, *, graph: bool) -> None:
        self._tokens = tokens
        self.graph = graph

    async def check(self, token: str) -> None:
        try:
            await self._tokens.check(token)
        except NotOurToken as error:
            raise NotOurs(error.reason) from None
        except ProviderError as error:
            raise KeysAway(error.reason) from None

    async def close(self) -> None:
        await self._tokens.close()


async def _refused(_request: Request, error: Exception) -> Response:
    """What the router itself refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return not_found().response()
    if status == 405:
        return Problem(405, "This address does not take this method. See /v1/openapi.json.").response()
    return Problem(status if status in (400, 413) else 400, "The request cannot be understood.").response()


async def _broken(_request: Request, error: Exception) -> Response:
    return problem_of(error, "the router").response()


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; open requests get twenty seconds, streams end at once and resume elsewhere."""
    # One form for all processes, which holds of an error its type and its place: the server under us logs errors whole.
    log_json(settings.log_level)
    failpoints.arm(failpoints.parse(settings.failpoint) if settings.failpoint else None)
    # These print payloads at DEBUG.
    for chatty in ("sse_starlette", "botocore", "boto3", "urllib3", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    async def run() -> None:
        app = create_app(await build(settings))
        seldom_collected()
        config = uvicorn.Config(
            app,
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            h11_max_incomplete_event_size=16 * 1024,  # integrity X-61: headers
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        await uvicorn.Server(config).serve()

    uvloop.run(run())


if __name__ == "__main__":
    serve(load_settings())
