"""From an inbox's row and its sealed credentials to the accounts that the providers sign in with.

`settings` is `{"imap": {"host", "port", "security", "username", "auth"}, "smtp": {the same}, "verify_tls": bool}`; the
sealed value is `{"imap": {"secret"}, "smtp": {"secret"}}`. A secret is opened here and travels only as `Secret`. Mailboxes behind
a web API are signed in to with access tokens, which somebody else keeps fresh; `settings.graph.mailbox` names the mailbox where the
one who signs in is somebody else than its owner.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from activities._edges import failure
from providers.errors import AuthFailed
from providers.imap.account import ImapAccount
from providers.mail_api import MailApiSender, MailApiSource
from providers.secret import Secret
from providers.smtp.account import SmtpAccount
from store.inbox_state import Health, InboxState, read_inbox
from store.sealing import CredentialsUnreadable, Sealer
from store.unit_of_work import Database

COLUMN = "credentials_sealed"
SECURITIES = ("tls", "starttls", "plain")
METHODS = ("password", "xoauth2")
SES = "ses"
API_PROVIDERS = frozenset({"gmail", "graph", SES})  # whose mailboxes are read by ids and not by IMAP


class TokenKeeper(Protocol):
    """Keeps the access tokens of inboxes behind a web API."""

    async def access_token(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Secret:
        """A token that is good now. Asked before each call, so it remembers its own. Raises AuthFailed."""

    async def refused(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID, token: Secret) -> None:
        """The provider did not take this token before its time."""


@dataclass(frozen=True, slots=True)
class MailboxToken:
    """One mailbox's access token, to be asked for before each call, and where to say that the provider did not take it."""

    keeper: TokenKeeper
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID

    async def __call__(self) -> Secret:
        return await self.keeper.access_token(self.tenant_id, self.inbox_id)

    async def refused(self, token: Secret) -> None:
        await self.keeper.refused(self.tenant_id, self.inbox_id, token)


AccessToken = Callable[[], Awaitable[Secret]]
SourceMaker = Callable[[InboxState, MailboxToken], MailApiSource]
SenderMaker = Callable[[InboxState, MailboxToken], MailApiSender]


class Accounts:
    """Opens accounts. `sealer` holds the key ring; nothing it opens is kept. `sources` and `senders` make the source
    and the sender of an inbox by its provider, with the tokens of `tokens`; without either such an inbox counts as not connected.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        tokens: TokenKeeper | None = None,
        sources: Mapping[str, SourceMaker] | None = None,
        senders: Mapping[str, SenderMaker] | None = None,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._tokens = tokens
        self._sources = sources or {}
        self._senders = senders or {}

    async def inbox(self, tenant_id: str, inbox_id: str) -> InboxState:
        """The inbox's row. Raises the failure NotFound."""
        async with self._database.unit_of_work(tenant_id) as connection:
            row = await read_inbox(connection, uuid.UUID(tenant_id), uuid.UUID(inbox_id))
        if row is None:
            raise failure("NotFound")
        return row

    def imap(self, inbox: InboxState, *, ask: bool = False) -> ImapAccount:
        """How to reach the mailbox. Raises CredentialsUnreadable, or the failure NotConnected without settings.

        Where the server refused the credentials the last time, only live sync and a person's own attempt `ask` it again;
        for all others this raises AuthFailed at once, so that one inbox makes at most six logins an hour (integrity I-13).
        """
        if inbox.health == Health.AUTH_FAILED and not ask:
            raise AuthFailed
        place = _place(inbox, "imap")
        return ImapAccount(
            host=str(place["host"]),
            port=int(place["port"]),
            security=_security(place),
            username=str(place.get("username") or inbox.email_address),
            secret=self._secret(inbox, "imap"),
            auth=_auth(place),
            verify_tls=inbox.settings.get("verify_tls") is not False,
        )

    def mail_api(self, inbox: InboxState, *, ask: bool = False) -> MailApiSource:
        """The mailbox behind a web API; close it when done. Raises the failure NotConnected where it is none, or where nobody
        keeps its tokens, and AuthFailed as `imap` does.
        """
        if inbox.health == Health.AUTH_FAILED and not ask:
            raise AuthFailed
        make = self._sources.get(inbox.provider)
        if make is None or self._tokens is None:
            raise failure("NotConnected")
        return make(inbox, MailboxToken(self._tokens, inbox.tenant_id, inbox.id))

    def mail_api_sender(self, inbox: InboxState) -> MailApiSender:
        """How mail leaves through a web API; close it when done. Raises the failure NotConnected as `mail_api` does."""
        make = self._senders.get(inbox.provider)
        if make is None or self._tokens is None:
            raise failure("NotConnected")
        return make(inbox, MailboxToken(self._tokens, inbox.tenant_id, inbox.id))

    def token_of(self, inbox: InboxState) -> MailboxToken | None:
        """Asks for the inbox's access token; None where nobody keeps tokens."""
        if self._tokens is None:
            return None
        return MailboxToken(self._tokens, inbox.tenant_id, inbox.id)

    def smtp(self, inbox: InboxState) -> SmtpAccount:
        """How to submit mail. Without a user name there is no sign-in (a relay that trusts our address)."""
        place = _place(inbox, "smtp")
        username = str(place.get("username") or "") or None
        return SmtpAccount(
            host=str(place["host"]),
            port=int(place["port"]),
            security=_security(place),
            username=username,
            secret=self._secret(inbox, "smtp") if username else None,
            auth=_auth(place),
            verify_tls=inbox.settings.get("verify_tls") is not False,
        )

    def _secret(self, inbox: InboxState, part: str) -> Secret:
        if inbox.credentials_sealed is None or inbox.credentials_key_id is None:
            raise failure("NotConnected")
        opened = self._sealer.open(
            inbox.credentials_sealed,
            inbox.credentials_key_id,
            tenant_id=str(inbox.tenant_id),
            inbox_id=str(inbox.id),
            column=COLUMN,
        )
        entry = opened.get(part)
        secret = entry.get("secret") if isinstance(entry, dict) else None
        if not isinstance(secret, str):
            raise CredentialsUnreadable(f"the sealed value has no secret for {part}")
        return Secret(secret)


def graph_mailbox(inbox: InboxState) -> str | None:
    """The mailbox that is opened by another account, or by the application; None for the account's own."""
    kept = inbox.settings.get("graph")
    mailbox = kept.get("mailbox") if isinstance(kept, Mapping) else None
    return mailbox if isinstance(mailbox, str) and mailbox else None


def _place(inbox: InboxState, part: str) -> Mapping[str, Any]:
    place = inbox.settings.get(part)
    if not isinstance(place, Mapping) or not place.get("host") or not place.get("port"):
        raise failure("NotConnected")
    return place


def _security(place: Mapping[str, Any]) -> Literal["tls", "starttls", "plain"]:
    value = place.get("security", "tls")
    if value not in SECURITIES:
        raise failure("NotConnected")
    return cast(Literal["tls", "starttls", "plain"], value)


def _auth(place: Mapping[str, Any]) -> Literal["password", "xoauth2"]:
    value = place.get("auth") or "password"
    if value not in METHODS:
        raise failure("NotConnected")
    return cast(Literal["password", "xoauth2"], value)
