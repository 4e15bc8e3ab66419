"""Texts with placeholders, `{{ticket_number}}`, `{{customer.first_name|there}}` and the like: filled in one pass, and what has
no meaning is said. What stands behind `|` is taken where there is no value.

What is filled in is never read again for placeholders, so a customer called `{{org_name}}` stays so.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Of automatic answers, since before there were replies from templates; they mean the same in both.
PLACEHOLDERS = ("ticket_number", "org_name", "inbox_name", "sender_name")
REPLY_PLACEHOLDERS = (
    "customer.name",
    "customer.first_name",
    "customer.email",
    "customer.company",
    "conversation.number",
    "conversation.subject",
    "agent.name",
    "agent.first_name",
    "agent.email",
    "inbox.name",
    "inbox.email",
    "org.name",
    *PLACEHOLDERS,
)
_PLACEHOLDER = re.compile(r"\{\{\s{0,20}([A-Za-z_][A-Za-z0-9_.]{0,60})\s{0,20}(?:\|([^{}|\r\n]{0,200}))?\}\}")
_OUR_GROUPS = ("customer.", "conversation.", "agent.", "inbox.", "org.")
_BREAKS = re.compile(r"[\r\n\x00]+")


@dataclass(frozen=True, slots=True)
class Filled:
    """`missing` are the names, each once and in order, that had no value: they stand in the text as they were written."""

    text: str
    missing: tuple[str, ...] = ()


def unknown_placeholders(template: str, known: tuple[str, ...] = PLACEHOLDERS) -> tuple[str, ...]:
    """The names in a template that no mail can fill, for the page where it is written."""
    return tuple(dict.fromkeys(m[1] for m in _PLACEHOLDER.finditer(template) if m[1] not in known))


def placeholders_in(template: str) -> list[str]:
    """The names that stand in it, each once and in order."""
    return list(dict.fromkeys(m[1] for m in _PLACEHOLDER.finditer(template)))


def unfilled(text: str) -> tuple[str, ...]:
    """Our placeholders that were left standing in a text that is about to leave. Others' double braces are theirs: a customer
    may ask how to write a template.
    """
    found = (m[1] for m in _PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(n for n in found if n in REPLY_PLACEHOLDERS or n.startswith(_OUR_GROUPS)))


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """The plain text with every placeholder replaced by its value."""
    return _fill(template, values)


def fill_html(template: str, values: Mapping[str, str]) -> Filled:
    """The HTML with every placeholder replaced by its value, escaped: a name is text, never markup."""
    return _fill(template, {name: html.escape(value) for name, value in values.items()})


def fill_line(template: str, values: Mapping[str, str]) -> Filled:
    """One line, for a subject: line breaks of the template and of the values become spaces (integrity S-10)."""
    filled = _fill(template, values)
    return Filled(_BREAKS.sub(" ", filled.text).strip(), filled.missing)


def first_name(name: str) -> str:
    """How a person is greeted: the first word, or the first behind a comma (“Doe, Jane”). "" for what is no name."""
    if "@" in name:
        return ""
    family, comma, given = name.strip().partition(",")
    words = (given if comma and given.strip() else family).split()
    return words[0] if words else ""


def _fill(template: str, values: Mapping[str, str]) -> Filled:
    missing: dict[str, None] = {}

    def value_of(match: re.Match[str]) -> str:
        name, instead = match[1], match[2]
        if name in values:
            return values[name]
        if instead is not None and instead.strip():
            return instead.strip()
        missing[name] = None
        return match[0]

    return Filled(_PLACEHOLDER.sub(value_of, template), tuple(missing))
