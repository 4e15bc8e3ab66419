"""Threads: the same grouping in any order and any cut into batches; strangers are never joined."""

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from store.thread_plan import KnownConversation, Letter, contested, plan_threads


@dataclass
class Memory:
    """What the database would know between batches."""

    keys: dict[str, KnownConversation] = field(default_factory=dict)
    people: dict[uuid.UUID, set[str]] = field(default_factory=dict)
    members: dict[uuid.UUID, set[str]] = field(default_factory=dict)
    next_number: int = 1

    def take(self, letters: Sequence[Letter]) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
        wanted = {k for x in letters for k in (x.own_key, *x.parents)}
        known = {k: c for k, c in self.keys.items() if k in wanted}
        by_number = {c.number: c for c in self.keys.values()}
        asked = {n for x in letters for n in (x.token_number, x.ticket_number) if n is not None}
        numbered = {n: c for n, c in by_number.items() if n in asked}
        needed = contested(letters, known) | {c.id for c in numbered.values()}
        people = {i: frozenset(self.people[i]) for i in needed}
        plan = plan_threads(letters, known=known, by_number=numbered, people=people)
        ids = []
        for group in plan.groups:
            if group.conversation is None:
                conversation = KnownConversation(uuid.uuid4(), self.next_number, written=True)
                self.next_number += 1
            else:
                conversation = next(c for c in self.keys.values() if c.id == group.conversation)
            ids.append(conversation)
            for gone in group.merged:
                self.people.setdefault(conversation.id, set()).update(self.people.pop(gone))
                self.members.setdefault(conversation.id, set()).update(self.members.pop(gone))
                self.keys = {k: conversation if c.id == gone else c for k, c in self.keys.items()}
        for letter, placement in zip(letters, plan.placements, strict=True):
            self.people.setdefault(ids[placement.group].id, set()).update(letter.people)
            self.members.setdefault(ids[placement.group].id, set()).add(letter.own_key)
        for key, (group_index, _) in plan.keys.items():
            self.keys.setdefault(key, ids[group_index])
        return [(ids[one].id, ids[other].id, why) for one, other, why in plan.suggestions]

    def groups(self) -> set[frozenset[str]]:
        return {frozenset(m) for m in self.members.values()}


@dataclass(frozen=True)
class Node:
    tree: int
    parent: int | None
    names_parent: bool
    names_ancestors: int
    arrives: bool


@st.composite
def forests(draw: st.DrawFn) -> list[Node]:
    """Trees of mails. Each answer names its parent by In-Reply-To, its ancestors by References, or both; some mails of
    the chain never arrive (Bcc, other mailboxes). Everybody answers to all, as people in one conversation do.
    """
    nodes: list[Node] = []
    for index in range(draw(st.integers(1, 12))):
        parent = draw(st.none() | st.integers(0, index - 1)) if index else None
        tree = index if parent is None else nodes[parent].tree
        how = draw(st.sampled_from(["reply", "references", "both"]))
        nodes.append(
            Node(
                tree,
                parent,
                names_parent=how != "references",
                names_ancestors=0 if how == "reply" else draw(st.integers(1, 5)),
                arrives=draw(st.integers(0, 5)) > 0,
            )
        )
    return nodes


def letters_of(nodes: list[Node]) -> dict[int, Letter]:
    letters = {}
    for index, node in enumerate(nodes):
        chain = []
        at = node.parent
        while at is not None:
            chain.append(f"<{at}@example.com>")
            at = nodes[at].parent
        named = chain[: node.names_ancestors]
        if node.names_parent and chain:
            named = [chain[0], *[c for c in named if c != chain[0]]]
        sender = f"person{index % 3}.{node.tree}@example.com"
        people = frozenset({sender, f"customer.{node.tree}@example.com"})
        if node.arrives:
            letters[index] = Letter(f"<{index}@example.com>", tuple(named), sender, people)
    return letters


def truth(nodes: list[Node], letters: Mapping[int, Letter]) -> set[frozenset[str]]:
    """Mails belong together when a chain of ids connects them, whichever came first."""
    groups: list[tuple[set[str], set[str]]] = []
    for letter in letters.values():
        ids, own = {letter.own_key, *letter.parents}, {letter.own_key}
        for other in [g for g in groups if g[0] & ids]:
            groups.remove(other)
            ids |= other[0]
            own |= other[1]
        groups.append((ids, own))
    return {frozenset(own) for _, own in groups}


@settings(max_examples=400, deadline=None, derandomize=True)
@given(forests(), st.integers(0, 2**32), st.integers(1, 5))
def test_any_order_and_any_cut_give_the_same_threads(nodes: list[Node], seed: int, batch: int) -> None:
    letters = letters_of(nodes)
    order = list(letters.values())
    random.Random(seed).shuffle(order)
    memory = Memory()
    for start in range(0, len(order), batch):
        memory.take(order[start : start + batch])
    assert memory.groups() == truth(nodes, letters)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(forests(), st.integers(0, 2**32))
def test_one_batch_is_as_good_as_many(nodes: list[Node], seed: int) -> None:
    letters = letters_of(nodes)
    order = list(letters.values())
    random.Random(seed).shuffle(order)
    memory = Memory()
    memory.take(order)
    assert memory.groups() == truth(nodes, letters)


def write(own: str, *parents: str, sender: str = "ann@example.com", **more: int) -> Letter:
    return Letter(f"<{own}@x>", tuple(f"<{p}@x>" for p in parents), sender, frozenset({sender}), **more)


def test_the_awaited_mail_joins_even_if_its_readers_are_others() -> None:
    """c answers b; b, by the one whom c wrote to, answers a: in the usual order they would be one."""
    memory = Memory()
    memory.take([write("a", sender="ann@example.com")])
    memory.take([Letter("<c@x>", ("<b@x>",), "carl@example.com", frozenset({"carl@example.com", "bob@example.com"}))])
    memory.take([write("b", "a", sender="bob@example.com")])
    assert memory.groups() == {frozenset({"<a@x>", "<b@x>", "<c@x>"})}


def test_a_stranger_cannot_tie_two_conversations() -> None:
    memory = Memory()
    memory.take([write("a", sender="ann@example.com"), write("b", sender="bob@example.com")])
    suggestions = memory.take([write("c", "a", "b", sender="eve@example.com")])
    assert memory.groups() == {frozenset({"<a@x>", "<c@x>"}), frozenset({"<b@x>"})}
    assert [why for _, _, why in suggestions] == ["references"]


def test_numbers_need_a_known_writer() -> None:
    memory = Memory()
    memory.take([write("a")])
    memory.take([write("b", ticket_number=1)])
    assert memory.groups() == {frozenset({"<a@x>", "<b@x>"})}
    assert [why for _, _, why in memory.take([write("c", sender="eve@example.com", token_number=1)])] == ["reply_token"]
    assert len(memory.groups()) == 2
    memory.take([write("d", ticket_number=99)])
    assert len(memory.groups()) == 3


def test_the_older_conversation_stays() -> None:
    memory = Memory()
    memory.take([write("a")])
    memory.take([write("c", "b")])
    memory.take([write("b", "a")])
    (survivor,) = memory.members
    assert next(c.number for c in memory.keys.values() if c.id == survivor) == 1


def test_a_new_root_in_the_same_batch_as_the_awaited_link() -> None:
    """Seen here: the people of a known conversation were not looked up when it met one that began in this batch."""
    memory = Memory()
    memory.take([write("c", "b")])
    memory.take([write("a"), write("b", "a")])
    assert memory.groups() == {frozenset({"<a@x>", "<b@x>", "<c@x>"})}
