"""What a domain's DNS should say, what it says instead, and what is wrong about it, in one sentence. Pure: the looking up is
done elsewhere, and what could not be learned is `unknown`, never `missing`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mail.dns_policies import (
    dkim_key,
    dmarc_policy,
    dmarc_records,
    spf_lets_anybody,
    spf_records,
    spf_targets,
    spf_with,
)

CHALLENGE_LABEL = "_mailroom"
CHALLENGE_START = "mailroom-domain="
SES_DKIM = "dkim.amazonses.com"
FOUND_SHOWN = 10
FOUND_LENGTH = 1000


class Status(StrEnum):
    """`waiting`: there is nothing to set yet. `unknown`: DNS gave no answer, so what was known before stands."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look-up found. `trouble` says why nothing could be learned; without it, no values means: there are none."""

    values: tuple[str, ...] = ()
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """`mx_hosts` and `spf_include` are what this installation receives and sends through; empty: nothing of its own."""

    name: str
    challenge: str
    dkim_tokens: tuple[str, ...] = ()
    mx_hosts: tuple[str, ...] = ()
    spf_include: str = ""


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """One record to set: its exact name, type and value, what was found there, and what is wrong, None when nothing is."""

    record: str
    name: str
    type: str
    value: str
    status: Status
    found: tuple[str, ...] = ()
    problem: str | None = None

    def kept(self) -> dict[str, Any]:
        """As it is stored, with no more than a page of what strangers have published."""
        return {
            "record": self.record,
            "name": self.name,
            "type": self.type,
            "value": self.value,
            "status": self.status.value,
            "found": [v[:FOUND_LENGTH] for v in self.found[:FOUND_SHOWN]],
            "problem": self.problem,
        }


def challenge_name(name: str) -> str:
    return f"{CHALLENGE_LABEL}.{name}"


def ownership(expected: Expected, texts: Looked) -> RecordCheck:
    value = f"{CHALLENGE_START}{expected.challenge}"

    def said(status: Status, problem: str | None) -> RecordCheck:
        return RecordCheck(
            "ownership", challenge_name(expected.name), "TXT", value, status, texts.values, problem
        )

    if texts.trouble is not None:
        return said(Status.UNKNOWN, _no_answer(texts))
    if value in texts.values:
        return said(Status.OK, None)
    if texts.values:
        return said(Status.WRONG, "The record holds something else; add this value beside what is there.")
    return said(Status.MISSING, "The record that proves the domain is yours is not there yet.")


def mx(expected: Expected, exchanges: Looked) -> RecordCheck:
    """`exchanges` as `preference host`. Without hosts of our own any server that takes mail is right."""
    ours = [h.lower().rstrip(".") for h in expected.mx_hosts]
    value = f"10 {ours[0]}" if ours else ""

    def said(status: Status, problem: str | None) -> RecordCheck:
        return RecordCheck("mx", expected.name, "MX", value, status, exchanges.values, problem)

    if exchanges.trouble is not None:
        return said(Status.UNKNOWN, _no_answer(exchanges))
    ranked = sorted(_exchanges(exchanges.values))
    if not ranked:
        return said(Status.MISSING, "There is no MX record, so no mail reaches the domain.")
    if all(host == "" for _, host in ranked):
        return said(Status.WRONG, "The MX record says that the domain takes no mail (RFC 7505); replace it.")
    if not ours:
        return said(Status.OK, None)
    best = min(preference for preference, _ in ranked)
    first = [host for preference, host in ranked if preference == best]
    if all(host in ours for host in first):
        return said(Status.OK, None)
    if any(host in ours for _, host in ranked):
        other = next(host for host in first if host not in ours)
        return said(
            Status.WRONG,
            f"Mail goes to {other} too, or first; give it a larger number than ours, or remove it.",
        )
    return said(Status.WRONG, f"Mail goes elsewhere, to {first[0]}; replace it by this record.")


def spf(expected: Expected, texts: Looked, reached: Looked | None = None) -> RecordCheck:
    """`reached` are the names that the record brings in through other records (RFC 7208 §5.2, §6.1)."""
    include, records = expected.spf_include.lower().rstrip("."), spf_records(texts.values)
    value = f"v=spf1 include:{include} ~all" if include else "v=spf1 mx ~all"

    def said(status: Status, problem: str | None, to_set: str = value) -> RecordCheck:
        return RecordCheck("spf", expected.name, "TXT", to_set, status, tuple(records), problem)

    if texts.trouble is not None:
        return said(Status.UNKNOWN, _no_answer(texts))
    if not records:
        return said(
            Status.MISSING, "There is no SPF record, so receivers cannot tell our mail from forged mail."
        )
    if len(records) > 1:
        return said(
            Status.WRONG,
            f"There are {len(records)} SPF records, which makes all of them void (RFC 7208 §4.5); leave one.",
            _with(records[0], include),
        )
    if spf_lets_anybody(records[0]):
        mended = " ".join("~all" if t.lower() in ("all", "+all") else t for t in records[0].split())
        return said(
            Status.WRONG,
            "The record ends in +all, which lets every host send in your name.",
            _with(mended, include),
        )
    if not include or include in spf_targets(records[0]) or (reached and include in reached.values):
        return said(Status.OK, None, records[0])
    if reached is not None and reached.trouble is not None:
        return said(Status.UNKNOWN, _no_answer(reached), _with(records[0], include))
    return said(
        Status.WRONG,
        f"The record does not include {include}, through which we send.",
        _with(records[0], include),
    )


