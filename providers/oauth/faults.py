"""What the token endpoints of Google and Microsoft refuse, in our words (RFC 6749 §5.2, AADSTS numbers of Entra).

Two kinds must not be confused: a grant that ended is for the mailbox's person (AuthFailed), an application that is not
accepted is for the operator, and every grant is still good when that is mended (AuthUnavailable).
"""

import json
import re
from typing import Any

from providers.errors import AuthFailed, AuthUnavailable, ProtocolBroken, ProviderError

_NUMBER = re.compile(r"AADSTS(\d{4,8})")
_AGAIN = "Connect the mailbox again."

# reason, sentence: the grant is over, only a person can make a new one
ENDED: dict[int, tuple[str, str]] = {
    700082: ("grant_idle", f"Microsoft ended the sign-in because it was not used for 90 days. {_AGAIN}"),
    50173: ("password_reset", f"Microsoft ended the sign-in because the password was changed. {_AGAIN}"),
    50133: ("password_reset", f"Microsoft ended the sign-in because the password was changed. {_AGAIN}"),
    70008: ("grant_expired", f"Microsoft says that the sign-in has expired. {_AGAIN}"),
    700084: ("grant_expired", f"Microsoft says that the sign-in has expired. {_AGAIN}"),
    65001: ("consent_missing", f"The consent to this application is missing or was withdrawn. {_AGAIN}"),
    50076: ("sign_in_again", f"Microsoft wants a second factor for this account. {_AGAIN}"),
    50079: ("sign_in_again", f"Microsoft wants a second factor for this account. {_AGAIN}"),
    53003: ("policy_blocks", "A conditional access policy of the organisation blocks this sign-in. Ask its administrator."),
    50057: ("account_disabled", "The account is disabled. Ask the organisation's administrator, then connect it again."),
}
APPLICATION: dict[int, tuple[str, str]] = {
    7000215: ("secret_wrong", "Microsoft does not accept the client secret. Set MAILROOM_MICROSOFT_CLIENT_SECRET to its value, not its id."),
    7000222: ("secret_expired", "The client secret has expired. Make a new one under Certificates & secrets of the app registration."),
    700016: ("application_unknown", "Microsoft does not know the application. Check MAILROOM_MICROSOFT_CLIENT_ID and MAILROOM_MICROSOFT_TENANT."),
    90002: ("tenant_unknown", "Microsoft does not know the tenant. Check MAILROOM_MICROSOFT_TENANT."),
    50011: ("redirect_mismatch", "The redirect address is not registered. Add it under Authentication of the app registration."),
}
WORDS: dict[str, tuple[str, str]] = {
    "invalid_client": ("application_unknown", "The provider does not accept the client id or secret. Compare both settings with its console."),
    "unauthorized_client": ("application_unknown", "The provider does not let this application do this. Check its type and id in the console."),
    "redirect_uri_mismatch": ("redirect_mismatch", "The redirect address is not registered. Add it to the client in the Google Cloud console."),
    "deleted_client": ("application_deleted", "The client was deleted in the Google Cloud console. Make a new one and set its id and secret."),
    "invalid_scope": ("scopes_refused", "The provider does not know a scope that is asked for. Add the scopes to the consent screen."),
}
PASSING = frozenset({"temporarily_unavailable", "server_error"})


def fault_of(status: int, body: bytes) -> ProviderError:
    """The error for an answer that is no 200. Nothing of the answer's own text is kept."""
    value = _object(body)
    word = value.get("error")
    word = word if isinstance(word, str) else None  # the APIs beside the token endpoint put an object here
    if status == 429 or status >= 500 or word in PASSING:
        return AuthUnavailable("sign_in_unavailable")
    if word is None:
        return ProtocolBroken("not_oauth")
    number = _number(value)
    if number in ENDED:
        return AuthFailed(*ENDED[number])
    if number in APPLICATION:
        return AuthUnavailable(*APPLICATION[number])
    if word in ("invalid_grant", "interaction_required", "consent_required"):
        return AuthFailed("grant_revoked", f"The sign-in was withdrawn or has expired. {_AGAIN}")
    if word in WORDS:
        return AuthUnavailable(*WORDS[word])
    if word in ("admin_policy_enforced", "access_denied"):
        return AuthFailed("policy_blocks", "The organisation's rules block this application. Ask its administrator to allow it.")
    return ProtocolBroken("not_oauth")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: dict[str, Any]) -> int | None:
    codes = value.get("error_codes")
    if isinstance(codes, list):
        for code in codes:
            if isinstance(code, int) and (code in ENDED or code in APPLICATION):
                return code
    found = _NUMBER.search(str(value.get("error_description", ""))[:2000])
    return int(found[1]) if found else None
