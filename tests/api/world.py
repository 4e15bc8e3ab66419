"""A tenant with everything the API can show: people of each role, an inbox, mail both ways, files, quarantine."""

import base64
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text

from api.app import create_app
from api.deps import Deps
from store.addresses import address_key
from store.api_keys import make_key
from store.bulk import new_id
from store.people import add_person, create_tenant
from store.sessions import Account, open_session
from store.unit_of_work import Database
from tests.api.checker import Checker
from tests.api.stand_ins import ORIGIN, MemoryBlobs, RecordingGateway

PASSWORD = "correct horse battery staple"
ROLES = ("owner", "admin", "agent", "viewer")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NOW = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
HTML = (
    '<p>It <b>burns</b>.</p><img src="cid:pic@example.com"><img src="https://tracker.example.com/p.gif">'
    '<script>alert(1)</script><div class="gmail_quote"><blockquote>old words</blockquote></div>'
)


@dataclass
class World:
    """One tenant and the ids of what it has."""

    deps: Deps
    database: Database
    tenant_id: uuid.UUID
    people: dict[str, uuid.UUID] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, uuid.UUID] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> MemoryBlobs:
        assert isinstance(self.deps.blobs, MemoryBlobs)
        return self.deps.blobs

    @property
    def gateway(self) -> RecordingGateway:
        assert isinstance(self.deps.gateway, RecordingGateway)
        return self.deps.gateway

    def client(self, who: str | None = "agent", **headers: str) -> httpx.AsyncClient:
        """A browser of a role, a program (`key:write`), or nobody."""
        return client_of(self.deps, self, who, **headers)

    async def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"tenant": self.tenant_id, **bound})
            return [dict(r) for r in found.mappings()] if found.returns_rows else []

    async def insert(self, table: str, **values: Any) -> uuid.UUID:
        """A row with these values; dicts and lists of dicts travel as JSON."""
        row_id = values.pop("id", None) or new_id()
        casts = {n: f"cast(:{n} as jsonb)" if _is_json(v) else f":{n}" for n, v in values.items()}
        bound = {n: json.dumps(v) if _is_json(v) else v for n, v in values.items()}
        await self.rows(
            f"insert into {table} (tenant_id, id{''.join(f', {n}' for n in values)})"
            f" values (:tenant, :id{''.join(f', {c}' for c in casts.values())})",
            id=row_id,
            **bound,
        )
        return row_id

    async def conversation(self, number: int, **values: Any) -> uuid.UUID:
        given = {
            "inbox_id": self.ids["inbox"],
            "subject": "Printer on fire",
            "customer_identifier": "carla@customer.example.com",
            "customer_name": "Carla",
            "snippet": "It burns.",
            "last_message_at": NOW,
        }
        return await self.insert("conversations", number=number, **(given | values))

    async def message(self, conversation_id: uuid.UUID | None, **values: Any) -> uuid.UUID:
        given = {
            "inbox_id": self.ids["inbox"],
            "direction": "inbound",
            "sender_type": "customer",
            "classification": "message",
            "from_address": "carla@customer.example.com",
            "from_name": "Carla",
            "subject": "Printer on fire",
            "sent_at": NOW,
            "received_at": NOW,
            "body_text": "It burns.",
            "body_visible": "It burns.",
            "message_id_header": f"<{uuid.uuid4().hex}@customer.example.com>",
            "content_id": "c",
        }
        message_id = await self.insert("messages", conversation_id=conversation_id, **(given | values))
        await self.recipient(message_id, "desk@example.org")
        return message_id

    async def outgoing(self, status: str, **values: Any) -> uuid.UUID:
        return await self.message(
            self.ids["conversation"],
            direction="outbound",
            sender_type="agent",
            classification=None,
            author_id=self.people["agent"],
            from_address="desk@example.org",
            from_name="Example Desk",
            send_status=status,
            undo_until=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5),
            **values,
        )

    async def recipient(
        self, message_id: uuid.UUID, address: str, kind: str = "to", position: int = 0
    ) -> None:
        await self.rows(
            "insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key, delivery_status)"
            " values (:tenant, :m, :k, :p, :a, :key, 'pending')",
            m=message_id,
            k=kind,
            p=position,
            a=address,
            key=address_key(address),
        )

    async def attach(self, message_id: uuid.UUID, data: bytes, **values: Any) -> uuid.UUID:
        digest = hashlib.sha256(data).hexdigest()
        key = f"att/{self.tenant_id}/{digest}"
        self.blobs.objects[key] = data
        given = {"filename": "flame.png", "content_type": "image/png", "disposition": "attachment"}
        return await self.insert(
            "attachments",
            message_id=message_id,
            size_bytes=len(data),
            sha256=digest,
            storage_key=key,
            **(given | values),
        )


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def client_of(deps: Deps, world: World | None, who: str | None, **headers: str) -> httpx.AsyncClient:
    sent: dict[str, str] = {}
    cookies: dict[str, str] = {}
    if who is not None and world is not None:
        if who.startswith("key:"):
            sent["Authorization"] = f"Bearer {world.keys[who.removeprefix('key:')]}"
        else:
            cookies[deps.config.cookie_name] = world.tokens[who]
            sent |= {"Origin": ORIGIN, "X-Mailroom": "1"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(deps)),
        base_url=ORIGIN,
        headers={**sent, **headers},
        cookies=cookies,
        event_hooks={"response": [Checker()]},
    )


