"""What a worker can do: every activity, composed from providers and store by what the settings say.

The only place where these rooms meet; `worker.py` runs it.
"""

import contextlib
import inspect
import ipaddress
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from activities.accounts import Accounts, MailboxToken, SenderMaker, SourceMaker, graph_mailbox
from activities.auto_response import AutoResponseClaiming
from activities.backfill import Backfilling
from activities.bulk_change import BulkChanging
from activities.connect import Connecting
from activities.deliver_ses import SesPost
from activities.desk_assign import DeskAssign
from activities.desk_clocks import DeskClocks
from activities.desk_notices import NoticeReactor
from activities.desk_reactor import Reactor
from activities.desk_rollups import Rollups
from activities.desk_route import DeskRoute
from activities.desk_turn import DeskTurn
from activities.desk_views import Views
from activities.desk_webhooks import DeskWebhooks
from activities.digest import Digesting
from activities.domain_check import DomainChecking
from activities.erasure import Erasing
from activities.event_line import EventLine
from activities.inbound_at_once import InboundAtOnce
from activities.inbound_fetch import InboundFetch
from activities.inbound_ingest import InboundIngest
from activities.inbound_open import InboundOpen
from activities.inbound_react import InboundReact
from activities.inbound_watch import InboundWatch
from activities.ingestion import Ingestion
from activities.object_drops import ObjectDrops
from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver
from activities.outbound_file_copy import OutboundFileCopy
from activities.outbound_record import OutboundRecord
from activities.outbound_verify import OutboundVerify
from activities.parser_pool import ParserPool
from activities.reingest import Reingesting
from activities.retention import Retaining
from activities.ses_source import SesSource
from activities.ses_spool import SesSpool
from activities.sla_timer import SlaTiming
from activities.snooze import Snoozing
from activities.sweep import Sweeping
from activities.token_keeper import TokenKeeper
from activities.turns import FairTurns
from activities.watch_renewal import GmailWatcher, GraphWatcher, Watcher, WatchRenewing
from activities.webhook_drain import WebhookDraining
from contracts import failpoints
from contracts.failpoints import Failpoint
from providers.dns.lookup import DnsLookup
from providers.egress import EgressPolicy, tls_context
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.quota import QuotaBudgets
from providers.gmail.sender import GmailSender
from providers.gmail.source import GmailSource
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.graph.sender import GraphSender
from providers.graph.source import GraphSource
from providers.imap.pool import ImapPool
from providers.mail_api import MailApiSender, MailApiSource
from providers.oauth.application import GRAPH
from providers.oauth.signing_in import SigningIn
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.identities import SesIdentities
from providers.ses.receipts import ReceiptBucket
from providers.ses.sender import SesSender
from providers.smtp.account import SmtpAccount
from providers.smtp.sender import SmtpSender
from providers.webhook_post import WebhookPost
from settings import Settings
from store.inbox_state import InboxState
from store.sealing import Sealer
from store.unit_of_work import Database

ACTIVITY_CLASSES: tuple[type, ...] = (
    AutoResponseClaiming,
    Backfilling,
    Connecting,
    DeskTurn,
    Digesting,
    BulkChanging,
    DomainChecking,
    Erasing,
    InboundFetch,
    InboundIngest,
    InboundOpen,
    InboundReact,
    InboundWatch,
    OutboundCompose,
    OutboundDeliver,
    OutboundFileCopy,
    OutboundRecord,
    OutboundVerify,
    Reingesting,
    Retaining,
    SlaTiming,
    Snoozing,
    Sweeping,
    WatchRenewing,
    WebhookDraining,
)
FETCHES, FETCHES_OF_ONE = 32, 24
SENDS, SENDS_OF_ONE = 128, 48
HISTORIES = 2


@dataclass(frozen=True, slots=True)
class Steps:
    """Every activity object, in the order of `ACTIVITY_CLASSES`. `parts` answer or raise, for `/readyz`; `sources` give the
    figures that only the objects know. `warm` starts ahead what the first mail would wait for.
    """

    objects: tuple[object, ...]
    parts: Mapping[str, Callable[[], Awaitable[None]]]
    database: Database
    sources: Mapping[str, Callable[[], Mapping[str, int]]]
    warm: Callable[[], Coroutine[Any, Any, None]]

    def functions(self) -> list[Callable[..., Any]]:
        """The bound methods that each class itself defines; inherited signatures stay out."""
        found = []
        for thing in self.objects:
            for name, method in vars(type(thing)).items():
                if inspect.isfunction(method) and hasattr(method, "__temporal_activity_definition"):
                    found.append(getattr(thing, name))
        return found


