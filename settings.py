"""Every setting of a Mailroom process, read once from the environment (prefix `MAILROOM_`).

Only the composition roots read this module; everything else gets its values by constructor. Each setting is explained
in `docs/settings.md`, which a test compares with this file.
"""

import base64
import binascii
import datetime as dt
import ipaddress
import re
from functools import lru_cache
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts import failpoints
from providers.dns.lookup import read_server
from providers.gmail.push_token import GOOGLE_KEYS
from providers.oauth.application import GRAPH, Application, google, microsoft
from providers.secret import Secret
from providers.ses.sns_message import TOPIC

KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")  # stands between bars in the associated data


class SettingsError(SystemExit):
    """The environment is wrong. Printed as it is: names the variable, what is wrong and how to mend it."""


class Settings(BaseSettings):
    """Typed view of the environment. Unset secrets without a default are an error that names the variable."""

    model_config = SettingsConfigDict(env_prefix="MAILROOM_", extra="ignore", frozen=True)

    database_url: str = Field(
        description="postgresql+psycopg:// URL of the role that owns nothing (mailroom_app)"
    )
    database_admin_url: str | None = Field(None, description="URL of the owner, for migrations only")
    database_pool_size: int = Field(10, ge=1, le=200, description="connections per process")

    temporal_address: str = Field("127.0.0.1:7233", description="host:port of the Temporal frontend")
    temporal_namespace: str = Field("default", description="Temporal namespace")
    temporal_ui_url: str | None = Field(
        None, description="address of the Temporal UI, for links; none hides them"
    )

    s3_endpoint: str | None = Field(None, description="S3 endpoint; none means AWS")
    s3_public_endpoint: str | None = Field(None, description="endpoint that browsers reach, when it differs")
    s3_region: str = Field("us-east-1", description="S3 region")
    s3_bucket: str = Field("mail", description="private bucket for raw mail and attachments")
    s3_access_key: str = Field(description="S3 access key")
    s3_secret_key: SecretStr = Field(description="S3 secret key")

    credential_keys: SecretStr = Field(
        description="key ring for sealed credentials: id:base64 of 32 bytes, comma separated, first one seals"
    )
    credential_keys_lost: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma separated ids of keys that are lost for good; their mailboxes ask for the password again"
    )
    session_secret: SecretStr = Field(description="signs inline picture links; at least 32 characters")
    token_secret: SecretStr = Field(description="signs reply tokens and loop headers; at least 32 characters")

    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8025, ge=1, le=65535, description="port the API listens on")
    public_url: str = Field(
        "http://127.0.0.1:8025", description="address people open; decides cookie and Origin"
    )

    worker_metrics_port: int = Field(0, ge=0, le=65535, description="port of the worker's /metrics; 0 is off")
    worker_parsers: int = Field(2, ge=1, le=64, description="limited child processes that parse mail")
    worker_watches: int = Field(500, ge=1, le=10000, description="inboxes that one worker watches by IDLE at a time")

    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma separated networks that inboxes may reach although they are private"
    )
    dns_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma separated name servers that domains are checked with; none means those of the machine"
    )
    domain_mx: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma separated hosts that a domain's MX records should name; none takes any"
    )
    domain_spf_include: str = Field("", description="name that a domain's SPF record should include; empty asks for none")
    poll_seconds: int = Field(
        300, ge=5, le=900, description="seconds between two looks at all folders, with IDLE and without; at most 15 minutes"
    )
    ses_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma separated ARNs of the SNS topics that may report about mail sent through SES"
    )
    ses_region: str | None = Field(
        None, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$", description="AWS region whose SES sends for inboxes of that provider; none means there are none"
    )
    ses_access_key: str | None = Field(None, description="key for SES and its receipt bucket; none means the machine's own role")
    ses_secret_key: SecretStr | None = Field(None, description="its secret")
    ses_configuration_set: str | None = Field(None, description="configuration set that makes SES publish events")
    ses_endpoint: str | None = Field(None, description="where SES is, for stand-ins; none means AWS")
    ses_receipt_bucket: str | None = Field(None, description="bucket into which a receipt rule puts incoming mail; none means none comes in")
    ses_receipt_prefix: str = Field("", description="object key prefix of that receipt rule, with its slash")
    ses_receipt_endpoint: str | None = Field(None, description="S3 endpoint of the receipt bucket, for stand-ins; none means AWS")
    google_pubsub_topic: str | None = Field(
        None, pattern=r"^projects/[^/\s]+/topics/[^/\s]+$", description="Pub/Sub topic at which Gmail shall announce changes; none asks for none"
    )
    google_push_audience: str | None = Field(
        None, description="audience of the Pub/Sub push subscription's tokens; none means that no announcement of Gmail is believed"
    )
    google_push_account: str | None = Field(
        None, description="address of the service account that the Pub/Sub push subscription authenticates as"
    )
    google_keys_url: str = Field(GOOGLE_KEYS, description="where the keys are that Google signs those tokens with")
    graph_push_notification_url: str | None = Field(
        None, description="public https address of /api/webhooks/graph-push; none means that no notice of Graph is believed"
    )
    google_client_id: str | None = Field(None, description="OAuth client id of the Google Cloud console")
    google_client_secret: SecretStr | None = Field(None, description="its secret")
    google_url: str | None = Field(
        None, description="where Google's sign-in and Gmail are, ends with a slash; none means Google's own addresses"
    )
    microsoft_client_id: str | None = Field(None, description="application (client) id of the Entra app registration")
    microsoft_client_secret: SecretStr | None = Field(None, description="the value of its client secret")
    microsoft_tenant: str = Field(
        "common", pattern="^[A-Za-z0-9.-]{1,100}$", description="whose accounts may sign in: common, organizations or a tenant's id"
    )
    microsoft_login_url: str | None = Field(
        None, description="where Entra's sign-in is, ends with a slash, for national clouds; none means Microsoft's own"
    )
    microsoft_graph_url: str = Field(GRAPH, description="where Graph is, ends with a slash, for national clouds")
    google_testing: bool = Field(
        False, description="the Google consent screen is in testing, where a permission lasts for seven days"
    )
    microsoft_client_secret_expires: dt.date | None = Field(
        None, description="last day on which the client secret is good, as the app registration shows it"
    )
    microsoft_application_mailboxes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="comma separated mailboxes that may be opened without a person, each as tenant=address or tenant=@domain; none allows none",
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )

    failpoint: str | None = Field(
        None, description="for tests: the place where this process kills itself (`name`) or stops (`name:stop`)"
    )

    @field_validator("failpoint")
    @classmethod
    def _check_failpoint(cls, value: str | None) -> str | None:
        if value:
            failpoints.parse(value)
        return value or None

    @field_validator(
        "egress_allow", "credential_keys_lost", "ses_topics", "dns_servers", "domain_mx", "microsoft_application_mailboxes", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("egress_allow")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @field_validator("ses_topics")
    @classmethod
    def _check_topics(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for topic in value:
            if TOPIC.fullmatch(topic) is None:
                raise ValueError("holds what is no topic; write ARNs like arn:aws:sns:eu-central-1:123456789012:ses-events")
        return value

    @field_validator("dns_servers")
    @classmethod
    def _check_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            read_server(server)
        return value

    @field_validator("google_keys_url", "graph_push_notification_url")
    @classmethod
    def _only_https(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("https://"):
            raise ValueError("write an address that begins with https://")
        return value

    @model_validator(mode="after")
    def _check_ses(self) -> "Settings":
        if bool(self.ses_access_key) != bool(self.ses_secret_key):
            raise ValueError("MAILROOM_SES_ACCESS_KEY and MAILROOM_SES_SECRET_KEY belong together: give both or none")
        if self.ses_receipt_bucket and not self.ses_region:
            raise ValueError("MAILROOM_SES_RECEIPT_BUCKET needs MAILROOM_SES_REGION, the region that receives")
        return self

    @model_validator(mode="after")
    def _check_applications(self) -> "Settings":
        for provider in ("google", "microsoft"):
            held = [bool(getattr(self, f"{provider}_client_{part}")) for part in ("id", "secret")]
            if any(held) and not all(held):
                name = f"MAILROOM_{provider.upper()}_CLIENT"
                raise ValueError(f"{name}_ID and {name}_SECRET belong together: give both or none")
        for name in ("google_url", "microsoft_login_url", "microsoft_graph_url"):
            value = getattr(self, name)
            if value is not None and not value.endswith("/"):
                raise ValueError(f"MAILROOM_{name.upper()} must end with a slash")
        _ = self.oauth_applications
        return self

    @field_validator("session_secret", "token_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < KEY_BYTES:
            raise ValueError("give at least 32 characters, for example from `openssl rand -base64 32`")
        return value

    @field_validator("credential_keys")
    @classmethod
    def _check_keys(cls, value: SecretStr) -> SecretStr:
        parse_key_ring(value.get_secret_value())
        return value

    @field_validator("microsoft_application_mailboxes")
    @classmethod
    def _check_mailboxes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            tenant, _, mailbox = entry.partition("=")
            if not tenant.strip() or not re.fullmatch(r"[^@\s]*@[^@\s]+\.[^@\s]+", mailbox.strip()):
                raise ValueError("write tenant=address or tenant=@domain, as in acme=@example.com")
        return value

    @property
    def secret_expires(self) -> dt.datetime | None:
        """The end of that day, in UTC."""
        day = self.microsoft_client_secret_expires
        return None if day is None else dt.datetime.combine(day, dt.time.max, dt.UTC)

    @property
    def application_mailboxes(self) -> tuple[tuple[str, str], ...]:
        """A tenant's short name and what it may open, each."""
        pairs = (entry.partition("=") for entry in self.microsoft_application_mailboxes)
        return tuple((tenant.strip(), mailbox.strip()) for tenant, _, mailbox in pairs)

    @property
    def s3_address(self) -> str:
        """The S3 endpoint, AWS's own of the region when none is set."""
        return self.s3_endpoint or f"https://s3.{self.s3_region}.amazonaws.com"

    @property
    def oauth_applications(self) -> dict[str, Application]:
        """By provider, those that have a client id. Raises ValueError for an address without https."""
        found: dict[str, Application] = {}
        if self.google_client_id and self.google_client_secret:
            secret = Secret(self.google_client_secret.get_secret_value())
            found["gmail"] = google(self.google_client_id, secret, root=self.google_url)
        if self.microsoft_client_id and self.microsoft_client_secret:
            found["graph"] = microsoft(
                self.microsoft_client_id,
                Secret(self.microsoft_client_secret.get_secret_value()),
                tenant=self.microsoft_tenant,
                root=self.microsoft_login_url,
                graph=self.microsoft_graph_url,
            )
        return found

    @property
    def key_ring(self) -> dict[str, bytes]:
        """Key id to 32 key bytes, in the order given; the first one seals."""
        return parse_key_ring(self.credential_keys.get_secret_value())


def parse_key_ring(text: str) -> dict[str, bytes]:
    """Read `id:base64,id:base64`. Raises ValueError naming the entry by its position, never by its key bytes."""
    ring: dict[str, bytes] = {}
    for position, entry in enumerate(filter(None, (e.strip() for e in text.split(","))), start=1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES:
            raise ValueError(
                f"entry {position} must be `id:base64 of 32 bytes`; make one with `openssl rand -base64 32`"
                " and name it by up to 40 letters, digits, dots, dashes or underscores"
            )
        if key_id in ring:
            raise ValueError(f"entry {position} has the id of an earlier one; give every key an id of its own")
        if key in ring.values():
            raise ValueError(f"entry {position} repeats an earlier key under another id; a new id needs a new key")
        ring[key_id] = key
    if not ring:
        raise ValueError("at least one `id:base64 of 32 bytes` is needed")
    return ring


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Settings from the environment, or a SettingsError that lists every wrong variable with its remedy."""
    try:
        return Settings()  # type: ignore[call-arg]  # values come from the environment
    except ValidationError as error:
        lines = ["Mailroom cannot start, its settings are not right:"]
        for item in error.errors():
            name = "MAILROOM_" + ("_".join(str(p) for p in item["loc"]).upper() or "*")
            field = Settings.model_fields.get(str(item["loc"][0])) if item["loc"] else None
            meaning = f" ({field.description})" if field and field.description else ""
            lines.append(f"  {name}: {item['msg']}{meaning}")
        lines.append("See docs/settings.md for every setting.")
        raise SettingsError("\n".join(lines)) from None
