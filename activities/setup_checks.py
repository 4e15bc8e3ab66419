"""Tries whether the cloud console is set up so that one mailbox can be read: what is wrong, in which field there, and how to mend it.

Reads, renews a token if one is due, and asks Gmail for its announcements, which is harmless twice. What cannot be tried without a
person at a browser is said as unknown, with the value to compare.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from activities.accounts import Accounts, MailboxToken, graph_mailbox
from activities.token_keeper import TokenKeeper
from providers.errors import AuthUnavailable, ProviderError
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.source import GmailSource
from providers.gmail.watch import GmailWatch
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.graph.source import GraphSource
from providers.mail_api import MailApiSource
from providers.oauth.application import Application
from providers.oauth.signing_in import SigningIn, lacking
from store.grant_view import GrantView, view_grant
from store.inbox_state import InboxState
from store.sealing import Sealer
from store.unit_of_work import Database

State = Literal["ok", "wrong", "unknown", "off"]

POLICY = (
    "The application may not open this mailbox. Grant Mail.ReadWrite and Mail.Send as application permissions with the administrator's "
    "consent, and add the mailbox to the scope of the application access policy (or the role assignment that took its place)."
)
APPLICATION_FIELD = {
    "gmail": "MAILROOM_GOOGLE_CLIENT_ID, MAILROOM_GOOGLE_CLIENT_SECRET",
    "graph": "MAILROOM_MICROSOFT_CLIENT_ID, MAILROOM_MICROSOFT_CLIENT_SECRET, MAILROOM_MICROSOFT_TENANT",
}
REDIRECT_FIELD = {
    "gmail": "Google Cloud console, Clients, Authorized redirect URIs",
    "graph": "Entra, App registrations, Authentication, Web redirect URIs",
}
CONSENT_FIELD = {
    "gmail": "Google Auth Platform, Data Access",
    "graph": "Entra, App registrations, API permissions",
}
# Where each refusal is mended. The provider's word decides (protocol-coverage.md); others are the mailbox's own.
FIELDS = {
    "api_disabled": "Google Cloud console, APIs & Services, Gmail API",
    "scope_missing": CONSENT_FIELD["gmail"],
    "domain_policy": "Google Admin console, Security, API controls",
    "mail_service_off": "Google Admin console, Apps, Gmail",
    "mailbox_unknown": "Microsoft 365 admin center, the mailbox and its licence",
    "access_denied": "Exchange admin center, mailbox delegation",
    "consent_missing": CONSENT_FIELD["graph"],
    "policy_blocks": "Entra, Conditional Access",
    "redirect_mismatch": REDIRECT_FIELD["graph"],
}


@dataclass(frozen=True, slots=True)
class SetupFinding:
    """One thing tried. `field` is where it is set; `remedy` is empty unless something is to be done."""

    name: str
    field: str
    state: State
    detail: str
    remedy: str = ""


class SetupChecks:
    """`redirect_uri` is ours, as it must be registered; `topic` and `push_url` are the operator's places for announcements."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        signing_in: SigningIn,
        applications: Mapping[str, Application],
        *,
        google: GmailEndpoint,
        microsoft: GraphEndpoint,
        redirect_uri: str,
        topic: str | None = None,
        push_url: str | None = None,
    ) -> None:
        self._database = database
        self._signing_in = signing_in
        self._applications = applications
        self._google, self._microsoft = google, microsoft
        self._redirect_uri = redirect_uri
        self._topic, self._push_url = topic, push_url
        keeper = TokenKeeper(database, sealer, signing_in, applications)
        makers = {"gmail": self._gmail, "graph": self._graph}
        self._accounts = Accounts(database, sealer, tokens=keeper, sources=makers)

    async def tried(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Sequence[SetupFinding]:
        """In the order in which they are mended; what depends on something that is wrong is unknown. Empty for an inbox that is
        read in another way. Raises the failure NotFound.
        """
        inbox = await self._accounts.inbox(str(tenant_id), str(inbox_id))
        if inbox.provider not in APPLICATION_FIELD:
            return []
        found = [await self._application(inbox.provider), self._redirect(inbox.provider)]
        async with self._database.unit_of_work(tenant_id) as connection:
            grant = await view_grant(connection, tenant_id, inbox_id)
        consent = self._consent(inbox, grant)
        found += [consent, self._scopes(inbox, grant)]
        if consent.state != "ok":
            unknown = "This can be tried once the mailbox is connected."
            return [*found, *(SetupFinding(name, "", "unknown", unknown) for name in ("sign-in", "mailbox", "announcements"))]
        token = self._accounts.token_of(inbox)
        assert token is not None  # noqa: S101  # this class keeps tokens
        found.append(await self._one("sign-in", "Signed in.", lambda: _asked(token), inbox, grant))
        found.append(await self._one("mailbox", "The mailbox opens and its folders are listed.", lambda: self._opened(inbox), inbox, grant))
        found.append(await self._announcements(inbox, token, grant))
        return found

    async def _application(self, provider: str) -> SetupFinding:
        name, field = "application", APPLICATION_FIELD[provider]
        application = self._applications.get(provider)
        if application is None:
            return SetupFinding(name, field, "wrong", "No client id and secret are set.", "Make an application in the console and set both.")
        try:
            known = await self._signing_in.accepted(application)
        except AuthUnavailable as error:
            if error.reason in (AuthUnavailable.reason, "sign_in_unavailable"):
                return SetupFinding(name, field, "unknown", error.sentence)
            return SetupFinding(name, field, "wrong", "The provider does not accept the application.", error.sentence)
        except ProviderError as error:
            return SetupFinding(name, field, "unknown", error.sentence)
        if not known:
            return SetupFinding(name, field, "unknown", "Set; only a sign-in shows whether it is right, since the tenant is not named.")
        return SetupFinding(name, field, "ok", "The provider accepts the client id and secret.")

    def _redirect(self, provider: str) -> SetupFinding:
        detail = f"Must be registered to the letter: {self._redirect_uri}"
        return SetupFinding("redirect", REDIRECT_FIELD[provider], "unknown", detail)

    def _consent(self, inbox: InboxState, grant: GrantView | None) -> SetupFinding:
        name, field = "consent", CONSENT_FIELD[inbox.provider]
        if grant is None:
            return SetupFinding(name, field, "wrong", "Nobody has connected this mailbox yet.", "Connect it on the inbox page.")
        if grant.ended_reason is not None:
            field = FIELDS.get(grant.ended_reason, field)
            detail = f"The permission has ended ({grant.ended_reason})."
            return SetupFinding(name, field, "wrong", detail, "Connect the mailbox again on the inbox page.")
        if grant.permission == "application":
            return SetupFinding(name, field, "ok", "The application opens the mailbox by itself.")
        return SetupFinding(name, field, "ok", "A person has agreed.")

    def _scopes(self, inbox: InboxState, grant: GrantView | None) -> SetupFinding:
        name, field = "scopes", CONSENT_FIELD[inbox.provider]
        application = self._applications.get(inbox.provider)
        if grant is None or application is None:
            return SetupFinding(name, field, "unknown", "Known once the mailbox is connected.")
        if grant.permission == "application":
            return SetupFinding(name, field, "unknown", "With application permission the provider does not tell them; the mailbox shows.")
        missing = lacking(application, grant.scopes, shared=graph_mailbox(inbox) is not None)
        if missing:
            detail = f"Not granted: {', '.join(missing)}"
            remedy = "Add them to the application, then connect the mailbox again and grant all."
            return SetupFinding(name, field, "wrong", detail, remedy)
        return SetupFinding(name, field, "ok", "All that are needed are granted.")

    async def _announcements(self, inbox: InboxState, token: MailboxToken, grant: GrantView | None) -> SetupFinding:
        name = "announcements"
        if inbox.provider == "gmail":
            field = "MAILROOM_GOOGLE_PUBSUB_TOPIC; Pub/Sub, the topic's permissions"
            if self._topic is None:
                return SetupFinding(name, field, "off", "No topic is set; the mailbox is polled.")
            watch = GmailWatch(account := self._google_account(token), self._topic)
            try:
                return await self._one(name, "Gmail announces changes to the topic.", watch.start, inbox, grant, field=field)
            finally:
                await account.close()
        field = "MAILROOM_GRAPH_PUSH_NOTIFICATION_URL"
        if self._push_url is None:
            return SetupFinding(name, field, "off", "No address is set; the mailbox is polled.")
        # Trying would make one subscription more; the renewal tells on the inbox page what Microsoft said to it.
        return SetupFinding(name, field, "unknown", "Asked for by the renewal; the inbox page shows how it stands.")

    async def _one(
        self,
        name: str,
        well: str,
        work: Callable[[], Awaitable[object]],
        inbox: InboxState,
        grant: GrantView | None,
        *,
        field: str = "",
    ) -> SetupFinding:
        try:
            await work()
        except ProviderError as error:
            if error.transient and not isinstance(error, AuthUnavailable):
                return SetupFinding(name, field, "unknown", error.sentence)
            alone = grant is not None and grant.permission == "application" and error.reason in ("access_denied", "mailbox_not_opened")
            place = field or FIELDS.get(error.reason, inbox.email_address)
            return SetupFinding(name, place, "wrong", f"Refused ({error.reason}).", POLICY if alone else error.sentence)
        return SetupFinding(name, field, "ok", well)

    async def _opened(self, inbox: InboxState) -> None:
        source = self._accounts.mail_api(inbox, ask=True)
        try:
            await source.folders()
        finally:
            await source.close()

    def _google_account(self, token: MailboxToken) -> GmailAccount:
        return GmailAccount(token, refused=token.refused, endpoint=self._google)

    def _gmail(self, _: InboxState, token: MailboxToken) -> MailApiSource:
        return GmailSource(self._google_account(token))

    def _graph(self, inbox: InboxState, token: MailboxToken) -> MailApiSource:
        return GraphSource(
            GraphAccount(token, refused=token.refused, mailbox=graph_mailbox(inbox), endpoint=self._microsoft)
        )


async def _asked(token: MailboxToken) -> None:
    await token()
