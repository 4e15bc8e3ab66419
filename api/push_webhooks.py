"""What Gmail and Graph announce about mailboxes: proven, written down once, answered, and then the inbox is woken (X-40).

An announcement is a wake-up and nothing else: no mail is read from it, and where one is lost polling finds the mail. Dying before
the row: it is told again. Dying after it: the inbox looks at its next poll. A replay finds the row and does nothing.
"""

import base64
import binascii
import datetime as dt
import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from api.auth import Access
from api.bodies import read_bytes
from api.endpoint import Call, Empty, Endpoint
from api.problems import Problem, away
from api.push_door import KeysAway, NotOurs
from api.push_pokes import Woken
from store.push_notices import (
    PushedInbox,
    bears,
    inboxes_of_address,
    inboxes_of_subscriptions,
    subscription_removed,
    watch_is_due,
    write_notice,
)

log = logging.getLogger("mailroom.api.webhooks")
MOST_OCTETS = 1024 * 1024
MOST_NOTICES = 1000
MOST_TOKEN = 2048
MOST_DIGITS = 18
REMOVED = "subscriptionRemoved"
RENEWS = frozenset({REMOVED, "reauthorizationRequired"})


class Handshake(BaseModel, extra="forbid"):
    """Graph asks so whether an address is ours, before it makes a subscription."""

    token: str | None = Field(None, alias="validationToken", max_length=MOST_TOKEN)


@dataclass(frozen=True, slots=True)
class _Announced:
    """What a Gmail announcement says."""

    event_id: str
    address: str
    history_id: int


@dataclass(frozen=True, slots=True)
class _Notice:
    """One notice of Graph, not proven yet. `kind` is its lifecycle event, or its change."""

    subscription_id: str
    client_state: str
    event_id: str
    kind: str
    mail_id: str | None


async def gmail_push(call: Call[Empty, None]) -> Response:
    """Public: the token of the push subscription is the sign-in, and nobody is told why one is not good."""
    _count(call, "gmail")
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    try:
        await call.deps.push.check(token.strip() if scheme.lower() == "bearer" else "")
    except NotOurs as error:
        log.warning("a call at the Gmail webhook was not believed (%s)", error)
        raise Problem(401, "Not accepted.") from None
    except KeysAway as error:
        log.warning("Google's keys could not be had (%s)", error)
        raise away("Google", "Send the message again.") from None
    announced = _read_gmail(await read_bytes(call.request, MOST_OCTETS))  # a forger's is not even read
    if announced is None:  # Google's own, so telling it again would not mend it
        log.warning("an announcement of Gmail cannot be read")
        return PlainTextResponse("", 202)
    async with call.deps.database.system_unit_of_work() as connection:
        inboxes = await inboxes_of_address(connection, announced.address)
    for inbox in inboxes:
        async with call.deps.database.unit_of_work(inbox.tenant_id) as connection:
            news = await write_notice(
                connection,
                inbox,
                event_id=announced.event_id,
                kind="changed",
                history_id=announced.history_id,
                now=call.now(),
            )
        _wake(call, inbox, news)
    return PlainTextResponse("", 202)


async def graph_push(call: Call[Handshake, None]) -> Response:
    """Public: Graph signs nothing, so the secret that each subscription was made with is the sign-in."""
    _count(call, "graph")
    if not call.deps.push.graph:
        raise Problem(401, "Not accepted.")
    if call.query.token is not None:
        # As text and never as anything else: whoever asks chooses what is echoed (protocol rules §4.2, validation).
        return PlainTextResponse(call.query.token, headers={"X-Content-Type-Options": "nosniff"})
    notices = _read_graph(await read_bytes(call.request, MOST_OCTETS), call.now())
    async with call.deps.database.system_unit_of_work() as connection:
        known = await inboxes_of_subscriptions(connection, {n.subscription_id for n in notices})
    believed = [
        (known[n.subscription_id].inbox, n) for n in notices if bears(known.get(n.subscription_id), n.client_state)
    ]
    if len(believed) < len(notices) or not notices:
        log.warning("%d of %d notices at the Graph webhook were not believed", len(notices) - len(believed), len(notices))
    if not believed:
        raise Problem(401, "Not accepted.")
    for inbox, notice in believed:
        _wake(call, inbox, await _take(call, inbox, notice))
    return PlainTextResponse("", 202)


