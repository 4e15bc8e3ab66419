"""The conditions of a saved view: a small tree of `all` and `any`, read from JSON with every fault named by its place, and compiled
to one SQL condition with bound values only.

    {"all": [{"field": "status", "op": "in", "value": ["open"]}, {"any": [{"field": "vip", "op": "is", "value": true}, …]}]}
"""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from store.view_fields import FIELDS, ME, MOVING, BadValue, Shape, age_of, checked, sql_of

DEEPEST = 3
MOST_LEAVES = 20
WAYS = ("all", "any")


class BadConditions(ValueError):
    """The tree is not one. `place` leads to the fault, as in `conditions.all[1].value`; the text says what to do."""

    def __init__(self, place: str, remedy: str) -> None:
        super().__init__(remedy)
        self.place = place
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Leaf:
    """`value` is checked: what is kept and shown again."""

    field: str
    op: str
    value: Any

    @property
    def moving(self) -> bool:
        """Whether time alone changes it."""
        return self.op in MOVING

    @property
    def personal(self) -> bool:
        return isinstance(self.value, list) and FIELDS[self.field].shape is Shape.PERSON and ME in self.value

    def as_json(self) -> dict[str, Any]:
        return {"field": self.field, "op": self.op, "value": self.value}


@dataclass(frozen=True, slots=True)
class Group:
    """All of its parts hold, or any. An empty `all` holds always."""

    way: str
    parts: tuple["Group | Leaf", ...]

    def leaves(self) -> Iterator[Leaf]:
        for part in self.parts:
            if isinstance(part, Leaf):
                yield part
            else:
                yield from part.leaves()

    def as_json(self) -> dict[str, Any]:
        return {self.way: [part.as_json() for part in self.parts]}

    @property
    def moving(self) -> bool:
        return any(leaf.moving for leaf in self.leaves())

    @property
    def personal(self) -> bool:
        """Whether `me` stands in it: then it means something else for each person."""
        return any(leaf.personal for leaf in self.leaves())

    def only(self, name: str) -> list[str] | None:
        """The values that a conversation must have one of at `name`, when that is plain to see: lets a list be read from an index."""
        if self.way == "all":
            for part in self.parts:
                if isinstance(part, Leaf) and part.field == name and part.op == "in":
                    return list(part.value)
        return None


@dataclass(slots=True)
class Compiled:
    """A condition on `conversations`, and the values that it binds. `me` is bound by whoever runs it, where it is asked for."""

    sql: str = ""
    bound: dict[str, Any] = field(default_factory=dict)


def read_conditions(tree: Any) -> Group:
    """Read what somebody gave or what is kept. Raises BadConditions."""
    found = _group(tree, "conditions", 1)
    if sum(1 for _ in found.leaves()) > MOST_LEAVES:
        raise BadConditions("conditions", f"holds more than {MOST_LEAVES} conditions; make two views of it")
    return found


def _group(tree: Any, place: str, depth: int) -> Group:
    if not isinstance(tree, dict) or len(tree) != 1 or next(iter(tree)) not in WAYS:
        raise BadConditions(place, 'is {"all": [...]} or {"any": [...]}')
    if depth > DEEPEST:
        raise BadConditions(place, f"lies deeper than {DEEPEST} levels; put it further out")
    ((way, parts),) = tree.items()
    place = f"{place}.{way}"
    if not isinstance(parts, list) or len(parts) > MOST_LEAVES:
        raise BadConditions(place, f"is a list of at most {MOST_LEAVES} conditions")
    if not parts and (way == "any" or depth > 1):
        raise BadConditions(place, "is empty; add a condition or take it out")
    return Group(way, tuple(_part(part, f"{place}[{n}]", depth) for n, part in enumerate(parts)))


def _part(tree: Any, place: str, depth: int) -> Group | Leaf:
    if not isinstance(tree, dict) or set(tree) & set(WAYS):
        return _group(tree, place, depth + 1)
    if set(tree) != {"field", "op", "value"}:
        raise BadConditions(place, "has exactly the members field, op and value, or one of all and any")
    name, op = tree["field"], tree["op"]
    about = FIELDS.get(name) if isinstance(name, str) else None
    if about is None:
        raise BadConditions(f"{place}.field", f"is one of {', '.join(FIELDS)}")
    if op not in about.allowed:
        raise BadConditions(f"{place}.op", f"is one of {', '.join(about.allowed)} for {name}")
    try:
        return Leaf(name, op, checked(about, op, tree["value"]))
    except BadValue as wrong:
        raise BadConditions(f"{place}.value", str(wrong)) from None


def compile_conditions(group: Group, *, me: str = ":me", prefix: str = "view") -> Compiled:
    """The tree as SQL. `me` is SQL for the person that `me` stands for; names of bound values begin with `prefix`."""
    made = Compiled()

    def bind(value: Any) -> str:
        name = f"{prefix}{len(made.bound)}"
        made.bound[name] = value
        return f":{name}"

    def sql(part: Group | Leaf) -> str:
        if isinstance(part, Leaf):
            return sql_of(FIELDS[part.field], part.op, part.value, bind, me)
        if not part.parts:
            return "true"
        return "(" + (" and " if part.way == "all" else " or ").join(sql(p) for p in part.parts) + ")"

    made.sql = sql(group)
    return made


def crossings(group: Group, since: dt.datetime, now: dt.datetime) -> list[tuple[str, dt.datetime, dt.datetime]]:
    """(column, from, to]: where a column lies in the range, time has changed a condition between the two moments."""
    found = []
    for leaf in group.leaves():
        if leaf.moving:
            away = age_of(leaf.value) if leaf.op == "within" else -age_of(leaf.value)
            found.append((FIELDS[leaf.field].sql, since + away, now + away))
    return found


def ids_in(values: list[str]) -> list[uuid.UUID]:
    """The ids among the values of a field of ids."""
    return [uuid.UUID(v) for v in values if len(v) == 36]
