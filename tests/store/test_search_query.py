"""What people type into the search box: words, phrases, operators, and what is refused with which words."""

import pytest

from store.search_forms import candidates, pairs, transcribed
from store.search_query import IN_NOTE, BadSearch, Term, read_query
from store.view_conditions import Leaf


def test_words_phrases_and_what_is_not_wanted() -> None:
    asked = read_query('printer "on fire" -toner')
    assert asked.terms == [
        Term("printer", group=1),
        Term("on fire", phrase=True, group=2),
        Term("toner", minus=True, group=3, typing=True),
    ]
    assert (asked.leaves, asked.names, asked.number) == ([], [], None)


def test_or_makes_alternatives_of_its_neighbours() -> None:
    assert [(t.text, t.group) for t in read_query("a or b OR c d").terms] == [("a", 1), ("b", 1), ("c", 1), ("d", 2)]
    assert [t.text for t in read_query("printer or").terms] == ["printer"]
    assert [t.text for t in read_query("or printer").terms] == ["printer"]
    assert [t.text for t in read_query('"or"').terms] == ["or"]


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("from:carla", Term("carla", place="B", group=1, typing=True)),
        ('FROM:"Carla Customer"', Term("Carla Customer", phrase=True, place="B", group=1)),
        ("to:@example.org", Term("@example.org", place="C", group=1, typing=True)),
        ("subject:fire", Term("fire", place="A", group=1, typing=True)),
        ("-filename:report.pdf", Term("report.pdf", place="file=", minus=True, group=1, typing=True)),
        ("has:attachment", Term("attachment", place="has=", group=1)),
        ("10:30", Term("10:30", group=1, typing=True)),
        ("https://example.com/a", Term("https://example.com/a", phrase=True, group=1)),
        ('"not closed', Term("not closed", phrase=True, group=1)),
    ],
)
def test_operators_about_messages(typed, term) -> None:
    assert read_query(typed).terms == [term]


@pytest.mark.parametrize(
    ("typed", "leaf"),
    [
        ("is:unread", Leaf("unread", "is", True)),
        ("-is:unread", Leaf("unread", "is", False)),
        ("is:open", Leaf("status", "in", ["open"])),
        ("-status:closed", Leaf("status", "not_in", ["closed"])),
        ("priority:Urgent", Leaf("priority", "in", ["urgent"])),
        ("is:mine", Leaf("assignee", "in", ["me"])),
        ("-is:assigned", Leaf("assignee", "in", ["none"])),
        ("before:2025-01-31", Leaf("last_message_at", "before", "2025-01-31")),
        ("-before:2025-01-31", Leaf("last_message_at", "after", "2025-01-31")),
        ("after:7d", Leaf("last_message_at", "newer_than", "7d")),
        ("before:4w", Leaf("last_message_at", "older_than", "4w")),
        ('category:"Big orders"', Leaf("category", "in", ["Big orders"])),
    ],
)
def test_operators_about_conversations(typed, leaf) -> None:
    asked = read_query(typed)
    assert (asked.leaves, asked.terms) == ([leaf], [])


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("before:yesterday", "2025-01-31"),
        ("after:2025-02-30", "2025-01-31"),
        ("is:happy", "unread"),
        ("status:done", "closed"),
        ("has:wings", "attachment"),
        ("printer or is:open", "or"),
        ("a " * 31, "30"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(typed, says) -> None:
    with pytest.raises(BadSearch, match=says):
        read_query(typed)


def test_a_number_alone_is_a_ticket() -> None:
    assert read_query(" #42 ").number == 42
    assert read_query("42").number == 42
    assert read_query("42 printers").number is None


def test_forms_are_made_of_words_only() -> None:
    assert ("english", "invoice", "invoices") in candidates("Invoice", ["english"])
    assert ("english", "shipping", "shipped") in candidates("shipping", ["english"])
    assert ("german", "haus", "häuser") in candidates("haus", ["german"])
    assert ("spanish", "facturación", "facturaciones") in candidates("facturacion", ["spanish"])
    for word in ("cat", "w300", "a.b.c", "東京都庁", "4711"):
        assert candidates(word, ["english", "german"]) == []
    assert len(candidates("invoice", ["english"])) < 80


def test_scripts_without_spaces_come_in_pairs() -> None:
    assert pairs("東京都") == ["東京", "京都"]
    assert pairs("東") == ["東"]


def test_umlauts_have_two_spellings() -> None:
    assert transcribed("Mueller") == ["muller"]
    assert transcribed("Müller") == ["mueller"]
    for word in ("bauer", "treue", "quelle", "printer"):
        assert transcribed(word) == []


def test_a_note_cannot_be_left_out() -> None:
    assert read_query("note:refund").terms[0].place == IN_NOTE
    with pytest.raises(BadSearch, match="no minus"):
        read_query("printer -note:refund")
