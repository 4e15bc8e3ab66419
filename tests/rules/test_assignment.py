"""Who is given a waiting conversation, against a slow and obvious model: never above capacity, never to who is not there, fair."""

import dataclasses
import uuid
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.assignment import Agent, Choice, Policy, Work, choose, give_out, is_free

INBOXES = [uuid.UUID(int=n) for n in (1, 2)]
WORDS = ["billing", "printers"]
LANGUAGES = ["de", "en"]


def agent(n: int, **given) -> Agent:
    return Agent(**({"id": uuid.UUID(int=100 + n), "status": "online", "capacity": 5, "load": 0} | given))


def work(n: int = 0, **given) -> Work:
    return Work(**({"id": uuid.UUID(int=1000 + n), "inbox_id": INBOXES[0]} | given))


people = st.lists(
    st.builds(
        dict,
        status=st.sampled_from(["online", "online", "away", "offline"]),
        capacity=st.integers(0, 4),
        load=st.integers(0, 5),
        turn=st.integers(0, 6),
        skills=st.frozensets(st.sampled_from(WORDS)),
        languages=st.frozensets(st.sampled_from(LANGUAGES)),
        seniority=st.integers(0, 3),
        inboxes=st.none() | st.frozensets(st.sampled_from(INBOXES)),
    ),
    max_size=5,
).map(lambda rows: [agent(n, **row) for n, row in enumerate(rows)])
waiting = st.lists(
    st.builds(
        dict,
        inbox_id=st.sampled_from(INBOXES),
        priority=st.sampled_from(["urgent", "high", "normal", "low"]),
        vip=st.booleans(),
        language=st.none() | st.sampled_from([*LANGUAGES, "fr"]),
        labels=st.frozensets(st.sampled_from([*WORDS, "unrelated"])),
        declined_by=st.none() | st.sampled_from([uuid.UUID(int=100), uuid.UUID(int=101)]),
    ),
    max_size=12,
).map(lambda rows: [work(n, **row) for n, row in enumerate(rows)])
policies = st.builds(
    Policy,
    strategy=st.sampled_from(["manual", "round_robin", "least_busy", "skills", "priority"]),
    include_away=st.booleans(),
    must_match=st.booleans(),
    senior_from=st.integers(0, 3),
)


def could(policy: Policy, agents: list[Agent], one: Work) -> list[Agent]:
    """The model: everybody who may be given it at all, said as plainly as can be."""
    there = {"online", "away"} if policy.include_away else {"online"}
    return [
        a
        for a in agents
        if a.status in there
        and a.load < a.capacity
        and (a.inboxes is None or one.inbox_id in a.inboxes)
        and a.id != one.declined_by
    ]


def best(policy: Policy, agents: list[Agent], one: Work) -> set[uuid.UUID]:
    """The model: whom the strategy may choose; empty when it has to wait."""
    able = could(policy, agents, one)
    pool = [a for a in agents if a.inboxes is None or one.inbox_id in a.inboxes]
    if not able or policy.strategy == "manual":
        return set()
    if policy.strategy == "round_robin":
        return {a.id for a in able if all(a.turn <= b.turn for b in able)}
    if policy.strategy == "least_busy":
        return {a.id for a in able if all(a.load <= b.load for b in able)}
    if policy.strategy == "skills":
        known = {word for word in one.labels if any(word in a.skills for a in pool)}
        spoken = one.language is not None and any(one.language in a.languages for a in pool)

        def lacks(a: Agent) -> tuple[int, int]:
            return (1 if spoken and one.language not in a.languages else 0), len(known - a.skills)

        if policy.must_match:
            able = [a for a in able if lacks(a) == (0, 0)]
        nearest = [a for a in able if all(lacks(a) <= lacks(b) for b in able)]
        return {a.id for a in nearest if all(a.load <= b.load for b in nearest)}
    if one.vip or one.priority == "urgent":
        if policy.must_match:
            able = [a for a in able if a.seniority >= policy.senior_from]
        top = [a for a in able if all(a.seniority >= b.seniority for b in able)]
        return {a.id for a in top if all(a.load <= b.load for b in top)}
    return {a.id for a in able if all(a.load <= b.load for b in able)}


@settings(max_examples=400, deadline=None)
@given(policies, people, waiting)
def test_each_choice_is_one_of_the_models_and_is_repeatable(policy, agents, works) -> None:
    for one in works:
        choice = choose(policy, agents, one)
        allowed = best(policy, agents, one)
        assert (choice.agent_id in allowed) if allowed else choice.agent_id is None
        assert choice.reason.endswith(".")
        assert choose(policy, list(reversed(agents)), one) == choice, "the order of the rows decides nothing"