@dataclass(frozen=True, slots=True)
class ApiMakers:
    """What makes the source and the sender of a mailbox behind a web API, by provider."""

    sources: Mapping[str, SourceMaker]
    senders: Mapping[str, SenderMaker]


def api_makers(
    policy: EgressPolicy, *, google_url: str | None = None, graph_url: str = GRAPH
) -> ApiMakers:
    """How a mailbox behind a web API is read and sent from. Each Gmail mailbox has one budget of quota in this process."""
    google = GmailEndpoint(google_url, policy) if google_url else GmailEndpoint(policy=policy)
    microsoft, budgets = GraphEndpoint(graph_url, policy=policy), QuotaBudgets()

    def of_google(inbox: InboxState, token: MailboxToken) -> GmailAccount:
        return GmailAccount(token, refused=token.refused, endpoint=google, budget=budgets.of(str(inbox.id)))

    def of_microsoft(inbox: InboxState, token: MailboxToken) -> GraphAccount:
        return GraphAccount(token, refused=token.refused, mailbox=graph_mailbox(inbox), endpoint=microsoft)

    def gmail(inbox: InboxState, token: MailboxToken) -> MailApiSource:
        return GmailSource(of_google(inbox, token))

    def graph(inbox: InboxState, token: MailboxToken) -> MailApiSource:
        return GraphSource(of_microsoft(inbox, token))

    def from_gmail(inbox: InboxState, token: MailboxToken) -> MailApiSender:
        return GmailSender(of_google(inbox, token))

    def from_graph(inbox: InboxState, token: MailboxToken) -> MailApiSender:
        return GraphSender(of_microsoft(inbox, token))

    return ApiMakers({"gmail": gmail, "graph": graph}, {"gmail": from_gmail, "graph": from_graph})


@dataclass(frozen=True, slots=True)
class SesParts:
    """The operator's SES, all None where there is none; `bucket` also where it receives nothing."""

    post: SesPost | None = None
    identities: SesIdentities | None = None
    bucket: ReceiptBucket | None = None

    def close(self) -> None:
        if self.bucket is not None:
            self.bucket.close()


def ses_parts(settings: Settings) -> SesParts:
    """What the settings say of SES. Nothing is asked yet."""
    if settings.ses_region is None:
        return SesParts()
    secret = settings.ses_secret_key
    account = SesAccount(
        settings.ses_region,
        settings.ses_access_key,
        Secret(secret.get_secret_value()) if secret is not None else None,
        settings.ses_configuration_set,
        settings.ses_endpoint,
    )
    name, endpoint = settings.ses_receipt_bucket, settings.ses_receipt_endpoint
    bucket = ReceiptBucket(account, name, settings.ses_receipt_prefix, endpoint=endpoint) if name else None
    return SesParts(SesPost(SesSender(account), account.region), SesIdentities(account), bucket)


def ses_sources(database: Database, bucket: ReceiptBucket | None) -> dict[str, SourceMaker]:
    """How an inbox of SES is read, where there is a bucket to read from."""
    if bucket is None:
        return {}

    def ses(inbox: InboxState, _: MailboxToken) -> MailApiSource:
        return SesSource(database, bucket, inbox)

    return {"ses": ses}


def api_watchers(settings: Settings, policy: EgressPolicy) -> dict[str, Watcher]:
    """Who asks for announcements, by provider; none where the operator has set no place for them."""
    google = GmailEndpoint(settings.google_url, policy) if settings.google_url else GmailEndpoint(policy=policy)
    microsoft = GraphEndpoint(settings.microsoft_graph_url, policy=policy)
    topic, url = settings.google_pubsub_topic, settings.graph_push_notification_url
    found: dict[str, Watcher] = {}
    if topic is not None:
        found["gmail"] = GmailWatcher(
            lambda _, token: GmailAccount(token, refused=token.refused, endpoint=google), topic
        )
    if url is not None:
        found["graph"] = GraphWatcher(
            lambda inbox, token: GraphAccount(
                token, refused=token.refused, mailbox=graph_mailbox(inbox), endpoint=microsoft
            ),
            url,
        )
    return found


def reactors(database: Database, settings: Settings, blobs: BlobStore) -> tuple[Reactor, ...]:  # noqa: ARG001 - for those to come
    """Who reacts to events on the desk, in this order: rules, assignment, clocks, views, notices, figures, webhooks."""
    return (DeskRoute(blobs.get), DeskAssign(), DeskClocks(), Views(), NoticeReactor(), Rollups(), DeskWebhooks())


