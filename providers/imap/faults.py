"""Turns what an IMAP server says when it refuses (response codes of RFC 5530, or only words) into provider errors.

Codes decide; words are looked at only where no code is given. Server text is never passed on: it may hold addresses.
"""

import re

from providers.errors import (
    AuthFailed,
    AuthUnavailable,
    FolderGone,
    ProtocolBroken,
    ProviderError,
    Refused,
    Throttled,
    TooLarge,
    Unreachable,
)

_CODE = re.compile(r"\[([A-Z][A-Z0-9-]*)")
# Seen in practice: Dovecot "Maximum number of connections from user+IP exceeded", Gmail "Too many simultaneous
# connections", Exchange "User is authenticated but not connected" and "Request is throttled", Yahoo "[LIMIT]".
_CROWDED = re.compile(
    r"too many|simultaneous|maximum number of connections|connection limit|throttl|rate limit|bandwidth|try (again )?later",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"temporar|unavailable|not available|internal (server )?error|server busy|backend|authenticated but not connected|timed? ?out",
    re.IGNORECASE,
)
# Seen in practice: iCloud, Yahoo and Gmail say so in words only.
_APP_PASSWORD = re.compile(
    r"app(lication)?[- ]?(specific )?password|web ?login|log ?in via|basic auth", re.IGNORECASE
)

_THROTTLED = ("LIMIT", "THROTTLED")
_PASSING_CODES = ("UNAVAILABLE", "INUSE", "SERVERBUG", "CONTACTADMIN")


def response_code(words: str) -> str | None:
    """The response code in `[...]` at the start of the text, upper case, or None."""
    found = _CODE.match(words.strip().upper())
    return found.group(1) if found else None


def login_fault(words: str) -> ProviderError:
    """Why a LOGIN or AUTHENTICATE was answered NO, BAD or BYE."""
    code = response_code(words)
    if code in _THROTTLED or (code in (None, "ALERT", "UNAVAILABLE") and _CROWDED.search(words)):
        return Throttled("too_many_connections")
    if code in ("UNAVAILABLE", "INUSE", "SERVERBUG", "OVERQUOTA"):
        return AuthUnavailable()
    if code == "PRIVACYREQUIRED":
        return AuthFailed(
            "privacy_required", "The server wants an encrypted connection. Choose TLS or STARTTLS."
        )
    if code == "EXPIRED":
        return AuthFailed(
            "credentials_expired", "The password or token has expired. Enter a new one or connect again."
        )
    if code == "AUTHORIZATIONFAILED":
        return AuthFailed(
            "not_authorized", "The sign-in is right but may not use this mailbox. Check its permissions."
        )
    if code in ("AUTHENTICATIONFAILED", "CONTACTADMIN", "WEBALERT"):
        return _refused_sign_in(words)
    if _PASSING.search(words) and not _APP_PASSWORD.search(words):
        return AuthUnavailable()
    return _refused_sign_in(words)  # Seen in practice: Microsoft answers "NO LOGIN failed." without any code.


def _refused_sign_in(words: str) -> ProviderError:
    if _APP_PASSWORD.search(words):
        return AuthFailed(
            "app_password_needed",
            "The server wants another kind of sign-in. Make an app password at the provider, or connect with OAuth.",
        )
    return AuthFailed()


def command_fault(command: str, words: str, *, status: str = "NO") -> ProviderError:
    """Why a command after login was answered NO or BAD. `command` is its name, such as "EXAMINE"."""
    code = response_code(words)
    if code in _THROTTLED or (code is None and _CROWDED.search(words)):
        return Throttled()
    if code in _PASSING_CODES:
        return Unreachable(
            "server_unavailable", "The server cannot do this at the moment. It will be tried again."
        )
    if code == "OVERQUOTA":
        return Refused("over_quota", "The mailbox is full. Free some space on the server.")
    if code == "TOOBIG":
        return TooLarge()
    if code in ("AUTHENTICATIONFAILED", "EXPIRED", "AUTHORIZATIONFAILED"):
        return login_fault(words)
    if code in ("NONEXISTENT", "TRYCREATE", "NOPERM"):
        return FolderGone()
    if status == "BAD":
        return ProtocolBroken(
            "command_not_understood", "The server did not understand a request it should know."
        )
    if code is None and _PASSING.search(words):
        return Unreachable(
            "server_unavailable", "The server cannot do this at the moment. It will be tried again."
        )
    if command in ("EXAMINE", "SELECT"):
        # Many servers refuse a missing folder without a code; the folder is parked and looked at again, not deleted.
        return FolderGone()
    return Refused(
        "command_refused", "The server refused the request. Check the permissions of this mailbox."
    )


def bye_fault(words: str) -> ProviderError:
    """Why the server said goodbye by itself: at the greeting or in the middle of a session."""
    code = response_code(words)
    if code in _THROTTLED or _CROWDED.search(words):
        return Throttled("too_many_connections")
    return Unreachable("server_closed", "The server closed the connection. A new one will be opened.")
