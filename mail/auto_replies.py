"""RFC 3834 as a receiver: is a mail an automatic answer, and may an automatic answer go out to it (integrity L-1, L-5)?
The two questions differ: a list post or a mail that asks for silence is a person's mail and still gets no robot.
"""

import re

from mail.auto_headers import LOOP_HEADER, loop_reference
from mail.machine_senders import is_machine_like, never_answered
from mail.subjects import is_absence_note
from mail.values import Address, ParsedMail

_MOST_HOPS = 20  # L-5: a mail that went through more servers is going round in circles
_ROBOT_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From", "X-Mail-Autoreply")
_SUPPRESS = frozenset({"all", "dr", "autoreply", "oof"})
_DMARC_FAIL = re.compile(r"\bdmarc\s*=\s*fail\b", re.IGNORECASE)
_DMARC_STRICT = re.compile(
    r"\bp\s*=\s*(?:quarantine|reject)\b|\baction\s*=\s*(?:quarantine|o?reject)\b", re.IGNORECASE
)


def auto_reply_reason(mail: ParsedMail) -> str:
    """The rule by which `mail` is an automatic answer or notice; "" for a person's mail.

    `X-Auto-Response-Suppress` and List-* alone are no such rule: people's programs set the first, and a customer who
    writes through a group address carries the second.
    """
    submitted = _word(mail.header("Auto-Submitted"))
    if submitted and submitted != "no":
        return f"auto-submitted: {submitted}"[:60]
    for name in _ROBOT_HEADERS:
        value = mail.header(name)
        if value is not None and _word(value) not in {"no", "none", "false"}:
            return name.lower()
    precedence = _word(mail.header("Precedence"))
    if precedence == "auto_reply":
        return "precedence: auto_reply"
    # Vacation programs of old write "bulk" or "junk" (BSD vacation); so do list servers, which name their list.
    if precedence in {"bulk", "junk"} and not _list_header(mail):
        return f"precedence: {precedence}"
    if mail.content_type == "multipart/report":
        # A read receipt (RFC 8098): the other reports were asked for before this question.
        return "multipart/report"
    answers = bool(mail.in_reply_to or mail.references)
    absent = is_absence_note(mail.subject)
    asks_silence = bool(_suppressed(mail))
    # RFC 5321 §4.5.5 leaves the null sender to notifications, but misconfigured web forms use it too: it needs company.
    if mail.return_path == "" and (absent or asks_silence or answers):
        return "null-return-path"
    if absent and (asks_silence or precedence or mail.header("X-MS-Exchange-Inbox-Rules-Loop") is not None):
        return "absence-subject"
    return ""


def silence_reason(mail: ParsedMail, *, own_addresses: frozenset[str], loop_secret: bytes) -> str:
    """The rule that forbids an automatic answer to `mail`, "" when one may be sent. Never asks what the mail is about.

    An unset `loop_secret` or an empty `own_addresses` skips the rules that need them.
    """
    # First, because they forbid more than an answer: no rule of the desk looks at such a mail (integrity L-5).
    if _is_own_loop(mail, loop_secret):
        return "own-loop-header"
    if mail.received_count > _MOST_HOPS:
        return "too-many-hops"
    auto = auto_reply_reason(mail)
    if auto:
        return auto
    own = {a.lower() for a in own_addresses}
    for reason, holds in (
        ("null-return-path", mail.return_path == ""),
        ("no-sender", mail.from_ is None),
        ("precedence", _word(mail.header("Precedence")) in {"bulk", "list", "junk"}),
        ("x-auto-response-suppress", _suppressed(mail)),
        ("x-loop", mail.header("X-Loop") is not None),
        ("feedback-id", mail.header("Feedback-ID") is not None),
        ("own-address", mail.from_ is not None and mail.from_.address.lower() in own),
        ("robot-address", never_answered(mail.from_) or never_answered(_envelope_sender(mail))),
        ("not-addressed-to-us", bool(own) and not own & _recipients(mail)),
        ("dmarc-fail", _fails_dmarc(mail)),
        ("unknown-envelope-sender", mail.return_path is None and is_machine_like(mail.from_)),
    ):
        if holds:
            return reason
    return _list_header(mail)


def _word(value: str | None) -> str:
    """The keyword of a header without parameters and comments (`auto-generated (failure)` → `auto-generated`)."""
    return re.split(r"[;(\s,]", (value or "").strip().lower(), maxsplit=1)[0]


def _list_header(mail: ParsedMail) -> str:
    # RFC 3834 §2 and RFC 2369: any List-* field, not only the three that L-1 names.
    return next((name.lower() for name, _ in mail.headers if name.lower().startswith("list-")), "")


def _suppressed(mail: ParsedMail) -> bool:
    told = ",".join(mail.header_all("X-Auto-Response-Suppress")).lower()
    return bool(_SUPPRESS & {word.strip() for word in told.split(",")})


def _is_own_loop(mail: ParsedMail, secret: bytes) -> bool:
    return bool(secret) and any(loop_reference(v, secret) is not None for v in mail.header_all(LOOP_HEADER))


def _envelope_sender(mail: ParsedMail) -> Address | None:
    return Address(mail.return_path) if mail.return_path else None


def _recipients(mail: ParsedMail) -> set[str]:
    """Everybody a header names as recipient (RFC 3834 §2 counts the Resent fields)."""
    named = {a.address.lower() for a in (*mail.to, *mail.cc, *mail.bcc)}
    for name in ("Resent-To", "Resent-Cc"):
        for value in mail.header_all(name):
            named.update(word.strip("<>,;\"'").lower() for word in re.split(r"[\s,;]+", value) if "@" in word)
    return named


def _fails_dmarc(mail: ParsedMail) -> bool:
    """The topmost Authentication-Results that speaks of DMARC says fail under a strict policy (RFC 8601, RFC 7489).

    Whose header it is does not matter here: a forged failure only costs its forger the automatic answer.
    """
    told = next((v for v in mail.header_all("Authentication-Results") if "dmarc" in v.lower()), "")
    return bool(_DMARC_FAIL.search(told) and _DMARC_STRICT.search(told))
