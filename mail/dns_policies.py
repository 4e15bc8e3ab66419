"""What a domain says about its mail in TXT records: SPF (RFC 7208), DKIM keys (RFC 6376 §3.6.1) and DMARC (RFC 7489 §6.3).

Reads as far as a check of a domain needs it. Never raises on what somebody has published.
"""

import re
from collections.abc import Iterable

SPF_START = "v=spf1"
SPF_OTHERS = re.compile(r"(?:[+?~-]?include:|redirect=)([^%/]+)$")
DMARC_START = re.compile(r"v\s*=\s*DMARC1\s*(;|$)")
DMARC_POLICIES = frozenset({"none", "quarantine", "reject"})


def spf_records(texts: Iterable[str]) -> list[str]:
    """Those that are SPF records: the version, then a blank or the end (RFC 7208 §4.5)."""
    return [t for t in texts if t[:6].lower() == SPF_START and t[6:7] in ("", " ")]


def spf_targets(record: str) -> tuple[str, ...]:
    """The names whose records this one brings in, by `include:` or `redirect=`. Names with macros are left out."""
    found = (SPF_OTHERS.match(term) for term in record.lower().split()[1:])
    return tuple(m[1].rstrip(".") for m in found if m)


def spf_lets_anybody(record: str) -> bool:
    """True for `all` or `+all`, which lets every host send in the domain's name (RFC 7208 §5.1)."""
    return any(term.lower() in ("all", "+all") for term in record.split()[1:])


def spf_with(record: str, include: str) -> str:
    """The record with `include:` before its end: terms behind `all` are never looked at (RFC 7208 §5.1)."""
    terms = record.split()
    ends = [
        n
        for n, t in enumerate(terms)
        if t.lower().lstrip("+-~?") == "all" or t.lower().startswith("redirect=")
    ]
    place = ends[0] if ends else len(terms)
    return " ".join([*terms[:place], f"include:{include}", *terms[place:]])


def tags(text: str) -> dict[str, str]:
    """The tag list of a DKIM or DMARC record (RFC 6376 §3.2); of a tag that stands twice the first counts."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def dkim_key(text: str) -> str | None:
    """The public key of a DKIM key record, without its blanks; empty when the key is revoked, None when there is none."""
    key = tags(text).get("p")
    return None if key is None else "".join(key.split())


def dmarc_records(texts: Iterable[str]) -> list[str]:
    return [t for t in texts if DMARC_START.match(t)]


def dmarc_policy(record: str) -> str | None:
    """none, quarantine or reject; None when the record names nothing of these."""
    policy = tags(record).get("p", "").lower()
    return policy if policy in DMARC_POLICIES else None