async def make_world(deps: Deps, *, mail: bool = True) -> World:
    """A new tenant beside whatever the database has already."""
    database = deps.database
    slug = uuid.uuid4().hex
    async with database.system_unit_of_work() as connection:
        tenant_id = await create_tenant(connection, name="Example Org", slug=slug)
    world = World(deps, database, tenant_id)
    password_hash = await deps.passwords.hash(PASSWORD)
    async with database.unit_of_work(tenant_id) as connection:
        for role in ROLES:
            email = f"{role}-{slug[:10]}@example.org"
            made = await add_person(
                connection, tenant_id, email=email, name=f"The {role}", role=role, password_hash=password_hash
            )
            world.people[role], world.emails[role] = made.id, email
        for scope in ("read", "write", "admin"):
            _, world.keys[scope] = await make_key(
                connection, tenant_id, name=f"{scope} key", scopes=(scope,), created_by=None
            )
    async with database.system_unit_of_work() as connection:
        for role in ROLES:
            world.tokens[role] = await open_session(
                connection, Account(world.people[role], tenant_id, None), days=1
            )
    world.ids["inbox"] = await world.insert(
        "inboxes",
        name="Desk",
        email_address="desk@example.org",
        display_name="Example Desk",
        health="ok",
        connected_at=NOW,
        last_sync_at=NOW,
        settings=servers(),
    )
    if mail:
        await _fill(world)
    return world


def servers() -> dict[str, Any]:
    place = {"port": 993, "security": "tls", "username": "desk@example.org", "auth": "password"}
    return {
        "imap": {"host": "imap.example.org", **place},
        "smtp": {"host": "smtp.example.org", **place, "port": 465},
        "verify_tls": True,
    }


async def _fill(world: World) -> None:
    ids = world.ids
    ids["folder"] = await world.insert(
        "folders",
        inbox_id=ids["inbox"],
        name="INBOX",
        path="INBOX",
        role="inbox",
        synced=True,
        uidvalidity=1,
        last_uid=7,
    )
    ids["conversation"] = await world.conversation(
        42, unread_count=1, message_count=1, customer_message_count=1
    )
    ids["message"] = await world.message(
        ids["conversation"], body_html=HTML, raw_key="raw/pack", raw_offset=4, raw_length=5
    )
    world.blobs.objects["raw/pack"] = b"xxxxhelloyyyy"
    ids["picture"] = await world.attach(
        ids["message"], PNG, disposition="inline", content_id_header="pic@example.com"
    )
    ids["attachment"] = await world.attach(
        ids["message"], b"<svg onload=alert(1)>", filename="a.svg", content_type="image/svg+xml", position=1
    )
    for status in ("queued", "failed", "unknown", "sent"):
        ids[status] = await world.outgoing(status, sent_at=NOW + dt.timedelta(hours=1))
    ids["spam"] = await world.message(
        None, classification="spam", spam_verdict="x-spam-flag", subject="Cheap watches"
    )
    ids["ledger"] = await world.insert(
        "ledger",
        inbox_id=ids["inbox"],
        folder_id=ids["folder"],
        uidvalidity=1,
        uid=5,
        state="ingested",
        raw_key="raw/pack",
        raw_length=5,
        message_id=ids["message"],
        classification="message",
        classification_reason="default",
        ingested_at=NOW,
        fetch_run="run-1",
        ingest_run="run-2",
    )
    poisoned = await world.insert(
        "ledger",
        inbox_id=ids["inbox"],
        folder_id=ids["folder"],
        uidvalidity=1,
        uid=6,
        state="quarantined",
        raw_key="raw/pack",
        raw_offset=0,
        raw_length=13,
        attempts=3,
    )
    ids["quarantine"] = await world.insert(
        "quarantine", ledger_id=poisoned, reason="parser_crashed", detail="It crashed."
    )


def new_inbox() -> Mapping[str, Any]:
    server = {
        "port": 993,
        "security": "tls",
        "username": "u@example.org",
        "auth": "password",
        "password": "a secret",
    }
    return {
        "name": "Second",
        "email_address": "second@example.org",
        "display_name": "Second Desk",
        "imap": {"host": "imap.example.org", **server},
        "smtp": {"host": "smtp.example.org", **server, "port": 465},
        "backfill_days": 30,
        "undo_send_seconds": 10,
    }