async def _take(call: Call[Handshake, None], inbox: PushedInbox, notice: _Notice) -> bool:
    now = call.now()
    async with call.deps.database.unit_of_work(inbox.tenant_id) as connection:
        news = await write_notice(
            connection, inbox, event_id=notice.event_id, kind=notice.kind, now=now, mail_id=notice.mail_id
        )
        if news and notice.kind == REMOVED:
            await subscription_removed(connection, inbox, notice.subscription_id)
        if news and notice.kind in RENEWS:
            await watch_is_due(connection, inbox, now=now)
    return news


def _count(call: Call[Any, None], source: str) -> None:
    client = call.request.client
    call.deps.limits.hook(f"{source}:{client.host if client else ''}")


def _wake(call: Call[Any, None], inbox: PushedInbox, news: bool) -> None:
    if news and inbox.awake:
        call.deps.pokes.wake(Woken(str(inbox.tenant_id), str(inbox.id), inbox.provider))


def _read_gmail(raw: bytes) -> _Announced | None:
    """None where it is not what Pub/Sub wraps around an announcement."""
    try:
        message = json.loads(raw)["message"]
        said = json.loads(base64.b64decode(message["data"], validate=True))
        event_id, address, history = message["messageId"], said["emailAddress"], str(said["historyId"])
        address.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
    if not _plain(event_id, 128) or not 0 < len(address) <= 320 or "\0" in address:
        return None
    # The length first: Python refuses to read numbers of thousands of digits, and takes long for many.
    if not 0 < len(history) <= MOST_DIGITS or not history.isascii() or not history.isdigit() or int(history) == 0:
        return None
    return _Announced(event_id, address, int(history))


def _read_graph(raw: bytes, now: dt.datetime) -> list[_Notice]:
    """The notices that could be somebody's; none where the body is something else."""
    try:
        items = json.loads(raw)["value"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(items, list):
        return []
    found = [_notice(item, now) for item in items[:MOST_NOTICES] if isinstance(item, dict)]
    return [notice for notice in found if notice is not None]


def _notice(item: dict[str, Any], now: dt.datetime) -> _Notice | None:
    subscription, state = item.get("subscriptionId"), item.get("clientState")
    kind = item.get("lifecycleEvent") or item.get("changeType")
    if not _plain(subscription, 128) or not isinstance(state, str) or not _plain(kind, 40):
        return None
    data = item.get("resourceData")
    mail = data.get("id") if isinstance(data, dict) else None
    return _Notice(str(subscription), state, _event_id(item, now), str(kind), str(mail) if _plain(mail, 512) else None)


def _event_id(item: dict[str, Any], now: dt.datetime) -> str:
    """The notice's own id, else a hash of what it says. What bears no version of the mail may be said again another time, so
    the hour belongs to it.
    """
    given = item.get("id")
    if _plain(given, 128):
        return str(given)
    told = {name: item.get(name) for name in ("subscriptionId", "changeType", "lifecycleEvent", "resource", "resourceData")}
    data = item.get("resourceData")
    if not isinstance(data, dict) or not data.get("@odata.etag"):
        told["hour"] = now.strftime("%Y-%m-%dT%H")
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _plain(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most and value.isascii() and value.isprintable()


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/webhooks/gmail-push",
        gmail_push,
        Access.PUBLIC,
        "Announcements of Gmail through Pub/Sub",
        status=202,
        raw_body=True,
        media_type="text/plain",
    ),
    Endpoint(
        "POST",
        "/api/webhooks/graph-push",
        graph_push,
        Access.PUBLIC,
        "Notices and lifecycle events of Microsoft Graph, and its handshake",
        status=202,
        query=Handshake,
        raw_body=True,
        media_type="text/plain",
    ),
)
