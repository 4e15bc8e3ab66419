"""The conditions of a routing rule: a tree of *all*, *any* and *not* over single questions, checked before it is stored. Pure."""

import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.patterns import BadPattern, Pattern, compile_pattern

DEEPEST = 8
MOST_LEAVES = 100
MOST_VALUES = 500
LONGEST_VALUE = 500

TEXT_OPERATORS = ("is", "contains", "starts_with", "ends_with", "matches", "in", "exists")
CHOICE_OPERATORS = ("is", "in")
# What can be asked about. Where a mail has several (recipients, files), one that fits is enough.
TEXTS = (
    "sender",
    "sender_name",
    "sender_domain",
    "recipient",
    "subject",
    "body",
    "attachment_name",
    "attachment_type",
    "language",
    "category",
    "tag",
)
NAMED_TEXTS = ("header", "contact_custom")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "inbox": (),
    "channel": ("email", "sms", "whatsapp", "slack", "discord", "telegram", "teams", "voice"),
    "priority": ("urgent", "high", "normal", "low"),
    "status": ("open", "pending", "snoozed", "closed", "archived", "spam", "trash"),
}
FLAGS = ("has_attachment", "contact_vip", "inside_hours", "is_new", "is_reply")
# Read from the mail's own header lines, which lie in the bucket.
FROM_HEADERS = ("header", "language")


class RuleProblem(ValueError):
    """`field` is the place in what was written (`condition.all[1].value`), `remedy` says what to do."""

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field} {remedy}")
        self.field = field
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question. `name` is the header's, the custom field's or the calendar's; `values` are folded for comparing."""

    field: str
    op: str
    name: str
    values: tuple[str, ...]
    wanted: bool
    pattern: Pattern | None
    written: Any


@dataclass(frozen=True, slots=True)
class Group:
    """`all` (of none: always true), `any`, or `not` of one."""

    kind: str
    parts: tuple["Leaf | Group", ...]


Condition = Leaf | Group


def fold(value: str) -> str:
    """As texts are compared: without capitals, accents in one form, outer blanks off."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold()).strip()


def leaves(condition: Condition) -> Iterator[Leaf]:
    if isinstance(condition, Leaf):
        yield condition
        return
    for part in condition.parts:
        yield from leaves(part)


def calendars(condition: Condition) -> frozenset[str]:
    """The calendars of business hours that it asks for; "" is the usual one."""
    return frozenset(leaf.name for leaf in leaves(condition) if leaf.field == "inside_hours")


def reads_headers(condition: Condition) -> bool:
    """Whether the answer needs the mail's own header lines."""
    return any(leaf.field in FROM_HEADERS for leaf in leaves(condition))


def asks_language(condition: Condition) -> bool:
    """Whether the answer may need the language of the text."""
    return any(leaf.field == "language" for leaf in leaves(condition))


def parse_condition(written: Any, field: str = "condition") -> Condition:
    """The tree from its JSON form. Raises RuleProblem naming the place."""
    condition = _parse(written, field, 1)
    count = sum(1 for _ in leaves(condition))
    if count > MOST_LEAVES:
        raise RuleProblem(field, f"asks {count} questions; at most {MOST_LEAVES} fit one rule")
    return condition


def _parse(written: Any, field: str, depth: int) -> Condition:
    if depth > DEEPEST:
        raise RuleProblem(field, f"is nested deeper than {DEEPEST} levels; make two rules of it")
    if not isinstance(written, dict):
        raise RuleProblem(field, "is an object: {all: […]}, {any: […]}, {not: …} or {field, op, value}")
    groups = [k for k in ("all", "any", "not") if k in written]
    if not groups:
        return _leaf(written, field)
    if len(written) != 1:
        raise RuleProblem(field, "has one of `all`, `any` and `not`, and nothing beside it")
    kind = groups[0]
    inner = written[kind]
    if kind == "not":
        return Group("not", (_parse(inner, f"{field}.not", depth + 1),))
    if not isinstance(inner, list):
        raise RuleProblem(f"{field}.{kind}", "is a list of conditions")
    if kind == "any" and not inner:
        raise RuleProblem(f"{field}.any", "is empty, so it would never be true; add a condition")
    if len(inner) > MOST_LEAVES:
        raise RuleProblem(f"{field}.{kind}", f"has more than {MOST_LEAVES} conditions")
    return Group(kind, tuple(_parse(one, f"{field}.{kind}[{i}]", depth + 1) for i, one in enumerate(inner)))


