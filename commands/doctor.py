"""`mailroom doctor`: tries everything that Mailroom needs and says what is wrong and how to mend it. Changes nothing."""

import asyncio
import datetime as dt
import ipaddress
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from botocore.config import Config
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

from commands.schema import alembic_config, temporal_client
from contracts.search_attributes import ALL as SEARCH_ATTRIBUTES
from providers.egress import EgressPolicy
from providers.errors import ProviderError
from providers.oauth.signing_in import SigningIn
from rules.access_expiry import WARNED
from settings import Settings, SettingsError, load_settings
from store.key_rotation import check_ring, count_by_key
from store.sealing import Sealer
from store.unit_of_work import Database

WITHIN = 5.0
CONSOLES = {
    "gmail": ("google", "docs/connecting-google.md"),
    "graph": ("microsoft", "docs/connecting-microsoft.md"),
}
LEAST_FREE = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing tried. `remedy` is empty when it is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


async def examine(settings: Settings | None, why_no_settings: str, data: Path) -> list[Finding]:
    """Everything that can be tried, at once; one failure never hides another."""
    findings = [_python(), _disk(data), *_programs()]
    if settings is None:
        return [
            *findings,
            Finding(
                "settings", ok=False, detail=why_no_settings, remedy="docs/settings.md explains every setting"
            ),
        ]
    checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]], str]] = [
        (
            "postgresql",
            lambda: asyncio.to_thread(_postgresql, settings),
            "start PostgreSQL, check MAILROOM_DATABASE_URL",
        ),
        (
            "temporal",
            lambda: _temporal(settings),
            "start Temporal, check MAILROOM_TEMPORAL_ADDRESS and the namespace",
        ),
        (
            "s3",
            lambda: asyncio.to_thread(_s3, settings),
            "start the S3 store, check MAILROOM_S3_ENDPOINT, the keys and the bucket",
        ),
        ("keys", lambda: _keys(settings), "see docs/keys.md"),
        ("oauth", lambda: _oauth(settings), "see docs/connecting-google.md and docs/connecting-microsoft.md"),
        ("api", lambda: _api(settings), "start it with `mailroom api`, check MAILROOM_PUBLIC_URL"),
    ]
    results = await asyncio.gather(*(_tried(name, work, remedy) for name, work, remedy in checks))
    return [
        *findings,
        Finding("settings", ok=True, detail="complete"),
        *(f for group in results for f in group),
    ]


async def _tried(name: str, work: Callable[[], Awaitable[list[Finding]]], remedy: str) -> list[Finding]:
    try:
        return await asyncio.wait_for(work(), WITHIN * 2)
    except Exception as error:  # whatever is wrong is the finding
        words = (str(error) or type(error).__name__).splitlines()[0]
        return [Finding(name, ok=False, detail=words[:200], remedy=remedy)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, version, "" if ok else "install Python 3.11 or newer")


