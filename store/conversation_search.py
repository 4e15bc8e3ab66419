"""How a search finds conversations: seldom words by the full-text index, frequent ones by walking down the list until the page
is full.

Both ways give the same rows in the same order; which one is taken only decides the time. The index knows no order of time, so
for a word of every fourth mail it would fetch a quarter of the desk for one page (docs/decisions/0011).
"""

import re
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search_folding import fold
from store.search_forms import MARKS, MOST_FORMS, RUN, candidates, pairs, transcribed
from store.search_names import find_names
from store.search_notes import MARK
from store.search_query import HAS, IN_FILE, IN_NOTE, IN_SUBJECT, Term, read_query
from store.view_conditions import Group

FREQUENT = 5_000  # messages that the planner expects
# Of a word that it does not know it expects half of what the rarest has that it knows: some thousands, more with each message. As many
# for each word that is looked for say nothing, and a word that is hardly there must not be looked for by walking down the whole list.
UNKNOWN = 1.01
STEPS = 50_000  # conversations that a walk looks at, about 3 µs each
LANGUAGES_KEPT = 3600.0  # seconds; what a desk writes in changes slowly
LANGUAGES_MOST = 1000
SPOKEN = 0.05  # of the newest messages
SEPARATED = re.compile(r"[@._/\\-]")

