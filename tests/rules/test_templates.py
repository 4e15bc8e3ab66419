"""Placeholders: filled once, escaped in HTML, kept on one line in subjects, and missing ones are said."""

from hypothesis import given
from hypothesis import strategies as st

from rules.templates import PLACEHOLDERS, fill, fill_html, fill_line, unknown_placeholders

VALUES = {"ticket_number": "42", "org_name": "Example & Co", "inbox_name": "Desk", "sender_name": "Carla"}


def test_every_placeholder_is_filled() -> None:
    template = " ".join(f"{{{{{name}}}}} {{{{ {name} }}}}" for name in PLACEHOLDERS)
    filled = fill(template, VALUES)
    assert filled.text == "42 42 Example & Co Example & Co Desk Desk Carla Carla"
    assert filled.missing == ()


def test_what_has_no_meaning_is_said_and_stays() -> None:
    filled = fill("Hi {{first_name}}, {{first_name}} {{ticket_number}} {{ org.name }}", VALUES)
    assert filled.text == "Hi {{first_name}}, {{first_name}} 42 {{ org.name }}"
    assert filled.missing == ("first_name", "org.name")
    assert unknown_placeholders("{{a}} {{ticket_number}} {{a}}") == ("a",)


def test_a_customers_name_is_text_in_html() -> None:
    filled = fill_html(
        "<p>{{sender_name}} at {{org_name}}</p>", {**VALUES, "sender_name": '<img src=x onerror="a">'}
    )
    assert filled.text == "<p>&lt;img src=x onerror=&quot;a&quot;&gt; at Example &amp; Co</p>"


def test_a_name_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert fill("{{sender_name}}", {**VALUES, "sender_name": "{{org_name}}"}).text == "{{org_name}}"


@given(template=st.text(max_size=200), name=st.text(max_size=80))
def test_a_subject_is_one_line_whatever_is_in_it(template: str, name: str) -> None:
    line = fill_line(template + "{{sender_name}}", {**VALUES, "sender_name": name}).text
    assert not set(line) & {"\r", "\n", "\0"}


def test_a_hostile_template_takes_no_time() -> None:
    assert fill("{{" * 50_000 + " " * 50_000, VALUES).missing == ()
