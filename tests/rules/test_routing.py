"""Routing rules against a slow and obvious model, and what each operator, stop, shadow and *not* mean."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.routing import Facts, Reason, Rule, evaluate, explain, read_rule
from rules.routing_actions import MOST, parse_actions
from rules.routing_conditions import DEEPEST, RuleProblem, parse_condition

FACTS = Facts(
    texts={
        "sender": ("Carla@Customer.example.com",),
        "sender_domain": ("Customer.example.com",),
        "recipient": ("desk@example.org", "sales@example.org"),
        "subject": ("Invoice 4711 ÜBERFÄLLIG",),
        "body": ("x" * 300 + " please refund me",),
        "attachment_name": ("a.pdf",),
        "tag": ("new",),
        "priority": ("normal",),
        "inbox": ("0192a000-0000-7000-8000-000000000001",),
    },
    flags={"has_attachment": True, "contact_vip": False, "is_new": True, "is_reply": False},
    hours={"": True},
    headers={"x-priority": ["1"], "content-language": ["de-AT, en"]},
    custom={"plan": ("gold",)},
)


def leaf(field: str, op: str = "is", value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({} if value is None else {"value": value}), **more}


def true(written: dict[str, Any], facts: Facts = FACTS) -> bool | None:
    return explain(parse_condition(written), facts).result


def test_a_declared_language_wins_and_what_would_be_a_guess_is_not_known() -> None:
    german = leaf("language", "is", "de")
    silent = Facts(headers={}, spoken="de")
    assert true(german, silent) is True
    assert true(german, Facts(headers={"content-language": ["en"]}, spoken="de")) is False
    assert true(leaf("language", "exists"), silent) is True
    nobody_knows = Facts(headers={}, spoken=None)
    assert true(german, nobody_knows) is None
    assert true({"not": german}, nobody_knows) is None
    assert true(leaf("language", "exists", False), nobody_knows) is True
    assert true(german, Facts(headers=None, spoken="de")) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (leaf("sender", "is", "carla@customer.example.com"), True),
        (leaf("sender_domain", "in", ["other.example.com", "CUSTOMER.example.com"]), True),
        (leaf("recipient", "starts_with", "sales@"), True),
        (leaf("recipient", "is", "nobody@example.org"), False),
        (leaf("subject", "contains", "u\u0308berfa\u0308llig"), True),
        (leaf("subject", "matches", r"invoice \d{4}\b"), True),
        (leaf("subject", "ends_with", "4711"), False),
        (leaf("body", "contains", "refund"), True),
        (leaf("header", "is", "1", name="X-PRIORITY"), True),
        (leaf("header", "exists", name="x-missing"), False),
        (leaf("header", "exists", False, name="x-missing"), True),
        (leaf("language", "is", "de"), True),
        (leaf("language", "is", "fr"), False),
        (leaf("contact_custom", "is", "Gold", name="plan"), True),
        (leaf("contact_custom", "exists", name="region"), False),
        (leaf("inbox", "is", "0192A000-0000-7000-8000-000000000001"), True),
        (leaf("has_attachment"), True),
        (leaf("contact_vip", value=False), True),
        (leaf("inside_hours", value=False), False),
        (leaf("inside_hours", name="0192a000-0000-7000-8000-00000000000f"), None),
        (leaf("tag", "in", ["new", "old"]), True),
        ({"all": []}, True),
        ({"not": leaf("is_reply")}, True),
    ],
)
def test_each_question(written: dict[str, Any], expected: bool | None) -> None:
    assert true(written) is expected


def test_an_explanation_quotes_what_was_found_and_answers_every_question() -> None:
    written = {"any": [leaf("subject", "contains", "invoice"), leaf("body", "contains", "refund")]}
    reason = explain(parse_condition(written), FACTS)
    assert [p.result for p in reason.parts] == [True, True]
    assert reason.parts[0].found == "Invoice 4711 ÜBERFÄLLIG"
    assert "refund" in reason.parts[1].found


def test_what_cannot_be_known_is_no_match_either_way() -> None:
    blind = Facts(texts=FACTS.texts, flags=FACTS.flags)
    asked = leaf("header", "contains", "bulk", name="Precedence")
    assert true(asked, blind) is None
    assert true({"not": asked}, blind) is None
    assert true({"any": [asked, leaf("has_attachment")]}, blind) is True
    assert true({"all": [asked, leaf("is_reply")]}, blind) is False


def rule(name: str, written: dict[str, Any], *actions: dict[str, Any], **more: Any) -> Rule:
    flags = {"stop": False, "shadow": False} | more
    return read_rule(name, 1, name, written, list(actions) or [{"type": "tag", "names": [name]}], **flags)


def test_order_stop_and_shadow() -> None:
    every = {"all": []}
    rules = [
        rule("shadow", every, stop=True, shadow=True),
        rule("first", every, {"type": "tag", "names": ["seen"]}, {"type": "priority", "value": "high"}),
        rule("sees the first", {"all": [leaf("tag", "is", "seen"), leaf("priority", "is", "high")]}, stop=True),
        rule("never asked", every),
    ]
    verdicts = evaluate(rules, FACTS).verdicts
    assert [v.hit for v in verdicts] == [True, True, True, False]
    assert (verdicts[3].reason, verdicts[3].stopped_by) == (None, "sees the first")


# --- against the model -------------------------------------------------------------------------------------------------

LEAVES = [leaf("has_attachment"), leaf("contact_vip"), leaf("is_new"), leaf("header", "is", "1", name="x")]
trees = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)


def depth(tree: dict[str, Any]) -> int:
    if "not" in tree:
        return 1 + depth(tree["not"])
    return 1 + max((depth(p) for p in tree.get("all", tree.get("any", []))), default=0)


def model(tree: dict[str, Any], known: dict[str, bool | None]) -> set[bool]:
    """All answers that are possible once each unknown leaf is taken as either, each place for itself."""
    if "not" in tree:
        return {not r for r in model(tree["not"], known)}
    if "all" in tree or "any" in tree:
        parts = [model(p, known) for p in tree.get("all", tree.get("any"))]
        decide = all if "all" in tree else any
        return {decide(choice) for choice in itertools.product(*parts)}
    answer = known[tree["field"]]
    return {True, False} if answer is None else {answer}


@given(trees, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([True, False, None]))
def test_a_tree_answers_as_the_model_does(
    tree: dict[str, Any], attachment: bool, vip: bool, new: bool, header: bool | None
) -> None:
    if depth(tree) > DEEPEST:
        return
    known = {"has_attachment": attachment, "contact_vip": vip, "is_new": new, "header": header}
    facts = Facts(
        flags={"has_attachment": attachment, "contact_vip": vip, "is_new": new},
        headers=None if header is None else {"x": ["1"] if header else ["2"]},
    )
    possible = model(tree, known)
    expected = next(iter(possible)) if len(possible) == 1 else None
    assert explain(parse_condition(tree), facts).result is expected


@given(st.lists(st.tuples(trees, st.booleans(), st.booleans(), st.sampled_from("abc")), max_size=6), st.booleans())
def test_rules_are_walked_as_the_model_walks_them(
    drawn: list[tuple[dict[str, Any], bool, bool, str]], attachment: bool
) -> None:
    """The slow way: ask each rule alone, in order, over the tags that stand by then."""
    drawn = [d for d in drawn if depth(d[0]) < DEEPEST]
    facts = Facts(flags={"has_attachment": attachment, "contact_vip": False, "is_new": True}, headers={})
    rules = []
    for i, (tree, stop, shadow, tag) in enumerate(drawn):
        guarded = {"all": [tree, {"not": leaf("tag", "is", tag)}]}
        rules.append(rule(str(i), guarded, {"type": "tag", "names": [tag]}, stop=stop, shadow=shadow))
    hits, tags = [], set()
    known = {"has_attachment": attachment, "contact_vip": False, "is_new": True, "header": False}
    for i, (tree, stop, shadow, tag) in enumerate(drawn):
        if model(tree, known) == {True} and tag not in tags:
            hits.append(str(i))
            if not shadow:
                tags.add(tag)
                if stop:
                    break
    assert [v.rule.id for v in evaluate(rules, facts).hits] == hits


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ([], "condition"),
        ({"any": []}, "condition.any"),
        ({"all": [], "any": []}, "condition"),
        ({"all": [{"field": "moon", "op": "is", "value": "x"}]}, "condition.all[0].field"),
        (leaf("subject", "has", "x"), "condition.op"),
        (leaf("subject", "contains", " "), "condition.value"),
        (leaf("subject", "matches", "a["), "condition.value"),
        (leaf("subject", "in", []), "condition.value"),
        (leaf("subject", "contains", "x", name="y"), "condition.name"),
        (leaf("header", "contains", "x"), "condition.name"),
        (leaf("priority", "is", "huge"), "condition.value"),
        (leaf("priority", "contains", "h"), "condition.op"),
        (leaf("inbox", "is", "desk"), "condition.value"),
        (leaf("is_new", "is", "yes"), "condition.value"),
        ({"field": "subject", "op": "is", "value": "x", "or": 1}, "condition"),
        ({"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": leaf("is_new")}}}}}}}}, "condition" + ".not" * 8),
    ],
)
def test_a_wrong_condition_names_its_place(written: Any, place: str) -> None:
    with pytest.raises(RuleProblem) as refused:
        parse_condition(written)
    assert refused.value.field == place
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ([], "actions"),
        ([{"type": "explode"}], "actions[0].type"),
        ([{"type": "tag", "names": []}], "actions[0].names"),
        ([{"type": "tag", "names": ["x" * 51]}], "actions[0].names"),
        ([{"type": "assign"}], "actions[0]"),
        ([{"type": "assign", "user": "ada"}], "actions[0].user"),
        ([{"type": "priority", "value": "huge"}], "actions[0].value"),
        ([{"type": "status", "value": "snoozed"}], "actions[0].value"),
        ([{"type": "spam", "value": "x"}], "actions[0]"),
        ([{"type": "priority", "value": "high"}, {"type": "priority", "value": "low"}], "actions"),
        ([{"type": "spam"}, {"type": "status", "value": "closed"}], "actions"),
        ([{"type": "untag", "names": ["x"]}] * (MOST + 1), "actions"),
    ],
)
def test_a_wrong_action_names_its_place(written: Any, place: str) -> None:
    with pytest.raises(RuleProblem) as refused:
        parse_actions(written)
    assert refused.value.field == place


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)), lambda x: st.one_of(st.lists(x, max_size=3), st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value", "name", "type", "names", "user"]), x, max_size=4)), max_leaves=12))
def test_anything_that_is_written_is_either_read_or_refused(written: Any) -> None:
    places = []
    for read in (parse_condition, parse_actions):
        try:
            read(written)
        except RuleProblem as refused:
            places.append(refused.field)
    assert all(places)


def flat(reason: Reason) -> list[Reason]:
    return [reason, *(r for part in reason.parts for r in flat(part))]


def test_a_giant_body_is_looked_at_in_bounds() -> None:
    facts = Facts(texts={"body": ("a" * 5_000_000,)})
    reason = explain(parse_condition(leaf("body", "matches", r"(a+)+b")), facts)
    assert [r.result for r in flat(reason)] == [False]
    assert len(reason.found) <= 120
