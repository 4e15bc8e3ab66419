"""Texts with placeholders, `{{ticket_number}}` and the like: filled in one pass, and what has no meaning is said.

What is filled in is never read again for placeholders, so a customer called `{{org_name}}` stays so.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACEHOLDERS = ("ticket_number", "org_name", "inbox_name", "sender_name")
_PLACEHOLDER = re.compile(r"\{\{\s{0,20}([A-Za-z_][A-Za-z0-9_.]{0,60})\s{0,20}\}\}")
_BREAKS = re.compile(r"[\r\n\x00]+")


@dataclass(frozen=True, slots=True)
class Filled:
    """`missing` are the names, each once and in order, that had no value: they stand in the text as they were written."""

    text: str
    missing: tuple[str, ...] = ()


def unknown_placeholders(template: str) -> tuple[str, ...]:
    """The names in a template that no mail can fill, for the page where it is written."""
    return tuple(dict.fromkeys(n for n in _PLACEHOLDER.findall(template) if n not in PLACEHOLDERS))


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


def _fill(template: str, values: Mapping[str, str]) -> Filled:
    missing: dict[str, None] = {}

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name in values:
            return values[name]
        missing[name] = None
        return match[0]

    return Filled(_PLACEHOLDER.sub(value_of, template), tuple(missing))
