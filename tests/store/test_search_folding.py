"""Letters without accents: what stays a letter, that PostgreSQL and Python agree on every one, and that places in a text stay."""

import re
import unicodedata

import psycopg
import pytest

from store.search_folding import AS_THEY_ARE, composed, even, fold, folded, in_the_original


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Café", "Cafe"),
        ("Cafe\u0301", "Cafe"),
        ("Straße", "Strasse"),
        ("Łódź", "Lodz"),
        ("Søren Ærø", "Soren AEro"),
        ("İstanbul ışık", "Istanbul isik"),
        ("Ελλάδα λόγος", "Ελλαδα λογοσ"),
        ("ещё", "еще"),
        ("مُحَمَّد", "محمد"),
        ("ﬁnal", "final"),
        ("がぎ \u1112\u1161\u11ab", "がぎ 한"),
        ("ทำ ที่ हिन्दी", unicodedata.normalize("NFKC", "ทำ ที่ हिन्दी")),
    ],
)
def test_accents_go_and_vowel_signs_stay(written, plain) -> None:
    assert fold(written) == plain
    assert fold(plain) == plain


def test_the_database_folds_every_letter_alike(database) -> None:
    known = [chr(code) for code in range(1, 0x30000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
    skipped = re.compile(f"[{AS_THEY_ARE}]")
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute(f"select value, {folded('value')} from unnest(%s::text[]) as u(value)", (known,)).fetchall()
    assert len(rows) > 100_000
    # Marks that stand by themselves, as in a non-breaking space: to the index a blank either way.
    other = {value for value, plain in rows if plain != fold(value)}
    assert other == {"\u00a0", "¨", "¯", "´", "¸"}
    assert all(skipped.match(value) for value in other)


def test_texts_are_folded_alike(database) -> None:
    texts = ["plain", "“quotes” — and é", "Straße für Łódź", "ﬀ é 한국 が", "a\u0301\u0328 e\u0323\u0302", "東京 Café"]
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute(f"select {folded('value')} from unnest(%s::text[]) as u(value)", (texts,)).fetchall()
    assert [row[0] for row in rows] == [fold(text) for text in texts]


def test_places_stay_where_they_are() -> None:
    text = "Das Café, die Straße, Łódź"
    assert even(text) == "Das Cafe, die Straße, Lodz"
    written = "e\u0301te\u0301 x"
    assert composed(written) == "été x"
    assert in_the_original(written, ((0, 3), (4, 5))) == ((0, 5), (6, 7))
    assert in_the_original(text, ((4, 8),)) == ((4, 8),)
