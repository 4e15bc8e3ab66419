"""Why each conversation of a page was found: the newest message that matches, a piece of its text, and where the words stand in it.

Marked here and not by `ts_headline`: it knows no forms, no pairs of characters and no places, and costs about a millisecond a mail.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.conversation_search import Search, Word
from store.search_forms import RUN
from store.search_query import IN_FILE, IN_SUBJECT

LOOKED_AT = 20_000  # characters of a body
BEFORE, LONGEST = 60, 220  # characters of a snippet before the first word found, and altogether
MOST_MARKS = 40
SPACES = re.compile(r"\s+")

FOUND = text(
    f"""
    select c.id, m.id as message_id, m.subject, left(m.body_text, {LOOKED_AT}) as body,
      concat_ws(' ', m.from_name, m.from_address, (
        select left(string_agg(concat_ws(' ', r.name, r.address), ', '), 2000) from message_recipients r
        where r.tenant_id = m.tenant_id and r.message_id = m.id)) as people,
      coalesce((select left(string_agg(a.filename, ', '), 2000) from attachments a
        where a.tenant_id = m.tenant_id and a.message_id = m.id), '') as files
    from unnest(cast(:ids as uuid[])) as c(id)
    cross join lateral (
      select m.* from search_documents d join messages m on m.tenant_id = d.tenant_id and m.id = d.message_id
      where d.tenant_id = :tenant and d.conversation_id = c.id and d.document @@ cast(:query as tsquery)
      order by m.sent_at desc, m.id desc limit 1) m
    """
)


@dataclass(frozen=True, slots=True)
class Match:
    """`field` says where the words stand: the snippet is of it. Marks are (from, to) in characters."""

    message_id: uuid.UUID | None
    field: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    subject_marks: tuple[tuple[int, int], ...]


async def find_matches(
    connection: AsyncConnection, tenant_id: uuid.UUID, search: Search, page: Sequence[tuple[uuid.UUID, str]]
) -> dict[uuid.UUID, Match]:
    """By conversation, for a page of (id, subject). One that was found by its number alone has no message."""
    if not search.in_text or not page:
        return {}
    subjects = dict(page)
    found: dict[uuid.UUID, Match] = {}
    anywhere, in_subject = pattern(search.words, ""), pattern(search.words, IN_SUBJECT)
    if search.query:
        bound = {"tenant": tenant_id, "ids": list(subjects), "query": search.query}
        for row in await connection.execute(FOUND, bound):
            marks = _marks(in_subject, subjects[row.id])
            field, piece = "body", ""
            places: tuple[tuple[int, int], ...] = ()
            for name, value in (("body", row.body), ("subject", row.subject), ("people", row.people), ("file", row.files)):
                piece, places = snippet(_looked_for(search.words, name, anywhere), value)
                if places:
                    field = name
                    break
            if not places:
                piece, _ = snippet(None, row.body)
            found[row.id] = Match(row.message_id, field, piece, places, marks)
    for conversation in subjects.keys() - found.keys():
        found[conversation] = Match(None, "number", "", (), ())
    return found


def _looked_for(words: Sequence[Word], name: str, anywhere: re.Pattern[str] | None) -> re.Pattern[str] | None:
    """People and files are marked by what was asked of them, the body by what was asked without a place."""
    if name == "body":
        return anywhere
    return pattern(words, {"subject": IN_SUBJECT, "people": "BC", "file": IN_FILE}[name])


def pattern(words: Sequence[Word], places: str) -> re.Pattern[str] | None:
    """What to mark at a place: words without a place, and those of it. None when there are none."""
    alternatives = [
        _alternative(text, word.beginning and n == 0)
        for word in words
        if not word.place or (places and word.place in places)
        for n, text in enumerate(word.texts)
    ]
    return re.compile("|".join(sorted(filter(None, alternatives), key=len, reverse=True)), re.IGNORECASE) if any(alternatives) else None


def _alternative(text: str, beginning: bool) -> str:
    parts = [re.escape(p) for p in text.split()]
    if not parts:
        return ""
    if RUN.search(text):
        return r"\s+".join(parts)
    first = r"(?<!\w)" if re.match(r"\w", text) else ""
    last = r"\w*" if beginning else r"(?!\w)" if re.search(r"\w\Z", text) else ""
    return first + r"[\W_]+".join(parts) + last


def snippet(wanted: re.Pattern[str] | None, value: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A piece of the text around the first hit on one line, and every hit in it; the beginning when there is none."""
    first = wanted.search(value) if wanted is not None else None
    begins = 0
    if first is not None and first.start() > BEFORE:
        begins = first.start() - BEFORE
        space = value.find(" ", begins, first.start())
        begins = space + 1 if space >= 0 else begins
    piece = SPACES.sub(" ", value[begins : begins + LONGEST]).strip()
    if begins + LONGEST < len(value):
        piece += "…"
    if begins:
        piece = "…" + piece
    return piece, _marks(wanted, piece) if first is not None else ()


def _marks(wanted: re.Pattern[str] | None, value: str) -> tuple[tuple[int, int], ...]:
    if wanted is None:
        return ()
    return tuple((m.start(), m.end()) for _, m in zip(range(MOST_MARKS), wanted.finditer(value), strict=False) if m.end() > m.start())
