"""What a message looks like when it is passed on: the agent's note, who wrote the message to whom and when, and the message itself.

Pure. What leaves is sanitised and composed later, as with every message.
"""

import datetime as dt
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mail.subjects import base_subject
from mail.values import Address

RULE = "---------- Forwarded message ----------"


@dataclass(frozen=True, slots=True)
class PassedOn:
    """The message that is passed on. `html` is None where it has text alone."""

    sender: Address
    to: Sequence[Address]
    cc: Sequence[Address]
    sent_at: dt.datetime
    subject: str
    text: str
    html: str | None


def forward_subject(subject: str) -> str:
    """One `Fwd: ` in front of the base subject."""
    return f"Fwd: {base_subject(subject)}".strip()


def forwarded_text(note: str, message: PassedOn) -> str:
    """The plain text: note, head, text."""
    head = "\n".join(f"{name}: {value}" for name, value in _head(message))
    above = f"{note.strip()}\n\n" if note.strip() else ""
    return f"{above}{RULE}\n{head}\n\n{message.text}"


def forwarded_html(note: str, message: PassedOn, pictures: Mapping[str, str]) -> str | None:
    """The HTML, or None where the message has none. `pictures` maps its content ids to those of the copies."""
    if message.html is None:
        return None
    body = message.html
    for old, new in sorted(pictures.items(), key=lambda pair: -len(pair[0])):
        body = body.replace(f"cid:{old}", f"cid:{new}")
    head = "<br>".join(f"<b>{name}:</b> {html.escape(value)}" for name, value in _head(message))
    lines = "<br>".join(html.escape(line) for line in note.strip().splitlines())
    above = f"<p>{lines}</p>" if lines else ""
    return f"{above}<p>{RULE}<br>{head}</p>{body}"


def _head(message: PassedOn) -> list[tuple[str, str]]:
    named = [
        ("From", _named(message.sender)),
        ("Date", message.sent_at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("Subject", " ".join(message.subject.split())),
        ("To", ", ".join(map(_named, message.to))),
        ("Cc", ", ".join(map(_named, message.cc))),
    ]
    return [(name, value) for name, value in named if value]


def _named(person: Address) -> str:
    name = " ".join(person.name.split())
    return f"{name} <{person.address}>" if name else person.address
