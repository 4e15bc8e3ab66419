"""What people type into the search box, taken apart: words, phrases, operators, `or` and `-`. Pure; docs/search.md explains it to people.

Words are looked for in one message; what is said about the conversation (`is:`, `tag:`, dates …) are conditions like those of a view.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from models.enums import ConversationStatus, Priority
from store.view_conditions import Leaf
from store.view_fields import AGE, ME, NONE

MOST_TERMS = 30
TOKEN = re.compile(r'(?P<minus>-)?(?:(?P<operator>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
NUMBER = re.compile(r"\s*(#)?\s*(\d{1,12})\s*")
ENDS_IN_A_WORD = re.compile(r"\w\Z")
# Weights of the lexemes in a document (store/search.py); files and notes have lexemes of their own.
IN_SUBJECT, FROM, TO, IN_FILE, IN_NOTE, HAS = "A", "B", "C", "file=", "note=", "has="
TEXT_OPERATORS = {"subject": IN_SUBJECT, "from": FROM, "to": TO, "cc": TO, "filename": IN_FILE, "file": IN_FILE, "note": IN_NOTE}
NAMED = ("tag", "inbox", "assigned")
OPERATORS = (*TEXT_OPERATORS, "has", "before", "after", "is", "status", "priority", "category", *NAMED)


class BadSearch(ValueError):
    """The search says something that cannot be meant; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to look for in a message. `place`: where (anywhere when empty). Terms of one `group` are alternatives."""

    text: str
    phrase: bool = False
    place: str = ""
    minus: bool = False
    group: int = 0
    typing: bool = False  # its end may still be missing


@dataclass(frozen=True, slots=True)
class Name:
    """A tag, inbox or person by its name, to be looked up."""

    kind: str
    name: str
    minus: bool


@dataclass(slots=True)
class Asked:
    terms: list[Term] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    number: int | None = None


def read_query(words: str) -> Asked:
    """Take apart what was typed. Raises BadSearch."""
    asked = Asked()
    number = NUMBER.fullmatch(words)
    if number is not None:
        asked.number = int(number[2])
    joins, group = False, 0
    tokens = list(TOKEN.finditer(words))
    if len(tokens) > MOST_TERMS:
        raise BadSearch(f"holds more than {MOST_TERMS} words; search for fewer")
    for place, token in enumerate(tokens):
        if token["word"] and token["word"].lower() == "or" and not token["operator"] and not token["minus"]:
            if not 0 < place < len(tokens) - 1 or not asked.terms:
                continue  # somebody looks for the word, or has not typed on yet
            joins = True
            continue
        last = place == len(tokens) - 1 and ENDS_IN_A_WORD.search(words) is not None
        before = len(asked.terms)
        _take(asked, token, group if joins else group + 1, typing=last)
        if joins and len(asked.terms) == before:
            raise BadSearch("`or` stands between words; look for one of two tags by two searches, or in a saved view")
        group, joins = group if joins else group + 1, False
    return asked


def _take(asked: Asked, token: re.Match[str], group: int, *, typing: bool) -> None:
    minus, operator = bool(token["minus"]), (token["operator"] or "").lower()
    phrase = token["phrase"] is not None
    text = token["phrase"] if phrase else token["word"]
    if operator and operator not in OPERATORS:
        text, operator, phrase = token[0].lstrip("-").replace('"', " "), "", True  # a time or an address, as in 10:30
    if not text.strip():
        return
    if operator in TEXT_OPERATORS:
        if minus and TEXT_OPERATORS[operator] == IN_NOTE:
            raise BadSearch("`note:` takes no minus: it would leave nothing out, since the mails of a conversation are no notes; leave it away")
        asked.terms.append(Term(text, phrase, TEXT_OPERATORS[operator], minus, group, typing=not phrase))
    elif operator == "has":
        if text.lower() not in ("attachment", "attachments", "file"):
            raise BadSearch("`has:` is followed by `attachment`")
        asked.terms.append(Term("attachment", False, HAS, minus, group))
    elif operator in NAMED:
        asked.names.append(Name(operator, text, minus))
    elif operator:
        asked.leaves.append(_leaf(operator, text, minus))
    else:
        asked.terms.append(Term(text, phrase, "", minus, group, typing=typing and not phrase))


def _leaf(operator: str, text: str, minus: bool) -> Leaf:
    word = text.lower()
    if operator in ("before", "after"):
        return _date(operator, text, minus)
    if operator == "is":
        return _is(word, minus)
    if operator == "category":
        return Leaf("category", "not_in" if minus else "in", [text])
    only = tuple(v.value for v in (ConversationStatus if operator == "status" else Priority))
    if word not in only:
        raise BadSearch(f"`{operator}:` is followed by {_either(only)}")
    return Leaf(operator, "not_in" if minus else "in", [word])


def _date(operator: str, text: str, minus: bool) -> Leaf:
    """By the conversation's last message. A span counts back from now: `after:7d` is the last week."""
    if minus:
        operator = "after" if operator == "before" else "before"
    if AGE.fullmatch(text):
        return Leaf("last_message_at", "older_than" if operator == "before" else "newer_than", text)
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise BadSearch(
            "`before:` and `after:` are followed by a day as in 2025-01-31, or by a span as in 7d, 12h or 4w; this is neither"
        ) from None
    return Leaf("last_message_at", operator, day.isoformat())


YES: dict[str, Callable[[bool], Leaf]] = {
    "unread": lambda yes: Leaf("unread", "is", yes),
    "read": lambda yes: Leaf("unread", "is", not yes),
    "mine": lambda yes: Leaf("assignee", "in" if yes else "not_in", [ME]),
    "unassigned": lambda yes: Leaf("assignee", "in" if yes else "not_in", [NONE]),
    "assigned": lambda yes: Leaf("assignee", "not_in" if yes else "in", [NONE]),
    "followed": lambda yes: Leaf("follower", "in" if yes else "not_in", [ME]),
    "waiting": lambda yes: Leaf("waiting_since", "is_set", yes),
    "vip": lambda yes: Leaf("vip", "is", yes),
    "overdue": lambda yes: Leaf("sla_breached", "is", yes),
    "failed": lambda yes: Leaf("failed_send", "is", yes),
}


def _is(word: str, minus: bool) -> Leaf:
    if word in YES:
        return YES[word](not minus)
    statuses = tuple(s.value for s in ConversationStatus)
    if word not in statuses:
        raise BadSearch(f"`is:` is followed by {_either((*statuses, *YES))}")
    return Leaf("status", "not_in" if minus else "in", [word])


def _either(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}"
