"""Whether a conversation gets an automatic first answer (integrity L-1 to L-5, RFC 3834 §2), and to which address.

What the mail itself forbids was found when it came in (`mail.auto_replies`); here the desk's own facts join it. Budgets
are counted in the store, their size is decided here.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

# minutes → automatic mails to one correspondent of one inbox: Zammad's defaults per ticket and recipient (L-4).
CORRESPONDENT_CAPS: Mapping[int, int] = {10: 10, 30: 15, 60: 25, 180: 50, 600: 100}
# The same for one person over all inboxes of the tenant: Zammad's defaults per recipient.
EVERYWHERE_CAPS: Mapping[int, int] = {10: 30, 30: 60, 60: 120, 180: 240, 600: 360}
INBOX_CAPS: Mapping[int, int] = {60: 200}
TENANT_CAPS: Mapping[int, int] = {60: 2000}
OLDEST = dt.timedelta(hours=24)  # an acknowledgement that comes later than this only confuses


@dataclass(frozen=True, slots=True)
class AutoReplyFacts:
    """What the rows say. `since` is when this inbox began to answer automatically (at the earliest, when it was made);
    `first_received_at` is the server's date of the first mail, `first_stored_at` ours of its row;
    `silence_reason` is the rule that the mail itself named. Without a first mail there is nothing to answer.
    """

    enabled: bool
    has_template: bool
    conversation_historical: bool
    first_received_at: dt.datetime | None
    first_historical: bool
    may_answer: bool
    silence_reason: str | None
    is_auto: str | None
    sender: str
    sender_is_ours: bool
    suppressed: bool
    answered_by_us: bool
    since: dt.datetime
    first_stored_at: dt.datetime | None = None
    merged: bool = False


def silence(facts: AutoReplyFacts, now: dt.datetime) -> str | None:
    """The rule that forbids the automatic answer, as one short word group; None when it may be sent."""
    at, stored = facts.first_received_at, facts.first_stored_at
    for reason, holds in (
        ("not-enabled", not facts.enabled),
        ("no-template", not facts.has_template),
        ("no-customer-mail", at is None),
        ("merged", facts.merged),
        ("historical", facts.conversation_historical or facts.first_historical),
        # Servers date mail by the second (RFC 3501 §2.3.3): mail of the rule's own second counts as later, unless it was here.
        ("older-than-the-rule", at is not None and at < facts.since.replace(microsecond=0)),
        ("older-than-the-rule", stored is not None and stored < facts.since),
        ("too-late", at is not None and now - at > OLDEST),
        ("no-sender", "@" not in facts.sender),
        ("own-address", facts.sender_is_ours),
        ("suppressed-address", facts.suppressed),
        ("answered-already", facts.answered_by_us),
        (f"automatic: {facts.is_auto}", facts.is_auto is not None),
        (facts.silence_reason or "mail-forbids", not facts.may_answer),
    ):
        if holds:
            return reason[:100]
    return None


def answer_to(*, return_path: str | None, sender: str) -> str:
    """Where the answer goes: the Return-Path where it is known (RFC 3834 §4), else the From address."""
    return return_path if return_path and "@" in return_path else sender
