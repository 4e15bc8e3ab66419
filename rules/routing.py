"""Routing rules looked at in their order: facts of one mail in, what matched and why, and what is to be done, out. Pure.

A question whose answer cannot be known (header lines that are gone) is neither true nor false, and a rule acts only on
what is certainly true, so that *not* never turns ignorance into a match.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules.routing_actions import Action, parse_actions
from rules.routing_conditions import Condition, Group, Leaf, fold, parse_condition

LONGEST_TEXT = 100_000  # characters of a body that are looked at
SHOWN = 120  # characters of what was found that an explanation quotes
DEEPEST_CHAIN = 10  # integrity L-10: rules that set each other off stop here


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a rule. `id` and `version` name it in what is recorded."""

    id: str
    version: int
    name: str
    condition: Condition
    actions: tuple[Action, ...]
    stop: bool = False
    shadow: bool = False


def read_rule(
    rule_id: str, version: int, name: str, condition: Any, actions: Any, *, stop: bool, shadow: bool
) -> Rule:
    """A rule from its written form. Raises `routing_conditions.RuleProblem`."""
    return Rule(rule_id, version, name, parse_condition(condition), parse_actions(actions), stop, shadow)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a mail. `texts` has every value of a text field or choice, `flags` each yes or no, `hours` whether it
    came within a calendar's hours ("" the usual one). A missing flag, calendar, or `headers` None cannot be known. `spoken` is
    the language of the text, None where that would be a guess.
    """

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    hours: Mapping[str, bool | None] = field(default_factory=dict)
    headers: Mapping[str, Sequence[str]] | None = None  # by name without capitals
    custom: Mapping[str, Sequence[str]] = field(default_factory=dict)
    spoken: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """How one condition fared: `result` None where it cannot be known. `found` quotes what decided, shortened."""

    result: bool | None
    kind: str  # all, any, not or leaf
    leaf: Leaf | None = None
    found: str = ""
    parts: tuple["Reason", ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one rule. `stopped_by` is the rule before it that ended the look; then nothing was asked."""

    rule: Rule
    reason: Reason | None
    stopped_by: str | None = None

    @property
    def hit(self) -> bool:
        return self.reason is not None and self.reason.result is True


@dataclass(frozen=True, slots=True)
class Outcome:
    """One verdict for each rule, in their order."""

    verdicts: tuple[Verdict, ...]

    @property
    def hits(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.hit)


def evaluate(rules: Iterable[Rule], facts: Facts) -> Outcome:
    """Each rule sees what those before it have set (tags, category, priority, status). A hit with `stop` ends the look; a
    shadow neither sets nor ends anything.
    """
    verdicts: list[Verdict] = []
    stopped_by: str | None = None
    for rule in rules:
        if stopped_by is not None:
            verdicts.append(Verdict(rule, None, stopped_by))
            continue
        verdict = Verdict(rule, explain(rule.condition, facts))
        verdicts.append(verdict)
        if verdict.hit and not rule.shadow:
            facts = after(facts, rule.actions)
            if rule.stop:
                stopped_by = rule.id
    return Outcome(tuple(verdicts))


def explain(condition: Condition, facts: Facts) -> Reason:
    """The answer to every question of the tree, also where an earlier one has decided."""
    if isinstance(condition, Leaf):
        result, found = _answer(condition, facts)
        return Reason(result, "leaf", condition, found)
    parts = tuple(explain(part, facts) for part in condition.parts)
    return Reason(_joined(condition, [p.result for p in parts]), condition.kind, parts=parts)


def _joined(group: Group, results: Sequence[bool | None]) -> bool | None:
    """Kleene's three values: what is unknown decides nothing that the rest decides."""
    if group.kind == "not":
        return None if results[0] is None else not results[0]
    decides = group.kind == "any"
    if decides in results:
        return decides
    return None if None in results else not decides


def after(facts: Facts, actions: Iterable[Action]) -> Facts:
    """The facts as they are once these actions are done."""
    texts = dict(facts.texts)
    for action in actions:
        if action.type in ("priority", "category", "status"):
            texts[action.type] = (action.value,)
        elif action.type == "spam":
            texts["status"] = ("spam",)
        elif action.type == "tag":
            texts["tag"] = tuple(dict.fromkeys([*texts.get("tag", ()), *action.names]))
        elif action.type == "untag":
            texts["tag"] = tuple(t for t in texts.get("tag", ()) if t not in action.names)
    return replace(facts, texts=texts)


def _answer(leaf: Leaf, facts: Facts) -> tuple[bool | None, str]:
    if leaf.field == "inside_hours":
        inside = facts.hours.get(leaf.name)
        return (None, "") if inside is None else (inside is leaf.wanted, "inside" if inside else "outside")
    if leaf.field in ("has_attachment", "contact_vip", "is_new", "is_reply"):
        flag = facts.flags.get(leaf.field)
        return (None, "") if flag is None else (flag is leaf.wanted, "yes" if flag else "no")
    values = _values(leaf, facts)
    if values is None:
        return None, ""
    if leaf.op == "exists":
        held = [v for v in values if v.strip()]
        return bool(held) is leaf.wanted, held[0][:SHOWN] if held else ""
    for value in values:
        text = value[:LONGEST_TEXT]
        if leaf.pattern is not None:
            if leaf.pattern.found_in(text):
                return True, text[:SHOWN]
        elif _fits(leaf, fold(text)):
            return True, _around(text, leaf)
    return False, values[0][:SHOWN] if values else ""


def _values(leaf: Leaf, facts: Facts) -> Sequence[str] | None:
    if leaf.field == "contact_custom":
        return facts.custom.get(leaf.name, ())
    if leaf.field in ("header", "language"):
        if facts.headers is None:
            return None
        if leaf.field == "header":
            return facts.headers.get(leaf.name.casefold(), ())
        return _languages(leaf, facts.headers, facts.spoken)
    return facts.texts.get(leaf.field, ())


def _languages(leaf: Leaf, headers: Mapping[str, Sequence[str]], spoken: str | None) -> Sequence[str] | None:
    """What the mail declares wins. Which language a text is in that nobody can tell is not known; that none is known is."""
    tags = declared_languages(headers)
    if tags:
        return list(dict.fromkeys([*tags, *(tag.partition("-")[0] for tag in tags)]))
    if spoken is not None:
        return (spoken,)
    return () if leaf.op == "exists" else None


def declared_languages(headers: Mapping[str, Sequence[str]]) -> list[str]:
    """RFC 3282 §2: tags parted by commas."""
    return [tag.strip() for line in headers.get("content-language", ()) for tag in line.split(",") if tag.strip()]


def _fits(leaf: Leaf, text: str) -> bool:
    if leaf.op == "contains":
        return leaf.values[0] in text
    if leaf.op == "starts_with":
        return text.startswith(leaf.values[0])
    if leaf.op == "ends_with":
        return text.endswith(leaf.values[0])
    return text in leaf.values  # is, in


def _around(text: str, leaf: Leaf) -> str:
    """A long text is quoted where the wanted piece stands in it, as far as that can be told from the unfolded text."""
    at = text.casefold().find(leaf.values[0]) if leaf.op == "contains" and len(text) > SHOWN else 0
    start = max(0, at - SHOWN // 3)
    return text[start : start + SHOWN]
