"""Tenants' regular expressions: linear whatever is written, refused with the place, never an error of the text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.patterns import LONGEST, BadPattern, compile_pattern


def test_patterns_that_backtrack_for_ever_elsewhere_answer_at_once() -> None:
    began = time.monotonic()
    for source in (r"(a+)+$", r"(a|a)*b", r"(a|aa)+$", r"(.*a){20}b", r"^(\w+\s?)*\d$"):
        compile_pattern(source).found_in("a" * 100_000 + "!")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("source", "position", "word"),
    [
        ("ab[cd", 2, "missing ]"),
        ("x(?=y)", 1, "look-around"),
        (r"(a)\1", 3, "back-references"),
        ("ab(cd", 2, "missing )"),
        ("ab)cd", 2, "unexpected )"),
        ("x*a**", 3, "repetition"),
        ("é{1001}", 1, "repetition size"),
        ("((a{1000}){1000})", None, "repetition size"),
        ("", 0, "empty"),
        ("a" * (LONGEST + 1), LONGEST, "longer"),
        ("a\ud800", 1, "half a character"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_its_place(source: str, position: int | None, word: str) -> None:
    with pytest.raises(BadPattern) as refused:
        compile_pattern(source)
    assert word in refused.value.remedy
    if position is not None:
        assert refused.value.position == position


def test_capitals_count_only_where_they_are_asked_to() -> None:
    assert compile_pattern("INVOICE").found_in("your invoice")
    assert not compile_pattern("(?-i)INVOICE").found_in("your invoice")
    assert compile_pattern(r"ÄRGER\s\d+").found_in("ärger 7")


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_pattern_either_compiles_and_answers_or_is_refused_within_itself(source: str, text: str) -> None:
    refused = None
    try:
        assert compile_pattern(source).found_in(text) in (True, False)
    except BadPattern as wrong:
        refused = wrong
    assert refused is None or 0 <= refused.position <= len(source)