def dkim(name: str, token: str, aliases: Looked, here: Looked, there: Looked) -> RecordCheck:
    """One of SES's three. `aliases` is where the name points, `here` the texts at it, `there` those at SES's own name."""
    target = f"{token}.{SES_DKIM}"

    def said(status: Status, problem: str | None) -> RecordCheck:
        found = aliases.values or here.values
        return RecordCheck("dkim", f"{token}._domainkey.{name}", "CNAME", target, status, found, problem)

    right, theirs = target in (a.lower().rstrip(".") for a in aliases.values), _keys(there.values)
    trouble = next((looked for looked in (aliases, here, there) if looked.trouble is not None), None)
    if right and trouble is None and not theirs:
        return said(Status.WAITING, "The record is right; the key behind it is not published yet.")
    if right and theirs:
        return said(Status.OK, None)
    if trouble is not None:
        return said(Status.UNKNOWN, _no_answer(trouble))
    if aliases.values:
        return said(Status.WRONG, f"The name points to {aliases.values[0].rstrip('.')} instead.")
    ours = _keys(here.values)
    if not ours:
        return said(Status.MISSING, "The record of this signing key is not there yet.")
    if ours <= theirs:
        return said(
            Status.OK, "The key was copied; it ends with the next change of key, unless a CNAME points to it."
        )
    return said(
        Status.WRONG, "The DKIM key published here is a different one, so our signatures do not verify."
    )


def no_keys_yet(name: str) -> RecordCheck:
    return RecordCheck(
        "dkim",
        f"_domainkey.{name}",
        "CNAME",
        "",
        Status.WAITING,
        (),
        "No signing keys were made for the domain yet.",
    )


def dmarc(expected: Expected, texts: Looked, above: Sequence[Looked] = ()) -> RecordCheck:
    """`above` are the records of the names above, nearest first: the nearest speaks for those below (RFC 7489 §6.6.3)."""

    def said(status: Status, problem: str | None, found: Iterable[str] = ()) -> RecordCheck:
        stands = tuple(found)
        value = (
            stands[0] if status is Status.OK else "v=DMARC1; p=none"
        )  # a stricter policy is not to be undone
        return RecordCheck("dmarc", f"_dmarc.{expected.name}", "TXT", value, status, stands, problem)

    for looked in (texts, *above):
        if looked.trouble is not None:
            return said(Status.UNKNOWN, _no_answer(looked))
        records = dmarc_records(looked.values)
        if len(records) > 1:
            return said(
                Status.WRONG,
                f"There are {len(records)} DMARC records, so none of them counts; leave one.",
                records,
            )
        if records:
            if dmarc_policy(records[0]) is None:
                return said(
                    Status.WRONG, "The record has no policy; p is none, quarantine or reject.", records
                )
            return said(Status.OK, None, records)
    return said(Status.MISSING, "There is no DMARC record; large receivers ask for one.", texts.values)


def names_above(name: str, most: int = 4) -> tuple[str, ...]:
    """The names above a domain, nearest first, without the top one."""
    labels = name.split(".")
    return tuple(".".join(labels[n:]) for n in range(1, len(labels) - 1))[:most]


def verdicts(checks: Sequence[RecordCheck]) -> Mapping[str, bool | None]:
    """For each kind of record whether all of it is right; None where DNS did not say, so that what was known stands."""
    found: dict[str, bool | None] = {}
    for kind in ("ownership", "mx", "spf", "dkim", "dmarc"):
        states = {c.status for c in checks if c.record == kind}
        bad = states & {Status.MISSING, Status.WRONG, Status.WAITING}
        found[kind] = False if bad or not states else None if Status.UNKNOWN in states else True
    return found


def _with(record: str, include: str) -> str:
    return record if not include or include in spf_targets(record) else spf_with(record, include)


def _keys(texts: Iterable[str]) -> set[str]:
    return {key for text in texts if (key := dkim_key(text))}


def _exchanges(values: Iterable[str]) -> list[tuple[int, str]]:
    found = []
    for value in values:
        preference, _, host = value.partition(" ")
        if preference.isdigit():
            found.append((int(preference), host.lower().rstrip(".")))
    return found


def _no_answer(looked: Looked) -> str:
    return f"DNS gave no answer ({looked.trouble}); what was known before stands, and it is asked again by itself."
