"""Who is given a waiting conversation: values in, a choice and its reason in words out.

Nobody is chosen who is not there, who may not see the inbox, or who has as many open conversations as they can take. Where
nobody can be chosen the conversation waits, and the reason says for what.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

PRIORITIES = ("urgent", "high", "normal", "low")


@dataclass(frozen=True, slots=True)
class Agent:
    """`load`: open conversations that are theirs. `turn`: when they were chosen last under this policy, 0 for never.
    `inboxes` None: all. Skills and languages are in small letters.
    """

    id: uuid.UUID
    status: str
    capacity: int
    load: int
    turn: int = 0
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    seniority: int = 0
    inboxes: frozenset[uuid.UUID] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A waiting conversation. `labels` are its tags and its category, `declined_by` whoever put it back by hand."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    priority: str = "normal"
    vip: bool = False
    language: str | None = None
    labels: frozenset[str] = frozenset()
    declined_by: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """As `models.AssignmentPolicy` says; `strategy` is a word of `AssignmentStrategy`."""

    strategy: str
    include_away: bool = False
    must_match: bool = False
    senior_from: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """`agent_id` None: it waits."""

    agent_id: uuid.UUID | None
    reason: str


@dataclass(frozen=True, slots=True)
class Given:
    work: Work
    agent_id: uuid.UUID
    reason: str


def is_free(agent: Agent, policy: Policy) -> bool:
    there = agent.status == "online" or (policy.include_away and agent.status == "away")
    return there and agent.load < agent.capacity


def choose(policy: Policy, agents: Sequence[Agent], work: Work) -> Choice:
    """Who is to have it now. Ties go to whose turn was longest ago, then to the lower id, so that a choice can be repeated."""
    if policy.strategy == "manual":
        return Choice(None, "Manual: waits until somebody takes it.")
    pool = [a for a in agents if a.inboxes is None or work.inbox_id in a.inboxes]
    there = [a for a in pool if is_free(dataclasses.replace(a, capacity=a.load + 1), policy)]
    free = [a for a in there if a.load < a.capacity and a.id != work.declined_by]
    if not free:
        return Choice(None, _why_nobody(pool, there))
    match policy.strategy:
        case "round_robin":
            return Choice(_first(free).id, f"Round robin: next in turn of {_of(free)}.")
        case "least_busy":
            return _least_busy(free)
        case "skills":
            return _by_skills(policy, pool, free, work)
        case "priority":
            return _by_priority(policy, free, work)
    raise ValueError(f"there is no strategy {policy.strategy}")


def give_out(policy: Policy, agents: Sequence[Agent], works: Sequence[Work]) -> tuple[list[Given], list[Agent]]:
    """Choose for each in the order given, each choice counted before the next. Also the agents as they are then."""
    now = {a.id: a for a in agents}
    turn = max((a.turn for a in agents), default=0)
    given = []
    for work in works:
        if not any(is_free(a, policy) for a in now.values()):
            break
        choice = choose(policy, list(now.values()), work)
        if choice.agent_id is None:
            continue
        turn += 1
        chosen = now[choice.agent_id]
        now[chosen.id] = dataclasses.replace(chosen, load=chosen.load + 1, turn=turn)
        given.append(Given(work, chosen.id, choice.reason))
    return given, list(now.values())


def _why_nobody(pool: Sequence[Agent], there: Sequence[Agent]) -> str:
    if not pool:
        return "Waits: nobody works in this queue."
    if not there:
        return "Waits: nobody is online."
    if all(a.load >= a.capacity for a in there):
        return "Waits: everybody online has as many as they can take."
    return "Waits: the only one who is free has put it back."


def _of(free: Sequence[Agent]) -> str:
    return "1 who is free" if len(free) == 1 else f"{len(free)} who are free"


def _first(agents: Sequence[Agent]) -> Agent:
    return min(agents, key=lambda a: (a.turn, a.id))


def _idlest(agents: Sequence[Agent]) -> Agent:
    return min(agents, key=lambda a: (a.load, a.turn, a.id))


def _least_busy(free: Sequence[Agent]) -> Choice:
    chosen = _idlest(free)
    return Choice(chosen.id, f"Least busy: has {chosen.load} of {chosen.capacity}, the fewest of {_of(free)}.")


def _by_skills(policy: Policy, pool: Sequence[Agent], free: Sequence[Agent], work: Work) -> Choice:
    """A label is a skill where somebody of the queue, free or not, has it; the others say nothing about who should work."""
    needed = work.labels & frozenset().union(*(a.skills for a in pool))
    language = work.language if any(work.language in a.languages for a in pool) else None

    def fits(agent: Agent) -> tuple[bool, int]:
        return language is None or language in agent.languages, len(needed & agent.skills)

    best = max(fits(a) for a in free)
    if policy.must_match and best != (True, len(needed)):
        wanted = " and ".join([*([f"speaks {language}"] if language else []), *(f"knows {n}" for n in sorted(needed))])
        return Choice(None, f"Waits: nobody who is free {wanted}.")
    chosen = _idlest([a for a in free if fits(a) == best])
    said = [f"speaks {language}"] if language and best[0] else []
    said += [f"knows {name}" for name in sorted(needed & chosen.skills)]
    missing = ([f"does not speak {language}"] if language and not best[0] else []) + [
        f"does not know {name}" for name in sorted(needed - chosen.skills)
    ]
    words = ", ".join(said + missing) if said or missing else "asks for nothing special"
    return Choice(chosen.id, f"Skills: {words}; has {chosen.load} of {chosen.capacity}.")


def _by_priority(policy: Policy, free: Sequence[Agent], work: Work) -> Choice:
    """What is urgent or from a VIP to the most senior; everything else to the least busy, who of equals is the less senior."""
    pressing = "from a VIP" if work.vip else "urgent" if work.priority == "urgent" else None
    if pressing is None:
        chosen = min(free, key=lambda a: (a.load, a.seniority, a.turn, a.id))
        return Choice(chosen.id, f"Priority: nothing pressing, so the least busy, with {chosen.load} of {chosen.capacity}.")
    seniors = [a for a in free if a.seniority >= policy.senior_from]
    if policy.must_match and not seniors:
        return Choice(None, f"Waits: {pressing}, and nobody senior is free.")
    chosen = min(free, key=lambda a: (-a.seniority, a.load, a.turn, a.id))
    who = "a senior" if seniors else "the most senior who is free"
    return Choice(chosen.id, f"Priority: {pressing}, so to {who} (seniority {chosen.seniority}).")