def _disk(data: Path) -> Finding:
    place = next(p for p in (data, *data.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    ok = free > LEAST_FREE
    return Finding(
        "disk",
        ok,
        f"{free / 1024**3:.1f} GB free",
        "" if ok else "free at least 2 GB; raw mail and PostgreSQL grow here",
    )


def _programs() -> list[Finding]:
    """The embedded servers: only `up` and `demo` need them."""
    bin_dir = Path(sys.executable).parent
    return [
        Finding(
            f"{what} ({name})",
            found := (bin_dir / name).exists() or shutil.which(name) is not None,
            "installed" if found else "not found",
            "" if found else "run ./mailroom once: it installs what requirements.lock names",
        )
        for name, what in (("temporal", "embedded Temporal"), ("weed", "embedded S3"), ("pymap", "demo IMAP"))
    ]


def _postgresql(settings: Settings) -> list[Finding]:
    engine = create_engine(settings.database_url, connect_args={"connect_timeout": int(WITHIN)})
    try:
        with engine.connect() as connection:
            began = time.monotonic()
            version = connection.execute(text("show server_version")).scalar_one()
            took = (time.monotonic() - began) * 1000
            role = connection.execute(
                text("select rolname, rolsuper, rolbypassrls from pg_roles where rolname = current_user")
            ).one()
            stands = connection.execute(
                text("select to_regclass('public.alembic_version') is not null")
            ).scalar_one()
        findings = [Finding("postgresql", ok=True, detail=f"{version}, {took:.1f} ms")]
        safe = not role.rolsuper and not role.rolbypassrls
        findings.append(
            Finding(
                "database role",
                safe,
                role.rolname,
                "" if safe else "connect as mailroom_app: this role passes row-level security",
            )
        )
        findings.append(
            _schema(settings)
            if stands
            else Finding("schema", ok=False, detail="no tables", remedy="run `mailroom migrate`")
        )
        return findings
    finally:
        engine.dispose()


def _schema(settings: Settings) -> Finding:
    wanted = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if settings.database_admin_url is None:
        return Finding(
            "schema", ok=True, detail=f"not compared: MAILROOM_DATABASE_ADMIN_URL is unset (wanted {wanted})"
        )
    engine = create_engine(settings.database_admin_url, connect_args={"connect_timeout": int(WITHIN)})
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    ok = current == wanted
    return Finding(
        "schema",
        ok,
        f"version {current}",
        "" if ok else f"run `mailroom migrate`: version {wanted} is needed",
    )


async def _keys(settings: Settings) -> list[Finding]:
    """Whether the ring opens what the rows hold; no value is kept or shown."""
    database, sealer = Database(settings.database_url, pool_size=1, application="mailroom-doctor"), Sealer(settings.key_ring)
    sealer.self_test()
    try:
        async with database.system_unit_of_work() as connection:
            counts = await count_by_key(connection)
            troubles = await check_ring(connection, sealer, settings.credential_keys_lost)
    finally:
        await database.close()
    if troubles:
        named = "; ".join(f"key {t.key_id} is {t.what}, {t.rows} rows" for t in troubles)
        return [Finding("keys", ok=False, detail=named, remedy="put the right key into MAILROOM_CREDENTIAL_KEYS; docs/keys.md")]
    older = sum(c.rows for c in counts if c.key_id != sealer.key_id)
    words = f"{sealer.key_id} seals" + (f"; {older} rows under older keys, see `mailroom keys rotate`" if older else "")
    return [Finding("keys", ok=True, detail=words)]


async def _oauth(settings: Settings) -> list[Finding]:
    """Whether Google and Microsoft take the applications; nothing for one that is not set."""
    policy = EgressPolicy(allow=tuple(ipaddress.ip_network(n) for n in settings.egress_allow))
    signing_in, found = SigningIn(policy), []
    for provider, application in settings.oauth_applications.items():
        name, page = CONSOLES[provider]
        try:
            known = await signing_in.accepted(application)
        except ProviderError as error:
            found.append(Finding(name, ok=False, detail=error.reason, remedy=error.sentence))
        else:
            words = "accepts id and secret" if known else "only a sign-in shows it: MAILROOM_MICROSOFT_TENANT names no tenant"
            found.append(Finding(name, ok=True, detail=f"{words}; redirect {settings.public_url.rstrip('/')}/oauth/callback, {page}"))
    ends = settings.secret_expires
    if "graph" in settings.oauth_applications and ends is not None:
        left = (ends - dt.datetime.now(dt.UTC)).days
        soon = left < WARNED["client_secret"].days
        remedy = "make a new one in the app registration, docs/runbooks/access-ends.md" if soon else ""
        found.append(Finding("microsoft client secret", not soon, f"ends in {left} days", remedy))
    return found


async def _temporal(settings: Settings) -> list[Finding]:
    async with temporal_client(settings) as client:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in answer.custom_attributes]
    return [
        Finding(
            "temporal",
            ok=True,
            detail=f"{settings.temporal_address}, namespace {settings.temporal_namespace}",
        ),
        Finding(
            "search attributes",
            not missing,
            "registered" if not missing else f"missing {', '.join(missing)}",
            "" if not missing else "run `mailroom migrate`",
        ),
    ]


def _s3(settings: Settings) -> list[Finding]:
    timeouts = Config(
        connect_timeout=WITHIN,
        read_timeout=WITHIN,
        retries={"max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    client: Any = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=timeouts,
    )
    client.head_bucket(Bucket=settings.s3_bucket)
    findings = [Finding("s3", ok=True, detail=f"bucket {settings.s3_bucket}")]
    if settings.s3_endpoint:
        answer = httpx.get(
            f"{settings.s3_endpoint}/{settings.s3_bucket}?list-type=2", timeout=WITHIN, trust_env=False
        )
        private = answer.status_code in {401, 403}
        findings.append(
            Finding(
                "s3 is private",
                private,
                f"anonymous listing answers {answer.status_code}",
                "" if private else "close the bucket: anybody can list it",
            )
        )
    return findings


async def _api(settings: Settings) -> list[Finding]:
    async with httpx.AsyncClient(timeout=WITHIN, trust_env=False) as http:
        answer = await http.get(f"{settings.public_url}/readyz")
    parts = answer.json()["parts"]
    down = [name for name, part in parts.items() if not part["ok"]]
    return [
        Finding(
            "api",
            not down,
            settings.public_url if not down else f"cannot reach {', '.join(down)}",
            "" if not down else "see the parts above",
        )
    ]


def doctor(data: Path, environment: dict[str, str] | None = None) -> int:
    """Print the findings. Exit code 0 when all is well."""
    if environment:
        os.environ.update(environment)
    settings, why = None, ""
    try:
        settings = load_settings()
    except SettingsError as error:
        why = str(error)
    findings = asyncio.run(examine(settings, why, data))
    console = Console()
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row("[green]✓[/]" if finding.ok else "[red]✗[/]", finding.name, finding.detail)
        if finding.remedy:
            table.add_row("", "", f"[yellow]→ {finding.remedy}[/]")
    console.print(table)
    wrong = sum(not f.ok for f in findings)
    console.print("[green]All is well.[/]" if not wrong else f"[red]{wrong} to mend.[/]")
    return 1 if wrong else 0
