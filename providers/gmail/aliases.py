"""The addresses that a Gmail account may send as; needs the scope gmail.settings.basic, gmail.modify or gmail.readonly."""

from dataclasses import dataclass
from typing import Any

from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailApi
from providers.gmail.transport import CheckedHttp


@dataclass(frozen=True, slots=True)
class SendAsAlias:
    """`usable`: Google sends from it. `treated_as_alias`: mail to it counts as mail to the account."""

    address: str
    name: str
    reply_to: str | None
    primary: bool
    default: bool
    usable: bool
    treated_as_alias: bool


async def list_aliases(account: GmailAccount) -> tuple[SendAsAlias, ...]:
    """The primary address among them. Raises ProviderError."""

    def work(api: GmailApi, connection: CheckedHttp) -> Any:
        return api.send_as.list(userId="me").execute(http=connection)

    answer = await account.repeatable(work, units=1)
    return tuple(
        SendAsAlias(
            address=entry["sendAsEmail"],
            name=entry.get("displayName") or "",
            reply_to=entry.get("replyToAddress") or None,
            primary=bool(entry.get("isPrimary")),
            default=bool(entry.get("isDefault")),
            # Only addresses that were added have a status; the primary one needs no proof.
            usable=bool(entry.get("isPrimary")) or entry.get("verificationStatus") == "accepted",
            treated_as_alias=bool(entry.get("treatAsAlias")),
        )
        for entry in answer.get("sendAs", ())
        if entry.get("sendAsEmail")
    )
