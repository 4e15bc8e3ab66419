"""The permission for a mailbox at Google or Microsoft: shown, tried, and given without a person where the operator allows it."""

import asyncio

from api.auth import Access
from api.consents import ConsentFailed, Granted
from api.deps import ApiConfig
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import found, shown
from api.oauth import connected, is_shared, redirect_uri, wake
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.access import (
    ApplicationInbox,
    Expiry,
    InboxAccess,
    MailboxAccess,
    OAuthChoices,
    Setup,
    SetupItem,
)
from api.schemas.inboxes import Inbox
from rules.access_expiry import expiries
from store.grant_view import tenant_slug, view_grant
from store.inboxes import get_inbox
from store.oauth_grants import GrantPermission
from store.oauth_starts import AddressTaken, InboxGone, Start

SECONDS = 25.0
SENTENCES = {
    "application_unknown": "Microsoft does not know the application, or does not let it in. Check its id, secret and tenant.",
    "tenant_unknown": "Microsoft does not know the tenant. Check MAILROOM_MICROSOFT_TENANT.",
    "secret_wrong": "Microsoft does not accept the client secret. The operator must set its value, not its id.",
    "secret_expired": "The client secret has expired. The operator must make a new one.",
    "mailbox_not_opened": "The application may not open this mailbox, or there is none. Check the address, the application permissions "
    "and the application access policy.",
}


async def choices(call: Call[Empty, None]) -> OAuthChoices:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        slug = await tenant_slug(connection, call.who.tenant_id)
    return OAuthChoices.model_validate(
        {
            "providers": sorted(call.deps.consents.providers),
            "redirect_uri": redirect_uri(call.deps),
            "application": bool(_allowed(call.deps.config, slug)) and "graph" in call.deps.consents.providers,
        }
    )


async def access(call: Call[Empty, None]) -> InboxAccess:
    inbox_id = call.id("inbox_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await found(connection, call)
        grant = await view_grant(connection, call.who.tenant_id, inbox_id)
    if grant is None:
        return InboxAccess(access=None)
    ends = expiries(
        grant.provider,
        by_application=grant.permission == GrantPermission.APPLICATION,
        granted_at=grant.granted_at,
        renewed_at=grant.renewed_at,
        refresh_expires_at=grant.refresh_expires_at,
        given=call.deps.config.given,
        now=call.now(),
    )
    shown_access = MailboxAccess.model_validate(
        {
            "provider": grant.provider,
            "account": grant.account,
            "shared": is_shared(row),
            "permission": grant.permission,
            "scopes": list(grant.scopes),
            "granted_at": grant.granted_at,
            "renewed_at": grant.renewed_at,
            "ended_reason": grant.ended_reason,
            "expiries": [Expiry(what=e.what, at=e.at, soon=e.soon) for e in ends],
        }
    )
    return InboxAccess(access=shown_access)


async def setup(call: Call[Empty, None]) -> Setup:
    """Tries it now. A token that is due is renewed, and one that is over disconnects the inbox, as in any sync."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
    try:
        async with asyncio.timeout(SECONDS):
            tried = await call.deps.setup.tried(call.who.tenant_id, call.id("inbox_id"))
    except TimeoutError:
        raise Problem(503, "The provider did not answer in time. Try again in a minute.") from None
    items = [
        SetupItem(name=t.name, field=t.field, state=t.state, detail=t.detail, remedy=t.remedy or None) for t in tried
    ]
    return Setup(ok=all(item.state != "wrong" for item in items), items=items)


async def by_application(call: Call[Empty, ApplicationInbox]) -> Inbox:
    """A Microsoft mailbox that the application opens by itself. Only such that the operator allows this tenant: the permission
    usually reaches every mailbox of the organisation. Twice gives one inbox.
    """
    who, deps = call.who, call.deps
    start = await _asked(call)
    async with deps.database.unit_of_work(who.tenant_id) as connection:
        slug = await tenant_slug(connection, who.tenant_id)
    if not _covers(_allowed(deps.config, slug), start.email_address):
        raise not_valid(
            FieldError("email_address", "is not among the mailboxes that the operator lets this tenant open by application permission")
        )
    granted = await _granted(call, start.email_address)
    try:
        inbox_id = await connected(deps, who, start, granted, GrantPermission.APPLICATION)
    except AddressTaken:
        raise not_valid(FieldError("email_address", "has an inbox already that is read in another way")) from None
    except InboxGone:
        raise not_valid(FieldError("inbox_id", "names no inbox; leave it out for a new one")) from None
    await wake(deps, who, inbox_id, "graph")
    async with deps.database.unit_of_work(who.tenant_id) as connection:
        row = await get_inbox(connection, who.viewer, inbox_id)
    if row is None:
        raise not_found()
    return shown(row, deps.config)


async def _asked(call: Call[Empty, ApplicationInbox]) -> Start:
    body = call.body
    if body.inbox_id is None:
        if body.email_address is None:
            raise not_valid(FieldError("email_address", "is needed for a new inbox"))
        return Start(None, "graph", body.name or body.email_address, body.email_address, shared=True)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await get_inbox(connection, call.who.viewer, body.inbox_id)
    if row is None:
        raise not_valid(FieldError("inbox_id", "names no inbox; leave it out for a new one"))
    if row.provider != "graph":
        raise not_valid(FieldError("inbox_id", f"is read by {row.provider}; only Microsoft knows application permission"))
    return Start(row.id, "graph", row.name, row.email_address, shared=True)


async def _granted(call: Call[Empty, ApplicationInbox], mailbox: str) -> Granted:
    try:
        granted = await call.deps.consents.opened("graph", mailbox=mailbox)
    except ConsentFailed as failed:
        sentence = SENTENCES.get(failed.reason, "Microsoft did not let the application in. Try again; see docs/connecting-microsoft.md.")
        raise Problem(422, f"{sentence} ({failed.reason})") from None
    if mailbox.casefold() not in granted.addresses:
        raise not_valid(FieldError("email_address", "is another name of that mailbox; write its primary address"))
    return granted


def _allowed(config: ApiConfig, slug: str | None) -> tuple[str, ...]:
    """Addresses, or domains as `@example.com`, of this tenant."""
    return tuple(entry for tenant, entry in config.application_mailboxes if slug is not None and tenant == slug)


def _covers(allowed: tuple[str, ...], address: str) -> bool:
    folded = address.casefold()
    return any(folded == one or (one.startswith("@") and folded.endswith(one)) for one in map(str.casefold, allowed))


AT = "/v1/inboxes/{inbox_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/inboxes/oauth/choices", choices, Access.ADMIN, "What can be connected by a sign-in", response=OAuthChoices),
    Endpoint(
        "POST",
        "/v1/inboxes/oauth/application",
        by_application,
        Access.ADMIN,
        "Connect a Microsoft mailbox without a person",
        response=Inbox,
        status=201,
        body=ApplicationInbox,
    ),
    Endpoint("GET", f"{AT}/access", access, Access.ADMIN, "The permission for its mailbox", response=InboxAccess),
    Endpoint("GET", f"{AT}/setup", setup, Access.ADMIN, "Whether the cloud console is set up for it", response=Setup),
)