def _leaf(written: Mapping[str, Any], field: str) -> Leaf:
    extra = set(written) - {"field", "op", "name", "value"}
    if extra:
        raise RuleProblem(field, f"does not know {', '.join(sorted(map(str, extra)))[:100]}")
    what, op = written.get("field"), written.get("op", "is")
    known = (*TEXTS, *NAMED_TEXTS, *CHOICES, *FLAGS)
    if not isinstance(what, str) or what not in known:
        raise RuleProblem(f"{field}.field", f"is one of {', '.join(known)}")
    operators = ("is",) if what in FLAGS else CHOICE_OPERATORS if what in CHOICES else TEXT_OPERATORS
    if not isinstance(op, str) or op not in operators:
        raise RuleProblem(f"{field}.op", f"is one of {', '.join(operators)} for {what}")
    name = _name(what, written.get("name"), f"{field}.name")
    value = written.get("value")
    if what in FLAGS:
        value = True if value is None else value
        if not isinstance(value, bool):
            raise RuleProblem(f"{field}.value", "is true or false")
        return Leaf(what, op, name, (), value, None, value)
    if op == "exists":
        value = True if value is None else value
        if not isinstance(value, bool):
            raise RuleProblem(f"{field}.value", "is true or false for `exists`")
        return Leaf(what, op, name, (), value, None, value)
    values = _values(what, op, value, f"{field}.value")
    pattern = None
    if op == "matches":
        try:
            pattern = compile_pattern(values[0])
        except BadPattern as wrong:
            raise RuleProblem(f"{field}.value", wrong.remedy) from None
    texts = tuple(str(uuid.UUID(v)) if what == "inbox" else fold(v) for v in values)
    return Leaf(what, op, name, texts, True, pattern, value)


def _name(what: str, given: Any, field: str) -> str:
    if what == "inside_hours":
        if given is None:
            return ""
        if not _is_id(given):
            raise RuleProblem(field, "is the id of a calendar of business hours, or left out for the usual one")
        return str(given)
    if what not in NAMED_TEXTS:
        if given is not None:
            raise RuleProblem(field, f"has no meaning for {what}; leave it out")
        return ""
    if not isinstance(given, str) or not given.strip() or len(given) > 100 or any(c in given for c in "\r\n\0:"):
        kind = "the header, such as X-Priority" if what == "header" else "the custom field"
        raise RuleProblem(field, f"is the name of {kind}")
    return given.strip()


def _values(what: str, op: str, value: Any, field: str) -> tuple[str, ...]:
    if op == "in":
        if not isinstance(value, list) or not value:
            raise RuleProblem(field, "is a list of at least one text for `in`")
        if len(value) > MOST_VALUES:
            raise RuleProblem(field, f"has {len(value)} entries; at most {MOST_VALUES} fit")
        values = tuple(value)
    else:
        values = (value,)
    for one in values:
        if not isinstance(one, str) or (not one.strip() and op != "matches") or "\0" in one:
            raise RuleProblem(field, "is a text that is not empty")
        if len(one) > LONGEST_VALUE:
            raise RuleProblem(field, f"is longer than {LONGEST_VALUE} characters; a shorter piece finds it too")
        if what == "inbox" and not _is_id(one):
            raise RuleProblem(field, "is the id of an inbox")
        if what in CHOICES and CHOICES[what] and one not in CHOICES[what]:
            raise RuleProblem(field, f"is one of {', '.join(CHOICES[what])}")
    return values


def _is_id(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(uuid.UUID(value))
    except ValueError:
        return False
