"""What differs between two readings of one mail, small enough to be kept and shown: pure, no database.

Bodies are told by their lengths and an excerpt of a unified diff. Long ones are trimmed at both ends to what differs before
they are compared, so that no mail can make comparing expensive.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.reingest_reading import FileFacts, Reading

KINDS = ("body", "parts", "headers", "identity", "classification", "thread", "defects", "quarantine")
BODIES = ("body_visible", "body_text", "body_html")
HEADERS = (
    "subject",
    "from_address",
    "from_name",
    "reply_to",
    "recipients",
    "sent_at",
    "in_reply_to",
    "references",
    "authentication",
)
MOST_DIFF = 6_000  # characters of one body's excerpt
MOST_LINES = 160  # lines of either side that are compared
MOST_LINE = 500
MOST_VALUE = 300
MOST_PARTS = 30
CONTEXT = 3
BETWEEN_TAGS = re.compile(r"(?<=>)(?=<)")


@dataclass(frozen=True, slots=True)
class Difference:
    """`kinds` are words of `KINDS` in their order; `detail` has one entry for each, JSON that fits in some kilobytes."""

    kinds: tuple[str, ...]
    detail: Mapping[str, Any]


def compare(
    old: Reading, new: Reading, *, thread: Mapping[str, Any] | None = None, kept: str | None = None
) -> Difference:
    """`thread` tells of a move, `kept` why a new classification is not taken over although the parser gives one."""
    detail: dict[str, Any] = {}
    bodies = {name: _body(getattr(old, name), getattr(new, name)) for name in BODIES}
    if told := {name: body for name, body in bodies.items() if body}:
        detail["body"] = told
    if old.files != new.files:
        detail["parts"] = _parts(old.files, new.files)
    headers = [
        {"field": name, "old": _value(getattr(old, name)), "new": _value(getattr(new, name))}
        for name in HEADERS
        if getattr(old, name) != getattr(new, name)
    ]
    if headers:
        detail["headers"] = headers
    if (old.message_id_header, old.content_id) != (new.message_id_header, new.content_id):
        detail["identity"] = {
            "message_id": old.message_id_header != new.message_id_header,
            "content": old.content_id != new.content_id,
        }
    if kept or (old.classification, old.rule, old.reports) != (new.classification, new.rule, new.reports):
        detail["classification"] = {
            "old": old.classification,
            "new": new.classification,
            "old_rule": _value(old.rule),
            "new_rule": _value(new.rule),
            "reports": old.reports != new.reports,
            "kept": kept,
        }
    if thread is not None:
        detail["thread"] = dict(thread)
    if old.defects != new.defects:
        detail["defects"] = {
            "added": [d for d in new.defects if d not in old.defects][:MOST_PARTS],
            "removed": [d for d in old.defects if d not in new.defects][:MOST_PARTS],
        }
    if old.quarantine != new.quarantine:
        detail["quarantine"] = {"old": old.quarantine, "new": new.quarantine}
    return Difference(tuple(kind for kind in KINDS if kind in detail), detail)


def _body(old: str | None, new: str | None) -> dict[str, Any] | None:
    if old == new:
        return None
    diff, cut = excerpt(old or "", new or "")
    return {
        "old_length": None if old is None else len(old),
        "new_length": None if new is None else len(new),
        "diff": diff,
        "cut": cut,
    }


def excerpt(old: str, new: str) -> tuple[str, bool]:
    """A unified diff without its file lines, and whether something was left out."""
    before, after = _lines(old), _lines(new)
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    last = 0
    while last < min(len(before), len(after)) - first and before[-1 - last] == after[-1 - last]:
        last += 1
    start = max(0, first - CONTEXT)
    ends = [len(lines) - max(0, last - CONTEXT) for lines in (before, after)]
    sides = [lines[start:end] for lines, end in zip((before, after), ends, strict=True)]
    cut = any(len(side) > MOST_LINES for side in sides)
    short = [[line[:MOST_LINE] for line in side[:MOST_LINES]] for side in sides]
    cut = cut or any(len(line) > MOST_LINE for side in sides for line in side[:MOST_LINES])
    told = list(difflib.unified_diff(short[0], short[1], lineterm="", n=CONTEXT))[2:]
    text = "\n".join(_shifted(line, start) if line.startswith("@@") else line for line in told)
    return text[:MOST_DIFF], cut or len(text) > MOST_DIFF


def _lines(body: str) -> list[str]:
    """HTML often is one long line: it is cut between tags, so that a change is seen at its place."""
    lines = body.splitlines()
    if len(lines) < 4 and body.lstrip().startswith("<"):
        return [piece for line in lines for piece in BETWEEN_TAGS.split(line)]
    return lines


def _shifted(header: str, by: int) -> str:
    """The line numbers of the whole text, not of the part that was compared."""
    return re.sub(r"([-+])(\d+)", lambda m: f"{m[1]}{int(m[2]) + by}", header)


def _parts(old: Sequence[FileFacts], new: Sequence[FileFacts]) -> dict[str, Any]:
    """By content: what is gone, what is new, and what is the same under another name, type or role."""
    before, after = list(old), list(new)
    for file in list(before):
        if file in after:
            before.remove(file)
            after.remove(file)
    renamed = []
    for file in list(before):
        twin = next((f for f in after if f.sha256 == file.sha256), None)
        if twin is not None:
            before.remove(file)
            after.remove(twin)
            renamed.append({"sha256": file.sha256, "old": _file(file), "new": _file(twin)})
    return {
        "added": [_file(f) for f in after[:MOST_PARTS]],
        "removed": [_file(f) for f in before[:MOST_PARTS]],
        "renamed": renamed[:MOST_PARTS],
        "reordered": not before and not after and not renamed,
    }


def _file(file: FileFacts) -> dict[str, Any]:
    return {
        "filename": file.filename[:MOST_VALUE],
        "content_type": file.content_type[:MOST_VALUE],
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "disposition": file.disposition,
    }


def _value(value: object) -> str | None:
    """A header's value as people read it, cut."""
    if value is None:
        return None
    if isinstance(value, tuple):
        words = [_person(v) if isinstance(v, tuple) else str(v) for v in value]
        return ", ".join(words)[:MOST_VALUE]
    return str(value)[:MOST_VALUE]


def _person(entry: tuple[str, ...]) -> str:
    kind, address, name = entry if len(entry) == 3 else ("", *entry)
    mailbox = f"{name} <{address}>" if name else address
    return f"{kind}: {mailbox}" if kind else mailbox