@settings(max_examples=400, deadline=None)
@given(policies, people, waiting)
def test_what_is_given_out_never_exceeds_a_capacity_and_leaves_nobody_idle_beside_a_queue(policy, agents, works) -> None:
    given_out, after = give_out(policy, agents, works)
    got = Counter(g.agent_id for g in given_out)
    for before, now in zip(agents, after, strict=True):
        assert now.load == before.load + got[before.id]
        assert got[before.id] <= max(0, before.capacity - before.load)
        assert got[before.id] == 0 or before.status == "online" or (policy.include_away and before.status == "away")
    assert len({g.work.id for g in given_out}) == len(given_out), "each is given once"
    left = [one for one in works if one.id not in {g.work.id for g in given_out}]
    for one in left:
        assert not best(policy, after, one), "it waits although somebody could have had it"


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.integers(0, 40), st.randoms(use_true_random=False))
def test_round_robin_differs_by_at_most_one_among_the_equally_available(people_there, count, chance) -> None:
    """In whatever portions the work comes, and wherever the turn stood before."""
    start = list(range(people_there))
    chance.shuffle(start)
    agents = [agent(n, capacity=100, turn=turn) for n, turn in enumerate(start)]
    got: Counter[uuid.UUID] = Counter({a.id: 0 for a in agents})
    done = 0
    while done < count:
        portion = min(count - done, chance.randint(1, 5))
        given_out, agents = give_out(Policy("round_robin"), agents, [work(done + n) for n in range(portion)])
        got.update(g.agent_id for g in given_out)
        done += portion
        assert max(got.values()) - min(got.values()) <= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=5), st.integers(1, 60))
def test_round_robin_stays_fair_to_those_who_were_there_all_the_time(steps, count) -> None:
    """Others come and go in between: who came back is not flooded with what they missed, and the rest stay level."""
    agents = [agent(n, capacity=1000) for n in range(len(steps))]
    always = {a.id for a, (_, leaves) in zip(agents, steps, strict=True) if not leaves}
    got: Counter[uuid.UUID] = Counter(dict.fromkeys(always, 0))
    for n in range(count):
        now = [
            dataclasses.replace(a, status="offline" if leaves and (n + shift) % 4 < 2 else "online")
            for a, (shift, leaves) in zip(agents, steps, strict=True)
        ]
        given_out, agents = give_out(Policy("round_robin"), now, [work(n)])
        got.update(g.agent_id for g in given_out if g.agent_id in always)
        if always:
            assert max(got.values()) - min(got.values()) <= 1


@settings(max_examples=200, deadline=None)
@given(people, waiting)
def test_least_busy_picks_a_minimum_each_time(agents, works) -> None:
    given_out, _ = give_out(Policy("least_busy"), agents, works)
    loads = {a.id: a.load for a in agents}
    for one in given_out:
        able = could(Policy("least_busy"), [dataclasses.replace(a, load=loads[a.id]) for a in agents], one.work)
        assert loads[one.agent_id] == min(a.load for a in able)
        loads[one.agent_id] += 1


@pytest.mark.parametrize(
    ("agents", "one", "policy", "reason"),
    [
        ([], work(), Policy("least_busy"), "Waits: nobody works in this queue."),
        ([agent(0, status="offline")], work(), Policy("least_busy"), "Waits: nobody is online."),
        ([agent(0, status="away")], work(), Policy("round_robin"), "Waits: nobody is online."),
        ([agent(0, load=5)], work(), Policy("skills"), "Waits: everybody online has as many as they can take."),
        ([agent(0)], work(declined_by=uuid.UUID(int=100)), Policy("priority"), "Waits: the only one who is free has put it back."),
        ([agent(0)], work(), Policy("manual"), "Manual: waits until somebody takes it."),
        (
            [agent(0), agent(1, languages=frozenset({"de"}), load=5)],
            work(language="de"),
            Policy("skills", must_match=True),
            "Waits: nobody who is free speaks de.",
        ),
        ([agent(0)], work(vip=True), Policy("priority", must_match=True), "Waits: from a VIP, and nobody senior is free."),
    ],
)
def test_what_waits_says_for_what(agents, one, policy, reason) -> None:
    assert choose(policy, agents, one) == Choice(None, reason)


@pytest.mark.parametrize(
    ("agents", "one", "policy", "chosen", "reason"),
    [
        ([agent(0, turn=3), agent(1, turn=2)], work(), Policy("round_robin"), 1, "Round robin: next in turn of 2 who are free."),
        ([agent(0, load=3), agent(1, load=2)], work(), Policy("least_busy"), 1, "Least busy: has 2 of 5, the fewest of 2 who are free."),
        (
            [agent(0), agent(1, skills=frozenset({"billing"}), languages=frozenset({"de"}), load=4)],
            work(language="de", labels=frozenset({"billing", "unrelated"})),
            Policy("skills"),
            1,
            "Skills: speaks de, knows billing; has 4 of 5.",
        ),
        (
            [agent(0), agent(1, languages=frozenset({"de"}), load=5)],
            work(language="de"),
            Policy("skills"),
            0,
            "Skills: does not speak de; has 0 of 5.",
        ),
        ([agent(0), agent(1, seniority=2, load=4)], work(priority="urgent"), Policy("priority"), 1, "Priority: urgent, so to a senior (seniority 2)."),
        ([agent(0, seniority=2), agent(1)], work(), Policy("priority"), 1, "Priority: nothing pressing, so the least busy, with 0 of 5."),
        ([agent(0, status="away")], work(), Policy("round_robin", include_away=True), 0, "Round robin: next in turn of 1 who is free."),
    ],
)
def test_reasons_in_words(agents, one, policy, chosen, reason) -> None:
    assert choose(policy, agents, one) == Choice(agents[chosen].id, reason)


def test_a_strategy_that_nobody_wrote_is_a_defect() -> None:
    with pytest.raises(ValueError, match="no strategy"):
        choose(Policy("guess"), [agent(0)], work())


def test_somebody_without_capacity_is_never_free() -> None:
    assert not is_free(agent(0, capacity=0), Policy("round_robin"))