INDEXED = "select mailroom_search(cast(:query as tsquery))"
INDEXED_OR_NUMBER = (
    f"{INDEXED} union select id from conversations where tenant_id = :tenant and number = :number"
)
WALKED = """
select 1 from search_documents d
where d.tenant_id = :tenant and d.conversation_id = k.id and d.document @@ cast(:query as tsquery)
union all
select 1 from notes n where n.tenant_id = :tenant and n.conversation_id = k.id and n.document @@ cast(:query as tsquery)
"""
WALKED_OR_NUMBER = f"select 1 where k.number = :number union all ({WALKED} limit 1)"
# Each text as the words that documents hold. A text of no word gives an empty query.
LEXEMES = text(
    """
    select (case when phrase then phraseto_tsquery('simple', word) else plainto_tsquery('simple', word) end)::text
    from unnest(cast(:words as text[]), cast(:phrases as boolean[])) with ordinality as w(word, phrase, n) order by n
    """
)
FORMS = text(
    """
    select typed, form from unnest(cast(:typed as text[]), cast(:languages as text[]), cast(:words as text[]), cast(:forms as text[]))
      as f(typed, language, word, form)
    where ts_lexize((language || '_stem')::regdictionary, form) = ts_lexize((language || '_stem')::regdictionary, word)
      and cardinality(ts_lexize((language || '_stem')::regdictionary, word)) > 0
    """
)
EXPECTED = text(
    """
    select expected, case when expected > :frequent then mailroom_search_expected($$'is=in_no_mail'$$::tsquery) else 0 end as unknown
    from (select mailroom_search_expected(cast(:query as tsquery)) as expected offset 0) as asked
    """
)
SPOKEN_HERE = text(
    """
    with recent as materialized (
      select id from conversations where tenant_id = :tenant and merged_into is null and deleted_at is null
      order by last_message_at desc, id desc limit 150
    ), documents as materialized (
      select d.document from recent r join search_documents d on d.tenant_id = :tenant and d.conversation_id = r.id limit 300
    )
    select language from unnest(cast(:languages as text[]), cast(:marks as text[])) as m(language, marks)
    where (select count(*) from documents where document @@ marks::tsquery) > :share * (select count(*) from documents)
    """
)
_spoken: dict[uuid.UUID, tuple[float, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Word:
    """What one term looks for in a text: these words without accents, or beginnings, or a phrase. For marking what was found."""

    texts: tuple[str, ...]
    beginning: bool
    place: str


@dataclass(frozen=True, slots=True)
class Search:
    """`query` is a tsquery's text, empty when no word is in it. A bare number is also the conversation's number. `conditions` is
    what else must hold.
    """

    query: str
    number: int | None
    frequent: bool
    conditions: Group | None
    words: tuple[Word, ...]

    @property
    def nothing(self) -> bool:
        return not self.query and self.number is None and self.conditions is None

    @property
    def in_text(self) -> bool:
        """Whether messages have to be looked at, and not the conversations alone."""
        return bool(self.query) or self.number is not None

    @property
    def ids(self) -> str:
        """Ids of the conversations that match, by the index."""
        return INDEXED if self.number is None else INDEXED_OR_NUMBER

    @property
    def met(self) -> str:
        """A row when the conversation `k` matches."""
        return WALKED if self.number is None else WALKED_OR_NUMBER


async def read_search(connection: AsyncConnection, tenant_id: uuid.UUID, words: str) -> Search:
    """What these words ask for, and about how much there is of it. Raises BadSearch."""
    asked = read_query(words)
    leaves = [*asked.leaves, *await find_names(connection, tenant_id, asked.names)]
    conditions = Group("all", tuple(leaves)) if leaves else None
    forms, respelled = await _forms(connection, tenant_id, asked.terms)
    plain = await _lexemes(connection, [(fold(t.text), t.phrase) for t in asked.terms])
    others = [(n, spelled, asked.terms[n].phrase) for n, each in respelled.items() for spelled in each]
    spelled: dict[int, list[str]] = defaultdict(list)
    for (n, _, _), lexemes in zip(others, await _lexemes(connection, [o[1:] for o in others]), strict=True):
        spelled[n].append(lexemes)
    query = _query(asked.terms, plain, spelled, forms)
    frequent = False
    if query:
        # Of the words as typed: the planner takes each form that it does not know for a frequent one.
        guess = (await connection.execute(EXPECTED, {"query": _query(asked.terms, plain, {}, {}), "frequent": FREQUENT})).one()
        frequent = guess.expected > max(FREQUENT, UNKNOWN * guess.unknown * len(asked.terms))
    marked = tuple(
        Word(tuple(dict.fromkeys(fold(w).lower() for w in (t.text, *respelled.get(n, ()), *forms.get(n, ())))), t.typing, t.place)
        for n, t in enumerate(asked.terms)
        if not t.minus and t.place != HAS and plain[n]
    )
    return Search(query, asked.number, frequent, conditions, marked)


async def _lexemes(connection: AsyncConnection, wanted: Sequence[tuple[str, bool]]) -> list[str]:
    """For each text, and whether it is a phrase, its tsquery's text: the words, or the same taken apart at dots and signs, as addresses
    and file names are.
    """
    if not wanted:
        return []
    words = [text for text, _ in wanted] + [SEPARATED.sub(" ", text) for text, _ in wanted]
    phrases = [phrase for _, phrase in wanted] + [True] * len(wanted)
    found = list((await connection.execute(LEXEMES, {"words": words, "phrases": phrases})).scalars())
    whole, apart = found[: len(wanted)], found[len(wanted) :]
    return [
        w if w == a or not a or not SEPARATED.search(text) else f"({w}) | ({a})" if w else a
        for (text, _), w, a in zip(wanted, whole, apart, strict=True)
    ]


async def _forms(
    connection: AsyncConnection, tenant_id: uuid.UUID, terms: Sequence[Term]
) -> tuple[dict[int, tuple[str, ...]], dict[int, tuple[str, ...]]]:
    """Other forms of the words that are not in quotes and not about people or files, and other spellings of the words as they are: with
    the accents that were typed, for documents of the form before (store/search.py), and of umlauts. By the term's place.
    """
    words = {n: t.text.lower() for n, t in enumerate(terms) if not t.phrase and t.place != HAS}
    languages = await _languages(connection, tenant_id) if words else ()
    respelled = {n: [t.text] for n, t in enumerate(terms) if fold(t.text) != t.text}
    if "german" in languages:
        for n, word in words.items():
            respelled.setdefault(n, []).extend(transcribed(word))
    asked = {n: word for n, word in words.items() if terms[n].place in ("", IN_SUBJECT, IN_NOTE)}
    rows = [(typed, *candidate) for typed in set(asked.values()) for candidate in candidates(typed, languages)]
    known: dict[str, list[str]] = defaultdict(list)
    if rows:
        bound = dict(zip(("typed", "languages", "words", "forms"), (list(c) for c in zip(*rows, strict=True)), strict=True))
        for row in await connection.execute(FORMS, bound):
            known[row.typed].append(row.form)
    found = {}
    for n, word in asked.items():
        nearest = sorted(set(known[word]), key=lambda form, word=word: (abs(len(form) - len(word)), form))  # type: ignore[misc]
        found[n] = tuple(dict.fromkeys(spelled for form in nearest[:MOST_FORMS] for spelled in (fold(form), form)))
    return {n: forms for n, forms in found.items() if forms}, {n: tuple(each) for n, each in respelled.items() if each}


async def _languages(connection: AsyncConnection, tenant_id: uuid.UUID) -> tuple[str, ...]:
    """What the newest mail of the desk is written in, and English; looked up once an hour in each process."""
    at, languages = _spoken.get(tenant_id, (0.0, ()))
    if not languages or time.monotonic() - at > LANGUAGES_KEPT:
        bound = {"tenant": tenant_id, "languages": list(MARKS), "marks": list(MARKS.values()), "share": SPOKEN}
        spoken = set((await connection.execute(SPOKEN_HERE, bound)).scalars())
        languages = tuple(language for language in MARKS if language in spoken or language == "english")
        while len(_spoken) >= LANGUAGES_MOST:
            _spoken.pop(next(iter(_spoken)))
        _spoken[tenant_id] = (time.monotonic(), languages)
    return languages


LEXEME = re.compile(r"'((?:''|[^'])*)'")
ALONE = {IN_SUBJECT: ("subject=", IN_SUBJECT), IN_NOTE: (IN_NOTE, "")}  # by place, what begins its own lexemes, and its weight


def _query(
    terms: Sequence[Term], plain: Sequence[str], spelled: Mapping[int, Sequence[str]], forms: Mapping[int, Sequence[str]]
) -> str:
    """The tsquery: groups of alternatives, all of which must be met, and nothing of what has a minus."""
    groups: dict[int, list[str]] = defaultdict(list)
    refused = []
    for n, term in enumerate(terms):
        made = _one(term, [plain[n], *spelled.get(n, ())], forms.get(n, ()))
        if made and term.minus:
            refused.append(f"!({made})")
        elif made:
            groups[term.group].append(made)
    if refused and not groups:
        refused.append(f"!'{MARK}'")  # nearly every note lacks the word; what was asked is of mails
    return " & ".join([f"({' | '.join(each)})" for each in groups.values()] + refused)


def _one(term: Term, plain: Sequence[str], forms: Sequence[str]) -> str:
    if term.place == HAS:
        return f"'{HAS}{term.text}'"
    run = RUN.search(term.text)
    if run is not None:
        return _paired(term)
    if not plain[0]:
        return ""
    if term.place in ALONE:
        # By lexemes that stand for the place alone; the others, by their weight, add the order of a phrase.
        prefix, weight = ALONE[term.place]
        alone = _one_of(term, [p.replace("<->", "&") for p in plain], forms, prefix=prefix, weight="")
        return f"({alone}) & ({_one_of(term, plain, forms, prefix='', weight=weight)})" if term.phrase else alone
    prefix, weight = (IN_FILE, "") if term.place == IN_FILE else ("", term.place)
    return _one_of(term, plain, forms, prefix=prefix, weight=weight)


def _one_of(term: Term, plain: Sequence[str], forms: Sequence[str], *, prefix: str, weight: str) -> str:
    label = ("*" if term.typing else "") + weight

    def lexeme(found: re.Match[str]) -> str:
        return f"'{prefix}{found[1]}'" + (f":{label}" if label else "")

    alternatives = [LEXEME.sub(lexeme, each) for each in plain]
    alternatives += [f"'{prefix}{form}'" + (f":{weight}" if weight else "") for form in forms]
    return " | ".join(f"({a})" for a in alternatives) if len(alternatives) > 1 else alternatives[0]


def _paired(term: Term) -> str:
    """Runs of a script without spaces, each as a phrase of its pairs; what stands between them is looked for by words."""
    weight = term.place if term.place not in (IN_FILE, IN_NOTE, HAS) else ""
    found = [f"'{MARK}'"] if term.place == IN_NOTE else []
    for run in RUN.findall(fold(term.text)):
        label = weight if len(run) > 1 else f"*{weight}"
        found.append(" <-> ".join(f"'{pair}'" + (f":{label}" if label else "") for pair in pairs(run)))
    return " & ".join(f"({f})" for f in found)
