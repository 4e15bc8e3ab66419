"""Subjects across languages and programs: prefixes off, ticket numbers on (once), numbers found."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.subjects import (
    base_subject,
    is_absence_note,
    is_other_topic,
    is_reply_or_forward,
    normalise_subject,
    reply_subject,
    ticket_number_in,
    with_ticket_number,
)


@pytest.mark.parametrize(
    "subject",
    [
        "Printer on fire",
        "Re: Printer on fire",
        "RE: re: Fwd: Printer on fire",
        "AW: WG: Printer on fire",
        "SV: VB: Printer on fire",
        "Antw: Printer on fire",
        "RE : Printer on fire",
        "Re[2]: Printer on fire",
        "Re(3): Re^2: Printer on fire",
        "回复：Printer on fire",
        "返信: Printer on fire",
        "Ответ: Printer on fire",
        "RES: ENC: Printer on fire",
        "YNT: ILT: Printer on fire",
        "Odp: PD: Printer on fire",
        "[#1042] Re: Printer on fire",
        "Re: Printer on fire [#1042]",
        "Re: [#1042] AW: Printer  on\tfire",
        "[EXTERNAL] Re: Printer on fire",
        "Printer on fire (fwd)",
        "  PRINTER ON FIRE ",
        "Re: Printer\u200b on fire",
    ],
)
def test_one_base_under_all_prefixes(subject):
    assert normalise_subject(subject) == "printer on fire"


@pytest.mark.parametrize(
    "subject",
    [
        "Reminder: meeting",
        "Invoice 12: due",
        "Area 51",
        "Resume attached",
        "[#abc] tag",
        "[list] hello",
        "Is: this it",
        "awful: day",
    ],
)
def test_words_that_only_look_like_prefixes_stay(subject):
    assert base_subject(subject) == subject


def test_an_empty_subject_stays_empty():
    assert normalise_subject("Re: Fwd: [#12]") == ""
    assert base_subject("") == ""


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: Printer on fire", "Re: Printer on fire [#1042]"),
        ("Re: Printer on fire [#1042]", "Re: Printer on fire [#1042]"),
        ("[#1042] Re: Printer on fire [#1042]", "Re: Printer on fire [#1042]"),
        ("Re: Printer [#7]", "Re: Printer [#7] [#1042]"),
        ("", "[#1042]"),
    ],
)
def test_the_number_stands_once_and_last(subject, expected):
    assert with_ticket_number(subject, 1042) == expected
    assert with_ticket_number(expected, 1042) == expected
    assert ticket_number_in(expected) == 1042


def test_an_answer_has_one_re():
    assert reply_subject("AW: Re: Printer on fire [#1042]", 1042) == "Re: Printer on fire [#1042]"
    assert reply_subject("Printer on fire") == "Re: Printer on fire"


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("no number", None),
        ("[#0]", None),
        ("[# 12]", None),
        ("#12", None),
        ("[#12345678901234]", None),
        ("[#5] x [#6]", 6),
    ],
)
def test_ticket_number_in(subject, number):
    assert ticket_number_in(subject) == number


def test_a_ticket_number_must_be_one():
    with pytest.raises(ValueError, match=r"^number:"):
        with_ticket_number("x", 0)


def test_replies_forwards_and_absence_notes_are_told_apart():
    assert is_reply_or_forward("Re: Undeliverable: x")
    assert is_reply_or_forward("[EXT] WG: Undeliverable")
    assert not is_reply_or_forward("Undeliverable: Re: x")
    assert is_absence_note("Automatic reply: Undeliverable")
    assert is_absence_note("Abwesenheitsnotiz: Rechnung")
    assert is_absence_note("自动回复: hello")
    assert not is_absence_note("Re: Automatic reply: hello")
    assert not is_absence_note("Out of office chairs")


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_normalising_is_stable_for_any_text(subject):
    once = base_subject(subject)
    assert base_subject(once) == once
    assert normalise_subject(f"Re: {subject}") == normalise_subject(subject) or subject != subject.strip()


def test_a_hostile_subject_costs_little():
    started = time.perf_counter()
    normalise_subject("Re: " * 30_000)
    normalise_subject("[#1]" * 30_000)
    normalise_subject("[" * 100_000)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("known", "subject", "other"),
    [
        ("printer on fire", "invoice 2025-03", True),
        ("drucker brennt", "rechnung fehlt", True),
        ("打印机着火了", "发票在哪里", True),
        ("printer on fire", "the printer is still burning", False),
        ("printer on fire", "printer", False),
        ("invoice 2024", "invoice 2025", False),
        ("打印机着火", "打印机着火了", False),
        ("", "invoice", False),
        ("printer", "", False),
    ],
)
def test_another_topic_has_nothing_in_common(known, subject, other):
    assert is_other_topic(known, subject) is other
    assert is_other_topic(subject, known) is other
