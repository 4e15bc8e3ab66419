"""Whose mailbox it is: its address, and the names under which its own mail goes out."""

from dataclasses import dataclass

from providers.errors import AuthFailed
from providers.graph.account import GraphAccount, Request
from providers.graph.values import text_of


@dataclass(frozen=True, slots=True)
class Profile:
    """`addresses` are the mailbox's own, `names` those that MIME may bear in From unchanged; all folded."""

    addresses: frozenset[str]
    names: frozenset[str]


async def profile_of(account: GraphAccount) -> Profile:
    """Ask the directory. Who may open a shared mailbox may often not read its entry there: then the address by which it was
    opened is its address, if the mailbox answers. Raises ProviderError.
    """
    try:
        user = (await account.read(Request("GET", "?$select=mail,userPrincipalName"))).json()
    except AuthFailed as fault:
        mailbox = account.mailbox
        if fault.reason != "access_denied" or mailbox is None or "@" not in mailbox:
            raise
        await account.read(Request("GET", "mailFolders/inbox?$select=id"))
        own = frozenset({mailbox.casefold()})
        return Profile(own, own)
    principal = text_of(user, "userPrincipalName")
    address = str(user.get("mail") or principal).casefold()
    return Profile(frozenset({address, principal.casefold()}), frozenset({address}))
