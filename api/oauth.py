"""Connecting mailboxes at Google and Microsoft: away to the consent page, and back with a code (integrity X-35).

`state` is a nonce with its HMAC over the browser's session, kept as a hash and good once for ten minutes: a link that somebody
else began connects nothing. The PKCE verifier is derived from the nonce, so it is stored nowhere.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field
from starlette.responses import RedirectResponse, Response

from api.auth import Access, Principal, find_principal
from api.consents import ConsentFailed, Granted
from api.deps import Deps
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_valid
from api.schemas.base import Answer, Asked, MailAddress, Name
from store.inboxes import InboxRow, get_inbox
from store.oauth_grants import COLUMN, GrantPermission, SealedTokens
from store.oauth_starts import AddressTaken, InboxGone, Start, begin, connect, inbox_for, take

BACK = "/oauth/callback"
PAGE = "/inboxes"


class OAuthStart(Asked):
    """`inbox_id` connects an inbox again; then the other two are its own. `shared`: the account that agrees is another than the
    mailbox's, which it may open (Microsoft's shared and delegated mailboxes).
    """

    provider: Literal["gmail", "graph"]
    email_address: MailAddress | None = None
    name: Name | None = None
    inbox_id: uuid.UUID | None = None
    shared: bool = False


class OAuthPlace(Answer):
    """Where the person agrees, for ten minutes."""

    url: str


class ComingBack(Empty):
    """What Google and Microsoft put into the address. Only the first three matter."""

    state: Annotated[str, Field(max_length=200)] = ""
    code: Annotated[str, Field(max_length=4096)] = ""
    error: Annotated[str, Field(max_length=200)] = ""
    error_description: str = ""
    error_subtype: str = ""
    error_uri: str = ""
    scope: str = ""
    authuser: str = ""
    prompt: str = ""
    hd: str = ""
    iss: str = ""
    session_state: str = ""


async def start(call: Call[Empty, OAuthStart]) -> OAuthPlace:
    """Nothing is connected yet. Twice gives two addresses, each good once."""
    body, deps, viewer = call.body, call.deps, call.who.viewer
    cookie = call.request.cookies.get(deps.config.cookie_name)
    if call.who.user_id is None or cookie is None:
        raise Problem(422, "Only a person can agree. Sign in with a browser and connect the mailbox there.")
    if body.provider not in deps.consents.providers:
        raise not_valid(FieldError("provider", "has no client id in this installation; ask the operator to set one"))
    if body.shared and body.provider != "graph":
        raise not_valid(FieldError("shared", "is for Microsoft's mailboxes only; at Google sign in as the mailbox itself"))
    nonce = secrets.token_urlsafe(24)
    state = f"{nonce}.{_signature(deps, cookie, nonce)}"
    async with deps.database.unit_of_work(viewer.tenant_id) as connection:
        address, name, shared = body.email_address, body.name, body.shared
        if body.inbox_id is not None:
            row = await get_inbox(connection, viewer, body.inbox_id)
            if row is None:
                raise not_valid(FieldError("inbox_id", "names no inbox; leave it out for a new one"))
            if row.provider != body.provider:
                raise not_valid(FieldError("provider", f"is not this inbox's, which is {row.provider}"))
            address, name = row.email_address, row.name
            shared = shared or is_shared(row)
        if address is None:
            raise not_valid(FieldError("email_address", "is needed for a new inbox"))
        begun = Start(body.inbox_id, body.provider, name or address, address, shared)
        await begin(connection, viewer.tenant_id, _hash(state), begun)
    url = deps.consents.url(
        body.provider, redirect_uri=redirect_uri(deps), state=state, verifier=_verifier(deps, nonce),
        address="" if shared else address,
    )
    return OAuthPlace(url=url)


async def come_back(call: Call[ComingBack, None]) -> Response:
    """Always a redirect to the web client: to the inbox, or to the list with `oauth_error` and a reason, and `inbox` where one
    was to be connected again. The row of the state goes first: a code is offered to the provider once, and dying after that means
    to begin again. Its sync is poked and told to resume: a running one that rests after a refusal goes on at once.
    """
    deps, query = call.deps, call.query
    who = await find_principal(call.request, deps.config, deps.database)
    cookie = call.request.cookies.get(deps.config.cookie_name)
    if who is None or cookie is None:
        return _back("not_signed_in")
    if who.access < Access.ADMIN:
        return _back("not_allowed")
    nonce, _, signature = query.state.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(deps, cookie, nonce).encode()):
        return _back("state_unknown")
    async with deps.database.unit_of_work(who.tenant_id) as connection:
        begun = await take(connection, who.tenant_id, _hash(query.state))
    if begun is None:
        return _back("state_used")
    if query.error or not query.code:
        return _back("consent_refused" if query.error == "access_denied" else "provider_refused", begun)
    try:
        granted = await deps.consents.granted(
            begun.provider, code=query.code, redirect_uri=redirect_uri(deps), verifier=_verifier(deps, nonce),
            mailbox=begun.email_address if begun.shared else None,
        )
    except ConsentFailed as failed:
        return _back(failed.reason, begun)
    if granted.lacking:
        return _back("scopes_missing", begun)
    if begun.email_address.casefold() not in granted.addresses:
        return _back("other_account", begun)
    try:
        inbox_id = await connected(deps, who, begun, granted)
    except AddressTaken:
        return _back("address_taken", begun)
    except InboxGone:
        return _back("inbox_gone", begun)
    await wake(deps, who, inbox_id, begun.provider)
    return _redirect(f"{PAGE}/{inbox_id}")


async def wake(deps: Deps, who: Principal, inbox_id: uuid.UUID, provider: str) -> None:
    """Let the sync begin, or go on where it rests after a refusal. With Temporal away the sweep starts it."""
    if await deps.gateway.poke_sync(str(who.tenant_id), str(inbox_id), provider):
        await deps.gateway.signal_sync(str(inbox_id), "resume")


def is_shared(row: InboxRow) -> bool:
    """Whether another account than the mailbox's own opens it."""
    kept = row.settings.get("graph")
    return isinstance(kept, dict) and bool(kept.get("mailbox"))


