"""Status codes of delivery reports: finds enhanced codes (RFC 3463) and SMTP replies (RFC 5321 §4.2) in text and
judges whether an address is dead, busy or refused by policy. Reading the report itself is left to `mail.bounces`.
"""

import re

from mail.bounce_causes import Cause, cause_of
from mail.values import BounceClass

# RFC 3463 §2: class "." subject "." detail, each detail up to three digits. The look-around keeps IP addresses and
# version numbers out ("5.1.1.2" is none); a full stop at the end of a sentence ("... 5.1.1.") is allowed.
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")
# A reply code stands at the start of a line or after a mark that introduces the remote's words ("said: 550 …",
# "smtp; 550-5.1.1 …", "<<< 550 …", "ResponseCode 421"), never in the middle of prose or an id.
_REPLY = re.compile(
    r"(?:^[ \t]*|[:;,][ \t]*|<<<[ \t]*|(?:code|\bsaid|\berror|\breturned|\bstatus|\breason)[ \t:=]+)([245][0-5]\d)(?=[ \-:,<]|$)",
    re.IGNORECASE | re.MULTILINE,
)

# What each code says of the *recipient's address*. L-6 names 5.1.1, 5.1.2 and 5.1.10; the others are of the same kind.
_ADDRESS_IS_DEAD = frozenset(
    {
        "5.1.1",  # bad destination mailbox address
        "5.1.2",  # bad destination system address
        "5.1.3",  # bad destination mailbox address syntax
        "5.1.6",  # mailbox has moved, no forwarding address
        "5.1.10",  # recipient address has null MX (RFC 7505)
        "5.1.351",  # Exchange Online: the remote server knows no such recipient
    },
)
# X.1.7 bad sender syntax, X.1.8 bad sender system, X.1.9 sender relayed to non-compliant mailer: about us, not them.
_ABOUT_THE_SENDER = frozenset({"5.1.7", "5.1.8", "5.1.9"})
# X.2.0 is what sendmail itself writes when a host that had taken RCPT refuses the mail after DATA: the mailbox was
# known then. X.2.2 full, X.2.3 too long for it, X.2.4 list expansion. None of them kills the address.
_MAILBOX_EXISTS = frozenset({"5.2.0", "5.2.2", "5.2.3", "5.2.4"})

_DEAD_CAUSES = frozenset({Cause.UNKNOWN_ADDRESS, Cause.UNKNOWN_HOST, Cause.MOVED, Cause.REFUSES_ALL_MAIL})


def enhanced_code(text: str) -> str:
    """The first enhanced code `x.y.z` in `text`, one with detail before an `x.0.0`; "" when there is none."""
    found = [f"{int(a)}.{int(b)}.{int(c)}" for a, b, c in _ENHANCED.findall(text)]
    telling = [code for code in found if not is_vague(code)]
    return (telling or found or [""])[0]


def reply_code(text: str) -> str:
    """The first three-digit SMTP reply code in `text`, "" when none."""
    found = _REPLY.search(text)
    return found.group(1) if found else ""


def is_vague(code: str) -> bool:
    """True for "" and `x.0.0`, which carry the class and nothing else (RFC 3463 §3.1)."""
    return not code or code.endswith(".0.0")


def settle_status(stated: str, diagnostic: str, *, action: str) -> str:
    """The enhanced code of one recipient from the report's Status field and the remote's own sentence.

    The remote's code wins where the Status is vague or of another class than the remote's reply: several systems
    write a Status of their own over a precise reply. Without any code the class alone is told (`5.0.0`, `4.0.0`,
    `2.0.0`) from the reply code or, last, from the action.
    """
    own = enhanced_code(stated)
    remote = enhanced_code(diagnostic)
    reply = reply_code(diagnostic)
    if remote and (is_vague(own) or (reply and reply[0] == remote[0] != own[0])) and not is_vague(remote):
        return remote
    if own:
        return own
    if remote:
        return remote
    if reply:
        return f"{reply[0]}.0.0"
    return {"failed": "5.0.0", "delayed": "4.0.0"}.get(action, "2.0.0")


def bounce_class(status: str, text: str, *, action: str) -> BounceClass | None:
    """What a report means for the address (integrity L-6). `status` is x.y.z or "", `text` the remote's sentence.

    None for delivered, relayed and expanded; SOFT for anything delayed or of class 4. Within class 5 a precise code
    decides, then the sentence; what neither explains is SOFT, because only proof may disable an address.
    """
    if action in {"delivered", "relayed", "expanded"}:
        return None
    if action == "delayed" or status.startswith("4."):
        return BounceClass.SOFT
    if status in _ADDRESS_IS_DEAD:
        return BounceClass.HARD
    if status in _ABOUT_THE_SENDER or status.startswith("5.7."):
        return BounceClass.POLICY
    if status in _MAILBOX_EXISTS:
        return BounceClass.POLICY if cause_of(text) is Cause.POLICY else BounceClass.SOFT
    # Exchange Online's directory based blocking says 5.4.1 of an address that is not in the directory.
    if status == "5.4.1" and "recipient address rejected: access denied" in text.lower():
        return BounceClass.HARD
    cause = cause_of(text)
    if cause in _DEAD_CAUSES:
        return BounceClass.HARD
    return BounceClass.POLICY if cause is Cause.POLICY else BounceClass.SOFT
