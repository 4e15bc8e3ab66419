"""Decides which mails belong together, from what they say and what is known: pure, no database.

Promises that the grouping of honest mail is the same in any order of arrival and any cut into batches: a mail is tied to
the ids it bears and names, and where a mail ties two conversations together they become one. Two conversations that
have no person in common are never joined by a mail that merely names both; that becomes a suggestion.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_PARENTS = 50
NEW = 1 << 62  # sorts conversations of this batch behind every numbered one


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says about where it belongs. `own_key` is its Message-ID (or the stand-in made from its bytes),
    `parents` the ids it names, nearest first. `people` are the address keys of everybody on it but ourselves.
    """

    own_key: str
    parents: tuple[str, ...]
    sender: str
    people: frozenset[str]
    token_number: int | None = None
    ticket_number: int | None = None


@dataclass(frozen=True, slots=True)
class KnownConversation:
    """Where an id leads. `written`: by a key, which need not be written again."""

    id: uuid.UUID
    number: int
    written: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a letter goes. `group` indexes `ThreadPlan.groups`; `by` is the rule that decided."""

    group: int
    by: str


@dataclass(frozen=True, slots=True)
class Group:
    """A conversation after the plan: the one that stays (None: a new one) and those that are merged into it."""

    conversation: uuid.UUID | None
    merged: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """`keys` maps every id that is to be written to its group and says whether a mail bears it; `suggestions` are pairs of
    groups with why.
    """

    placements: tuple[Placement, ...]
    groups: tuple[Group, ...]
    keys: Mapping[str, tuple[int, bool]]
    suggestions: tuple[tuple[int, int, str], ...]


class _Forest:
    """Conversations as nodes that can become one; the lowest number stays."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.number: list[int] = []
        self.conversation: list[uuid.UUID | None] = []
        self.people: list[set[str]] = []

    def add(self, conversation: uuid.UUID | None, number: int, people: Iterable[str]) -> int:
        self.parent.append(len(self.parent))
        self.number.append(number)
        self.conversation.append(conversation)
        self.people.append(set(people))
        return len(self.parent) - 1

    def find(self, node: int) -> int:
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, one: int, other: int) -> int:
        one, other = self.find(one), self.find(other)
        if one == other:
            return one
        stays, goes = (one, other) if self.number[one] <= self.number[other] else (other, one)
        self.parent[goes] = stays
        self.people[stays] |= self.people[goes]
        return stays


def contested(letters: Sequence[Letter], known: Mapping[str, KnownConversation]) -> frozenset[uuid.UUID]:
    """The known conversations that this batch might tie to others, known or new: only their people have to be looked up."""
    forest = _Forest()
    nodes: dict[str, int] = {}
    by_id: dict[uuid.UUID, int] = {}
    for key, conversation in known.items():
        if conversation.id not in by_id:
            by_id[conversation.id] = forest.add(conversation.id, conversation.number, ())
        nodes[key] = by_id[conversation.id]
    for letter in letters:
        keys = (letter.own_key, *letter.parents[:MOST_PARENTS])
        linked = [nodes[key] for key in keys if key in nodes]
        node = linked[0] if linked else forest.add(None, NEW, ())
        for other in linked[1:]:
            node = forest.join(node, other)
        for key in keys:
            nodes[key] = node
    members: dict[int, int] = {}
    for node in range(len(forest.parent)):
        root = forest.find(node)
        members[root] = members.get(root, 0) + 1
    return frozenset(i for i, node in by_id.items() if members[forest.find(node)] > 1)


def plan_threads(
    letters: Sequence[Letter],
    *,
    known: Mapping[str, KnownConversation],
    by_number: Mapping[int, KnownConversation],
    people: Mapping[uuid.UUID, frozenset[str]],
    apart: frozenset[frozenset[uuid.UUID]] = frozenset(),
) -> ThreadPlan:
    """Place each letter. `known` maps ids to conversations, `by_number` ticket numbers, `people` who is in which, `apart` are
    pairs that a person keeps apart.
    """
    planner = _Planner(known, by_number, people, apart)
    placed = [planner.place(letter) for letter in letters]
    return planner.result(placed)


