"""Sentences with which mail systems explain a refusal, sorted by cause. Matches plain words only and promises a cause
or None; what a cause means for the address is decided in `mail.status_codes`.
"""

import re
from enum import StrEnum


class Cause(StrEnum):
    """Why a mail was not delivered, as far as the remote's own words tell."""

    MAILBOX_FULL = "mailbox_full"
    POLICY = "policy"
    MOVED = "moved"
    REFUSES_ALL_MAIL = "refuses_all_mail"
    UNKNOWN_HOST = "unknown_host"
    DISABLED = "disabled"
    UNKNOWN_ADDRESS = "unknown_address"
    TOO_BIG = "too_big"
    EXPIRED = "expired"
    NETWORK = "network"


def _any_of(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


# In the order in which they are asked: a full mailbox and a policy name themselves clearly and often stand behind a
# general "recipient address rejected"; the general sentences come last. Every pattern is linear and runs over text
# whose white space is already one blank and whose letters are lower case.
_SENTENCES: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        Cause.MAILBOX_FULL,
        _any_of(
            r"(?:mail ?box|mail ?folder|inbox|account|user|maildir) ?(?:is|has|are)? ?(?:over ?)?full",
            r"over ?(?:the )?(?:disk )?quota",
            r"quota (?:is )?(?:exceeded|full)",
            r"exceed(?:s|ed|ing)? .{0,30}(?:quota|storage|mailbox size)",
            r"(?:out of|insufficient|not enough) (?:system )?(?:storage|disk ?space)",
            r"mailbox (?:size )?(?:limit|allowed size)",
            r"mailfolder is full",
        ),
    ),
    (
        Cause.POLICY,
        _any_of(
            r"\bspam\b",
            r"\bvirus\b",
            r"\b(?:dmarc|dkim|spf|rbl|dnsbl|rdns)\b",
            r"\bblack ?list",
            r"\bblock ?list",
            r"\bblocked\b",
            r"\bgrey ?list",
            r"reputation",
            r"polic(?:y|ies)",
            r"relay(?:ing)? (?:access )?(?:denied|not permitted|prohibited|not allowed)",
            r"(?:no|open|cannot|unable to) relay",
            r"sender (?:address )?(?:verify failed|rejected|denied)",
            r"domain of sender address",
            r"authentication (?:checks? )?(?:failed|required)",
            r"client host rejected",
            r"mismatches client ip",
            r"access (?:is )?denied",
            r"not (?:authori[sz]ed|permitted|allowed) to (?:send|post)",
            r"permission(?:s)? (?:to post|denied)",
            r"content (?:was )?rejected",
            r"protocol violation",
            r"rate limit",
            r"too many (?:messages|recipients|connections)",
            r"no access from mail server",
            r"reverse dns",
            r"ptr record",
        ),
    ),
    (
        Cause.MOVED,
        _any_of(
            r"mailbox has moved",
            r"has moved, no forwarding",
            r"no longer (?:on|at) (?:this )?(?:server|address)",
        ),
    ),
    (
        Cause.REFUSES_ALL_MAIL,
        _any_of(r"null mx", r"indicated no smtp service", r"does not accept (?:any )?(?:mail|email|smtp)"),
    ),
    (
        Cause.UNKNOWN_HOST,
        _any_of(
            r"host (?:is )?(?:unknown|not found)",
            r"unknown (?:mail )?(?:host|domain)",
            r"(?:host|domain)(?: or domain)? name not found",
            r"domain (?:does not|doesn't) exist",
            r"no such (?:host|domain)",
            r"name service error .{0,80}not found",
            r"nxdomain",
            r"domain is not reachable",
            r"unrouteable (?:mail )?(?:address|domain)",
            r"couldn't find any host",
        ),
    ),
    (
        Cause.DISABLED,
        _any_of(
            r"(?:account|mailbox|user|address|recipient)(?: that you tried to reach)? (?:has been |is |was )?"
            r"(?:currently )?(?:disabled|inactive|suspended|locked|frozen|deactivated|blocked)",
            r"(?:disabled|inactive|suspended|deactivated) (?:account|mailbox|user|recipient|e-?mail address)",
        ),
    ),
    (
        Cause.UNKNOWN_ADDRESS,
        _any_of(
            r"(?:user|recipient|mailbox|account|address|addressee)s? (?:is |was |are )?(?:unknown|not found|not known|not exist"
            r"|not listed|not recogni[sz]ed|invalid)",
            r"requested action not taken: mailbox unavailable",
            r"(?:unknown|invalid|bad|illegal|no such|non-?existent|unrecogni[sz]ed) (?:or illegal )?(?:local )?"
            r"(?:user|recipient|mailbox|account|address|addressee)",
            r"(?:user|recipient|mailbox|account|address|name|e-?mail)(?: [^ ]{1,80}| that you tried to reach){0,2} "
            r"(?:does not|doesn't|did not|do not) exist",
            r"recipient name is not recogni[sz]ed",
            r"not listed in (?:public name|domino directory|the directory)",
            r"(?:doesn't|does not) have an? [^ ]{1,80} account",
            r"no (?:such )?(?:user|mailbox|recipient|person|account)(?: (?:here|by that name|with this))",
            r"no mailbox here",
            r"not a (?:known|valid) (?:user|mailbox|recipient|address)",
            r"unable to find (?:the )?(?:user|recipient)",
            r"user [^ ]{1,80} not (?:found|known)",
            r"recipient address rejected",
        ),
    ),
    (
        Cause.TOO_BIG,
        _any_of(r"(?:message|mail) (?:is )?too (?:big|large)", r"exceeds .{0,40}(?:message )?size"),
    ),
    (
        Cause.EXPIRED,
        _any_of(
            r"retry time(?:out)? (?:not reached|exceeded)",
            r"(?:delivery|message|envelope) (?:time )?expired",
            r"in the queue too long",
            r"could not deliver for the last",
            r"delivery failed \d+ attempts",
            r"unable to deliver this message after",
        ),
    ),
    (
        Cause.NETWORK,
        _any_of(
            r"connection (?:timed out|refused|reset)", r"socket error", r"not reachable", r"lost connection"
        ),
    ),
)
_SPACE = re.compile(r"\s+")
_LONGEST = 8_000  # a reason is a sentence; a megabyte of "diagnostic" is not read further


def cause_of(text: str) -> Cause | None:
    """The first cause whose sentence occurs in `text` (any case, any white space), or None."""
    plain = _SPACE.sub(" ", text[:_LONGEST]).lower()
    return next((cause for cause, pattern in _SENTENCES if pattern.search(plain)), None)
