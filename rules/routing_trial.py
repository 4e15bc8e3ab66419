"""A rule tried on mail of the past: what it would have done to each, and what would have stood in its way. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.routing import Facts, Rule, evaluate, explain
from rules.routing_actions import Action


@dataclass(frozen=True, slots=True)
class Standing:
    """How the mail's conversation stands now. `by_hand`: a person took it or was given it by one."""

    status: str
    priority: str
    category: str | None
    assigned_to: str | None
    team: str | None
    tags: Sequence[str]
    by_hand: bool


@dataclass(slots=True)
class Tally:
    """What a trial adds up to. `would` and `stands` are by the action's place in the rule; `stopped_by` by rule. `by_hand` are
    conversations that an agent holds by hand and would keep, `overrides` those that would be taken from them, `replaces`
    those whose category or priority stands otherwise now.
    """

    looked_at: int = 0
    matched: int = 0
    unknown: int = 0
    by_hand: int = 0
    overrides: int = 0
    replaces: int = 0
    would: Counter[int] = field(default_factory=Counter)
    stands: Counter[int] = field(default_factory=Counter)
    stopped_by: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The counts that have no column of their own."""
        return {
            "by_hand": self.by_hand,
            "overrides": self.overrides,
            "replaces": self.replaces,
            "would": {str(k): v for k, v in self.would.items()},
            "stands": {str(k): v for k, v in self.stands.items()},
            "stopped_by": dict(self.stopped_by),
        }


def added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two results of `Tally.as_json` as one."""
    sums: dict[str, Any] = dict(one)
    for name, value in other.items():
        if isinstance(value, dict):
            sums[name] = dict(Counter(one.get(name) or {}) + Counter(value))
        else:
            sums[name] = one.get(name, 0) + value
    return sums


def tried(rule: Rule, before: Iterable[Rule], facts: Facts, standing: Standing, tally: Tally) -> bool:
    """Whether the rule matches; counted into `tally`. `before` are the rules that are asked first."""
    tally.looked_at += 1
    result = explain(rule.condition, facts).result
    if result is None:
        tally.unknown += 1
    if result is not True:
        return False
    tally.matched += 1
    stopping = next((v for v in evaluate(before, facts).hits if v.rule.stop and not v.rule.shadow), None)
    if stopping is not None:
        tally.stopped_by[stopping.rule.id] += 1
        return True
    replaces = False
    for place, action in enumerate(rule.actions):
        if _stands(action, standing):
            tally.stands[place] += 1
            continue
        if action.type == "assign" and standing.by_hand:
            if not action.override:
                tally.by_hand += 1
                continue
            tally.overrides += 1
        replaces = replaces or _replaces(action, standing)
        tally.would[place] += 1
    tally.replaces += replaces
    return True


def _stands(action: Action, standing: Standing) -> bool:
    match action.type:
        case "assign":
            return action.value == (standing.team if action.team else standing.assigned_to)
        case "tag":
            return set(action.names) <= set(standing.tags)
        case "untag":
            return not set(action.names) & set(standing.tags)
        case "spam":
            return standing.status == "spam"
        case "priority" | "category" | "status":
            held = {"priority": standing.priority, "category": standing.category, "status": standing.status}
            return held[action.type] == action.value
    return False


def _replaces(action: Action, standing: Standing) -> bool:
    if action.type == "category":
        return standing.category is not None
    return action.type == "priority" and standing.priority != "normal"
