"""Tells mail systems and robots from people by the address and name they write under. Only a hint in either direction:
`mail.bounces_unusual` asks for more before it calls a mail a bounce, `mail.auto_replies` only stays silent.
"""

import re

from mail.values import Address, ParsedMail

# The names that only mail systems use: MAILER-DAEMON, "Mail Delivery Subsystem", vendors' "Mail.Delivery.System",
# "mdaemon", sites' own misspelling of postmaster (seen in sendmail configurations).
_DAEMON_LOCAL = re.compile(
    r"(?:mailer-?daemon|poostmaster|mdaemon|mail[._-]?delivery[._-]?(?:sub)?system|delivery-?status)",
    re.IGNORECASE,
)
_DAEMON_NAME = re.compile(
    r"mailer[ -]daemon|internet mail delivery|mail delivery (?:sub)?system", re.IGNORECASE
)
# The names that mail systems share with people who look after them.
_SHARED_LOCAL = re.compile(r"postmaster|mail-?system|dsn", re.IGNORECASE)
_SHARED_NAME = re.compile(
    r"mail administrator|system administrator|postmaster|microsoft outlook|content-filter", re.IGNORECASE
)
# integrity L-1: addresses that no automatic answer may go to (Zammad's default pattern, RFC 3834 §2).
_NEVER_ANSWERED = re.compile(
    r"(?:mailer-?daemon|po+stmaster|abuse|root|no-?_?\.?reply|do-?_?\.?not-?_?\.?reply|bounces?)(?:[+._=-].*)?"
    r"|.*[+._=-](?:no-?reply|bounces?)|owner-.+|.+-(?:request|owner|bounces)",
    re.IGNORECASE,
)
# Addresses that programs write under. Without a Return-Path to judge by, they get no automatic answer.
_MACHINE_LIKE = re.compile(
    r"(?:.*[+._-])?(?:notif(?:y|ications?)|alerts?|system|automat(?:ic|ed|ion)|robot|bot|daemon|cron|monitor(?:ing)?"
    r"|updates?|mailing|newsletters?|e?news|info-?mail|service-?account)(?:[+._=-].*)?",
    re.IGNORECASE,
)


def local_part(address: str) -> str:
    """What stands before the last "@"; the whole text where there is none (a bare `MAILER-DAEMON`)."""
    local, at, _ = address.rpartition("@")
    return local if at else address


def is_mailer_daemon(mail: ParsedMail) -> bool:
    """True when the mail was written under a name that no person writes under."""
    if mail.return_path and _DAEMON_LOCAL.fullmatch(local_part(mail.return_path)):
        return True
    if mail.from_ is None:
        # "From: MAILER-DAEMON <>" (DragonFly, Barracuda): no address to parse, the words are all there is.
        return _DAEMON_NAME.search(mail.header("From") or "") is not None
    return bool(
        _DAEMON_LOCAL.fullmatch(local_part(mail.from_.address)) or _DAEMON_NAME.search(mail.from_.name)
    )


def is_mail_system(mail: ParsedMail) -> bool:
    """True for mailer daemons and for names, such as postmaster, that a person may write under as well."""
    if is_mailer_daemon(mail):
        return True
    sender = mail.from_
    return sender is not None and bool(
        _SHARED_LOCAL.fullmatch(local_part(sender.address)) or _SHARED_NAME.search(sender.name),
    )


def never_answered(address: Address | None) -> bool:
    """True for addresses that integrity L-1 forbids to answer automatically (noreply, bounces, owner-…)."""
    return address is not None and _NEVER_ANSWERED.fullmatch(local_part(address.address)) is not None


def is_machine_like(address: Address | None) -> bool:
    """True for addresses that programs write under; an unknown sender counts as one."""
    return address is None or _MACHINE_LIKE.fullmatch(local_part(address.address)) is not None