@contextlib.asynccontextmanager
async def composed(settings: Settings) -> AsyncIterator[Steps]:
    """Providers, store and activities from settings; everything is closed at the end."""
    secret = settings.token_secret.get_secret_value().encode()
    policy = EgressPolicy(allow=tuple(ipaddress.ip_network(n) for n in settings.egress_allow))
    database = Database(
        settings.database_url, pool_size=settings.database_pool_size, application="mailroom-worker"
    )
    blobs = BlobStore(
        endpoint=settings.s3_address,
        bucket=settings.s3_bucket,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        region=settings.s3_region,
    )
    pool = ImapPool(policy)
    watching = ImapPool(policy, per_account=1, total=settings.worker_watches)
    sealer = Sealer(settings.key_ring)
    makers = api_makers(policy, google_url=settings.google_url, graph_url=settings.microsoft_graph_url)
    ses = ses_parts(settings)
    accounts = Accounts(
        database,
        sealer,
        tokens=TokenKeeper(database, sealer, SigningIn(policy), settings.oauth_applications),
        sources={**makers.sources, **ses_sources(database, ses.bucket)},
        senders=makers.senders,
    )
    watchers = api_watchers(settings, policy)
    webhook_tls = tls_context()
    parsers = ParserPool(workers=settings.worker_parsers, secret=secret)
    turns = {
        "fetch": FairTurns(FETCHES, most_of_one=FETCHES_OF_ONE),
        "ingest": FairTurns(settings.worker_parsers + 1, most_of_one=settings.worker_parsers),
        "history": FairTurns(HISTORIES),
        "send": FairTurns(SENDS, most_of_one=SENDS_OF_ONE),
    }
    ingestion = Ingestion(database, blobs, parsers, turns=turns["ingest"])
    line = EventLine(settings.database_url)
    under_way: set[uuid.UUID] = set()
    drops = ObjectDrops(database, blobs)
    at_once = InboundAtOnce(database, blobs, ingestion, under_way=under_way, turns=turns["fetch"])

    def submitter(account: SmtpAccount) -> SmtpSender:
        return SmtpSender(account, policy, dot_out=lambda: failpoints.reached(Failpoint.DELIVER_DOT_OUT))

    try:
        yield Steps(
            (
                AutoResponseClaiming(database),
                Backfilling(database, blobs, pool, accounts, ingestion, turns=turns["history"]),
                Connecting(database, pool, accounts, policy),
                DeskTurn(database, line, reactors(database, settings, blobs)),
                Digesting(database, settings.public_url),
                DomainChecking(
                    database,
                    DnsLookup(settings.dns_servers),
                    mx_hosts=settings.domain_mx,
                    spf_include=settings.domain_spf_include,
                    identities=ses.identities,
                ),
                Erasing(database, drops),
                InboundFetch(
                    database,
                    blobs,
                    pool,
                    accounts,
                    packs=ingestion.packs,
                    turns=turns["fetch"],
                    ingestion=ingestion,
                    under_way=under_way,
                ),
                InboundIngest(database, ingestion),
                InboundOpen(accounts, poll_seconds=settings.poll_seconds),
                InboundReact(database),
                InboundWatch(
                    database, watching, accounts, at_once=at_once, poll_seconds=settings.poll_seconds
                ),
                OutboundCompose(database, blobs, secret),
                OutboundDeliver(database, accounts, blobs, submitter, turns=turns["send"], ses=ses.post),
                OutboundFileCopy(database, accounts, pool, blobs),
                OutboundRecord(database),
                OutboundVerify(database, accounts, pool),
                BulkChanging(database),
                Reingesting(database, blobs, ingestion, parsers),
                Retaining(database, drops),
                SlaTiming(database),
                Snoozing(database),
                Sweeping(
                    database,
                    poll_seconds=settings.poll_seconds,
                    watched=tuple(watchers),
                    spool=SesSpool(database, ses.bucket, every=settings.poll_seconds) if ses.bucket else None,
                ),
                WatchRenewing(database, accounts, watchers),
                WebhookDraining(database, sealer, lambda: WebhookPost(policy, webhook_tls), public_url=settings.public_url),
            ),
            {"postgresql": database.probe, "s3": blobs.ping},
            database,
            {"parser_deaths": lambda: parsers.deaths, **{name: turn.counts for name, turn in turns.items()}},
            parsers.warm,
        )
    finally:
        await line.close()
        ses.close()
        parsers.close()
        await watching.close()
        await pool.close()
        blobs.close()
        await database.close()
