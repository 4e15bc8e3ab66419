"""Why each conversation of a page was found: the newest message or note that matches, a piece of its text, where the words stand in it.

Marked here and not by `ts_headline`: it knows no forms, no accents, no pairs of characters and no places, and costs about a millisecond a
mail.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.conversation_search import Search, Word
from store.search_folding import PAIRS, composed, even, in_the_original
from store.search_forms import RUN
from store.search_query import IN_FILE, IN_NOTE, IN_SUBJECT

LOOKED_AT = 20_000  # characters of a body
BEFORE, LONGEST = 60, 220  # characters of a snippet before the first word found, and altogether
MOST_MARKS = 40
SPACES = re.compile(r"\s+")
LETTERS_OF_TWO = re.compile("|".join(PAIRS))

FOUND = text(
    f"""
    select c.id, m.id as message_id, null::uuid as note_id, m.sent_at as at, m.subject, left(m.body_text, {LOOKED_AT}) as body,
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
    union all
    select c.id, null, n.id, n.created_at, '', left(n.content, {LOOKED_AT}), '', ''
    from unnest(cast(:ids as uuid[])) as c(id)
    cross join lateral (
      select n.* from notes n where n.tenant_id = :tenant and n.conversation_id = c.id and n.document @@ cast(:query as tsquery)
      order by n.created_at desc, n.id desc limit 1) n
    order by at
    """
)


@dataclass(frozen=True, slots=True)
class Match:
    """`field` says where the words stand: the snippet is of it. Marks are (from, to) in characters. A note that was found is named
    by `note_id`, and no message.
    """

    message_id: uuid.UUID | None
    note_id: uuid.UUID | None
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
        for row in await connection.execute(FOUND, bound):  # the newer of message and note comes last
            marks = in_the_original(subjects[row.id], _marks(in_subject, composed(subjects[row.id])))
            found[row.id] = _match(row, search.words, anywhere, marks)
    for conversation in subjects.keys() - found.keys():
        found[conversation] = Match(None, None, "number", "", (), ())
    return found


def _match(
    row: Any, words: Sequence[Word], anywhere: re.Pattern[str] | None, subject_marks: tuple[tuple[int, int], ...]
) -> Match:
    if row.note_id is not None:
        piece, places = snippet(pattern(words, IN_NOTE), row.body)
        return Match(None, row.note_id, "note", piece, places, subject_marks)
    for name, value in (("body", row.body), ("subject", row.subject), ("people", row.people), ("file", row.files)):
        piece, places = snippet(_looked_for(words, name, anywhere), value)
        if places:
            return Match(row.message_id, None, name, piece, places, subject_marks)
    return Match(row.message_id, None, "body", snippet(None, row.body)[0], (), subject_marks)


def _looked_for(words: Sequence[Word], name: str, anywhere: re.Pattern[str] | None) -> re.Pattern[str] | None:
    """People and files are marked by what was asked of them, the body by what was asked without a place."""
    if name == "body":
        return anywhere
    return pattern(words, {"subject": IN_SUBJECT, "people": "BC", "file": IN_FILE}[name])


def pattern(words: Sequence[Word], places: str) -> re.Pattern[str] | None:
    """What to mark at a place, in text without accents: words without a place, and those of it. None when there are none."""
    alternatives = [
        _alternative(text, word.beginning and n == 0)
        for word in words
        if not word.place or (places and word.place in places)
        for n, text in enumerate(word.texts)
    ]
    return re.compile("|".join(sorted(filter(None, alternatives), key=len, reverse=True)), re.IGNORECASE) if any(alternatives) else None


def _alternative(text: str, beginning: bool) -> str:
    parts = [LETTERS_OF_TWO.sub(_two, re.escape(p)) for p in text.split()]
    if not parts:
        return ""
    if RUN.search(text):
        return r"\s+".join(parts)
    first = r"(?<!\w)" if re.match(r"\w", text) else ""
    last = r"\w*" if beginning else r"(?!\w)" if re.search(r"\w\Z", text) else ""
    return first + r"[\W_]+".join(parts) + last


def _two(found: re.Match[str]) -> str:
    return f"(?:{found[0]}|{PAIRS[found[0]]})"


def snippet(wanted: re.Pattern[str] | None, value: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A piece of the text around the first hit on one line, and every hit in it; the beginning when there is none."""
    value = composed(value)
    first = wanted.search(even(value)) if wanted is not None else None
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
    hits = zip(range(MOST_MARKS), wanted.finditer(even(value)), strict=False)
    return tuple((m.start(), m.end()) for _, m in hits if m.end() > m.start())
