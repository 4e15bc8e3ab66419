"""Graph's error answers as our errors: by status and `error.code`, never with its sentences (they quote addresses and ids)."""

import json
from collections.abc import Mapping

from providers.errors import (
    AuthFailed,
    NotThere,
    ProtocolBroken,
    ProviderError,
    Refused,
    Throttled,
    TooLarge,
    Unreachable,
)
from providers.mail_api import CursorExpired
from providers.retry_after import retry_after

_CURSOR = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
_LIMITS = frozenset({
    "applicationthrottled", "toomanyrequests", "errorserverbusy", "errorexceededconnectioncount", "activitylimitreached",
    "errorsubmissionquotaexceeded", "errorexceededmessagelimit", "errortoomanyobjectsopened",
})  # fmt: skip
_LARGE = frozenset({
    "errormessagesizeexceeded", "errorattachmentsizelimitexceeded", "requestentitytoolarge", "maximumrequestlengthexceeded",
})  # fmt: skip
_NO_MAILBOX = frozenset({"errorinvaliduser", "mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi", "request_resourcenotfound"})  # fmt: skip


class TokenRefused(AuthFailed):
    """The access token was not taken (401): expired early, or the grant is revoked. A fresh one decides which."""

    reason = "token_refused"
    sentence = "Microsoft no longer accepts the access to this mailbox. Connect the account again."


class ServerError(Unreachable):
    """An answer of 500 and more. Of a write it does not say whether it was done."""

    reason = "server_error"
    sentence = "Microsoft has a problem of its own. It will be tried again."


class ChangedMeanwhile(Refused):
    """What was to be changed is no longer as it was when it was read (409, 412)."""

    reason = "changed_meanwhile"
    sentence = (
        "This was changed at Microsoft in the meantime. Look at it again and repeat if it is still wanted."
    )


class SendAsDenied(Refused):
    """The account may not send under this From (403 `ErrorSendAsDenied`)."""

    reason = "send_as_denied"
    sentence = "Microsoft does not let this account send under this address. Give it the Send As permission on the mailbox."


def fault_of(status: int, headers: Mapping[str, str], content: bytes) -> ProviderError:
    """What an answer of `status` 300 or more means. `headers` finds names in any case."""
    word = code_of(content)
    wait = retry_after(headers.get("Retry-After"))
    if status == 410 or word in _CURSOR:
        return CursorExpired()
    if status == 401:
        return TokenRefused()
    if status in (429, 509):
        return Throttled(retry_after=wait)
    if status >= 500 or status == 408:
        # Also `ErrorServerBusy`: unlike 429 it is no proof that nothing was done.
        return ServerError(retry_after=wait)
    if word in _LIMITS:
        return Throttled(retry_after=wait)
    if word in _NO_MAILBOX:
        return AuthFailed(
            "mailbox_unknown",
            "There is no such mailbox in Exchange Online, or it has no licence. Check the address of the mailbox.",
        )
    if status == 413 or word in _LARGE:
        return TooLarge()
    if status == 403:
        return _forbidden(word)
    if status == 404:
        return NotThere()
    if status in (409, 412):
        return ChangedMeanwhile()
    if 300 <= status < 400:
        return ProtocolBroken("redirected")
    return _refused(word)


def _forbidden(word: str) -> ProviderError:
    if word == "errorsendasdenied":
        return SendAsDenied()
    if word == "extensionerror":
        return Refused(
            "subscriptions_refused",
            "Microsoft accepts no further subscription for this mailbox; it is polled instead.",
        )
    if word == "errorquotaexceeded":
        return Refused("mailbox_full", "The mailbox at Microsoft is full. Make room there, then try again.")
    return AuthFailed(
        "access_denied",
        "This account may not open the mailbox. Give it full access to the mailbox, or connect again and grant all permissions.",
    )


def _refused(word: str) -> Refused:
    if word == "errorinvalidrecipients":
        return Refused(
            "recipients_invalid", "Microsoft finds no valid recipient in this mail. Check its addresses."
        )
    if word == "inefficientfilter":
        return Refused("filter_inefficient")
    if word == "validationerror":
        return Refused(
            "notification_url_unreachable",
            "Microsoft could not reach the address for notifications. It must be public, with https, and answer within 10 s.",
        )
    return Refused("request_refused")


def code_of(content: bytes) -> str:
    """`error.code` in lower case, empty where the answer is not of Graph's form."""
    try:
        code = json.loads(content[:65536])["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code.casefold() if isinstance(code, str) else ""
