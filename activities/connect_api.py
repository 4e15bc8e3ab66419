"""Connecting a mailbox behind a web API: does the account still open it, is it the right one, which folders has it.

The consent has proven all of this once; asked again it tells what changed since: a grant that was withdrawn, another mailbox
behind the same account. Nothing is written at the provider, and no cursor is set: the first pass begins the listing.
"""

from activities._edges import name_of
from activities.accounts import Accounts
from activities.api_boxes import listed
from contracts.connect import ConnectCheck
from providers.errors import AuthFailed, ProviderError
from store.folders import save_listed
from store.inbox_state import InboxState
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database


class ApiConnecting:
    """Asks with tokens as the sync does, so what it finds is what the sync would find."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts

    async def verify(self, inbox: InboxState) -> tuple[ConnectCheck, ...]:
        """`mailbox`: the account opens the inbox's own mailbox. `folders`: they can be read. Reads only; twice is twice. Raises
        the failure NotConnected where nobody keeps tokens, and errors that are not the provider's.
        """
        source = self._accounts.mail_api(inbox, ask=True)
        try:
            try:
                own = inbox.email_address.casefold() in await source.addresses()
            except (ProviderError, CredentialsUnreadable) as error:
                return (ConnectCheck("mailbox", _named(error)),)
            if not own:
                return (ConnectCheck("mailbox", "OtherMailbox"),)
            try:
                roles = {folder.role for folder in await source.folders()}
            except ProviderError as error:
                return ConnectCheck("mailbox"), ConnectCheck("folders", _named(error))
            return ConnectCheck("mailbox"), ConnectCheck("folders", None if roles else "ProtocolBroken")
        finally:
            await source.close()

    async def discover(self, inbox: InboxState) -> None:
        """Keep which folders or labels there are, with their roles. Twice changes nothing. Raises ProviderError."""
        source = self._accounts.mail_api(inbox, ask=True)
        try:
            kept, roles = listed(inbox.provider, await source.folders())
        finally:
            await source.close()
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await save_listed(
                connection, inbox.tenant_id, inbox.id, kept, synced=[role.value for role in roles]
            )


def _named(error: Exception) -> str:
    """The failure's name. There is no password to enter again: who is refused has to agree anew."""
    return "ConsentNeeded" if isinstance(error, AuthFailed) else name_of(error) or "ProtocolBroken"
