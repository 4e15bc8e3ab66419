"""What a routing rule does once it matches, checked before it is stored. Pure: doing it is the store's."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rules.routing_conditions import CHOICES, RuleProblem

MOST = 20
LONGEST_TAG = 50
LONGEST_CATEGORY = 100
# `snoozed` needs a time and `trash` is a person's; spam is an action of its own.
STATUSES = ("open", "pending", "closed", "archived")
_FIELDS = {
    "assign": {"user", "team", "override"},
    "tag": {"names"},
    "untag": {"names"},
    "priority": {"value"},
    "category": {"value"},
    "status": {"value"},
    "spam": set[str](),
    "auto_response": {"template"},
    "draft": {"template"},
    "webhook": {"endpoint"},
}


@dataclass(frozen=True, slots=True)
class Action:
    """`value` is a priority, category, status or an id as text; `names` are tags. `team`: the id is a team's. With
    `override` an assignment also takes a conversation from the person who holds it by hand.
    """

    type: str
    value: str = ""
    names: tuple[str, ...] = ()
    team: bool = False
    override: bool = False


def parse_actions(written: Any, field: str = "actions") -> tuple[Action, ...]:
    """Raises RuleProblem naming the place."""
    if not isinstance(written, list) or not written:
        raise RuleProblem(field, "is a list of at least one action")
    if len(written) > MOST:
        raise RuleProblem(field, f"has {len(written)} actions; at most {MOST} fit one rule")
    actions = tuple(_action(one, f"{field}[{i}]") for i, one in enumerate(written))
    for kind in ("assign", "priority", "category", "status", "auto_response", "draft"):
        if sum(a.type == kind for a in actions) > 1:
            raise RuleProblem(field, f"holds `{kind}` twice; the second would undo the first")
    if any(a.type == "spam" for a in actions) and any(a.type in ("status", "auto_response") for a in actions):
        raise RuleProblem(field, "marks as spam and answers or sets a status too; choose one")
    return actions


def _action(written: Any, field: str) -> Action:
    kind = written.get("type") if isinstance(written, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise RuleProblem(f"{field}.type", f"is one of {', '.join(_FIELDS)}")
    extra = set(written) - {"type"} - _FIELDS[kind]
    if extra:
        raise RuleProblem(field, f"does not know {', '.join(sorted(map(str, extra)))[:100]} for `{kind}`")
    if kind in ("tag", "untag"):
        return Action(kind, names=_tags(written.get("names"), f"{field}.names"))
    if kind == "assign":
        return _assignment(written, field)
    if kind in ("auto_response", "draft"):
        return Action(kind, value=_id(written.get("template"), f"{field}.template", "a template"))
    if kind == "webhook":
        return Action(kind, value=_id(written.get("endpoint"), f"{field}.endpoint", "a webhook"))
    if kind == "spam":
        return Action(kind)
    value = written.get("value")
    if kind == "category":
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_CATEGORY or "\0" in value:
            raise RuleProblem(f"{field}.value", f"is a category of 1 to {LONGEST_CATEGORY} characters")
        return Action(kind, value.strip())
    words: Sequence[str] = STATUSES if kind == "status" else CHOICES["priority"]
    if value not in words:
        raise RuleProblem(f"{field}.value", f"is one of {', '.join(words)}")
    return Action(kind, str(value))


def _assignment(written: dict[str, Any], field: str) -> Action:
    override = written.get("override", False)
    if not isinstance(override, bool):
        raise RuleProblem(f"{field}.override", "is true or false")
    given = [k for k in ("user", "team") if written.get(k) is not None]
    if len(given) != 1:
        raise RuleProblem(field, "names a `user` or a `team`")
    kind = given[0]
    value = _id(written[kind], f"{field}.{kind}", f"a {'person' if kind == 'user' else 'team'}")
    return Action("assign", value, team=kind == "team", override=override)


def _id(value: Any, field: str, what: str) -> str:
    try:
        if isinstance(value, str):
            return str(uuid.UUID(value))
    except ValueError:
        pass
    raise RuleProblem(field, f"is the id of {what}")


def _tags(given: Any, field: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= 20:
        raise RuleProblem(field, "is a list of 1 to 20 tags")
    for one in given:
        if not isinstance(one, str) or not one.strip() or len(one.strip()) > LONGEST_TAG or any(c < " " for c in one):
            raise RuleProblem(field, f"holds tags of 1 to {LONGEST_TAG} characters")
    return tuple(dict.fromkeys(one.strip() for one in given))