class _Planner:
    def __init__(
        self,
        known: Mapping[str, KnownConversation],
        by_number: Mapping[int, KnownConversation],
        people: Mapping[uuid.UUID, frozenset[str]],
        apart: frozenset[frozenset[uuid.UUID]],
    ) -> None:
        self._apart = apart
        self._forest = _Forest()
        self._by_id: dict[uuid.UUID, int] = {}
        self._people = people
        self._keys: dict[str, int] = {}
        self._borne: set[str] = set()
        self._written = {key for key, conversation in known.items() if conversation.written}
        self._suggested: dict[tuple[int, int], str] = {}
        self._numbers = by_number
        for key, conversation in known.items():
            self._keys[key] = self._existing(conversation)

    def _existing(self, conversation: KnownConversation) -> int:
        if conversation.id not in self._by_id:
            self._by_id[conversation.id] = self._forest.add(
                conversation.id, conversation.number, self._people.get(conversation.id, ())
            )
        return self._by_id[conversation.id]

    def place(self, letter: Letter) -> tuple[int, str]:
        parents = letter.parents[:MOST_PARENTS]
        linked = [self._keys[key] for key in parents if key in self._keys]
        awaited = self._keys.get(letter.own_key)
        node, by = self._target(letter, linked, awaited)
        for other in linked:
            node = self._tie(node, other, letter, awaited=False)
        if awaited is not None:
            node = self._tie(node, awaited, letter, awaited=True)
        self._forest.people[self._forest.find(node)] |= letter.people
        self._keys.setdefault(letter.own_key, node)
        self._borne.add(letter.own_key)
        for key in parents:
            self._keys.setdefault(key, node)
        return node, by

    def _target(self, letter: Letter, linked: list[int], awaited: int | None) -> tuple[int, str]:
        if linked:
            return linked[0], "references"
        if awaited is not None:
            return awaited, "awaited"  # its children, or another copy of it, came first
        for number, by in ((letter.token_number, "reply_token"), (letter.ticket_number, "ticket_number")):
            conversation = self._numbers.get(number) if number is not None else None
            if conversation is None:
                continue
            there = self._existing(conversation)
            if letter.sender in self._forest.people[self._forest.find(there)]:
                return there, by
            # A number in a subject can be typed by anybody, and a token can be forwarded to anybody.
            node = self._forest.add(None, NEW + len(self._forest.parent), ())
            self._suggested[node, there] = by
            return node, "new"
        return self._forest.add(None, NEW + len(self._forest.parent), ()), "new"

    def _tie(self, node: int, other: int, letter: Letter, *, awaited: bool) -> int:
        forest = self._forest
        node, other = forest.find(node), forest.find(other)
        if node == other or self._kept_apart(node, other):
            return node
        shared = not forest.people[node].isdisjoint(forest.people[other])
        # Those who wait for this very mail were addressed to its writer: in the usual order they would have joined it.
        expected = awaited and letter.sender in forest.people[other]
        if shared or expected:
            return forest.join(node, other)
        self._suggested.setdefault((node, other), "references")
        return node

    def _kept_apart(self, node: int, other: int) -> bool:
        """Of what each has grown to in this batch, not only of the two themselves."""
        if not self._apart:
            return False
        sides: tuple[set[uuid.UUID], set[uuid.UUID]] = (set(), set())
        for conversation, known in self._by_id.items():
            root = self._forest.find(known)
            if root in (node, other):
                sides[root == other].add(conversation)
        return any(frozenset((a, b)) in self._apart for a in sides[0] for b in sides[1])

    def result(self, placed: list[tuple[int, str]]) -> ThreadPlan:
        forest = self._forest
        members: dict[int, list[int]] = {}
        for node in range(len(forest.parent)):
            members.setdefault(forest.find(node), []).append(node)
        used = {forest.find(node) for node, _ in placed}
        used |= {forest.find(node) for pair in self._suggested for node in pair}
        order = {root: position for position, root in enumerate(sorted(used, key=lambda r: forest.number[r]))}
        groups = []
        for root in order:
            merged = tuple(
                c for n in members[root] if n != root and (c := forest.conversation[n]) is not None
            )
            groups.append(Group(forest.conversation[root], merged))
        suggestions = []
        for (one, other), why in self._suggested.items():
            first, second = order[forest.find(one)], order[forest.find(other)]
            if first != second:
                suggestions.append((first, second, why))
        return ThreadPlan(
            placements=tuple(Placement(order[forest.find(node)], by) for node, by in placed),
            groups=tuple(groups),
            keys={
                key: (order[forest.find(node)], key in self._borne)
                for key, node in self._keys.items()
                if forest.find(node) in order and (key in self._borne or key not in self._written)
            },
            suggestions=tuple(suggestions),
        )
