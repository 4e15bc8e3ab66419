"""The permission for a mailbox at Google or Microsoft: who gave it, what it allows, when it ends, and how to set it up."""

import uuid
from typing import Literal

from api.schemas.base import Answer, Asked, Instant, MailAddress, Name


class Expiry(Answer):
    """A known end: of the refresh token, of a token that nobody used, or of the application's secret. `soon`: see to it now."""

    what: Literal["refresh_token", "unused", "client_secret"]
    at: Instant
    soon: bool


class MailboxAccess(Answer):
    """`account` is who signed in; `shared` that the mailbox is another's. `permission` `application` means that nobody did.
    `ended_reason` is null while it is good. An app password's end is known to its provider only and never here.
    """

    provider: Literal["gmail", "graph"]
    account: str
    shared: bool
    permission: Literal["delegated", "application"]
    scopes: list[str]
    granted_at: Instant
    renewed_at: Instant
    ended_reason: str | None
    expiries: list[Expiry]


class InboxAccess(Answer):
    """Null where nobody has granted anything, which holds for every inbox with a password."""

    access: MailboxAccess | None


class SetupItem(Answer):
    """One thing tried. `field` says where it is set; `remedy` is null unless something is to be done."""

    name: str
    field: str
    state: Literal["ok", "wrong", "unknown", "off"]
    detail: str
    remedy: str | None


class Setup(Answer):
    """`ok`: nothing is wrong; some may be unknown. Empty for an inbox that signs in with a password."""

    ok: bool
    items: list[SetupItem]


class OAuthChoices(Answer):
    """What this installation has an application for. `redirect_uri` must be registered there; `application` says whether mailboxes may
    be connected without a person.
    """

    providers: list[Literal["gmail", "graph"]]
    redirect_uri: str
    application: bool


class ApplicationInbox(Asked):
    """`inbox_id` connects an inbox again; then the other two are its own."""

    email_address: MailAddress | None = None
    name: Name | None = None
    inbox_id: uuid.UUID | None = None