async def connected(
    deps: Deps, who: Principal, begun: Start, granted: Granted, permission: GrantPermission = GrantPermission.DELEGATED
) -> uuid.UUID:
    """Write the inbox and what was granted, in one transaction. Raises AddressTaken, InboxGone."""
    async with deps.database.unit_of_work(who.tenant_id) as connection:
        known = await inbox_for(connection, who.tenant_id, begun)
        inbox_id = known or uuid.uuid4()
        sealed, key_id = deps.sealer.seal(
            {"refresh": granted.refresh, "access": granted.access},
            tenant_id=str(who.tenant_id),
            inbox_id=str(inbox_id),
            column=COLUMN,
        )
        await connect(
            connection,
            who.viewer,
            inbox_id,
            begun,
            new=known is None,
            scopes=granted.scopes,
            tokens=SealedTokens(sealed, key_id, granted.seconds, granted.refresh_seconds),
            account=granted.account if begun.shared else begun.email_address,
            permission=permission,
        )
    return inbox_id


def redirect_uri(deps: Deps) -> str:
    """Must be registered at the provider to the letter."""
    return deps.config.public_url.rstrip("/") + BACK


def _back(reason: str, begun: Start | None = None) -> Response:
    query = {"oauth_error": reason}
    if begun is not None and begun.inbox_id is not None:
        query["inbox"] = str(begun.inbox_id)
    return _redirect(f"{PAGE}?{urlencode(query)}")


def _redirect(place: str) -> Response:
    """The code and the state must not stay in the browser's referrer."""
    return RedirectResponse(place, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _signature(deps: Deps, cookie: str, nonce: str) -> str:
    return _text(hmac.digest(deps.config.session_secret, f"oauth-state|{cookie}|{nonce}".encode(), hashlib.sha256))


def _verifier(deps: Deps, nonce: str) -> str:
    return _text(hmac.digest(deps.config.session_secret, f"oauth-pkce|{nonce}".encode(), hashlib.sha256))


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/inboxes/oauth/start",
        start,
        Access.ADMIN,
        "Where to agree at Google or Microsoft",
        response=OAuthPlace,
        body=OAuthStart,
    ),
    Endpoint("GET", BACK, come_back, Access.PUBLIC, "The way back from there", status=303, query=ComingBack, media_type=""),
)
