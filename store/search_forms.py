"""Other forms of a searched word in a desk's languages. Documents keep words as they are written; the query asks for the forms.

Endings are put on by lists, and PostgreSQL's Snowball stemmer of the language says which of the results are forms of the same word
(docs/decisions/0017). The statement is in `store/conversation_search.py`.
"""

import re
from collections.abc import Iterator, Sequence

from store.search_folding import fold

SHORTEST = 4  # shorter words are too often other words' beginnings
MOST_FORMS = 24
LETTERS = re.compile(r"[^\W\d_]+")
# Scripts without spaces between words: found by pairs of characters.
PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002ffff"
)
RUN = re.compile(f"[{PAIRED}]+")
ENDINGS = {
    "english": ("", "s", "es", "ed", "d", "ing", "e", "er", "ers", "y", "ies", "ied", "ly", "ment", "ments", "ation", "ations"),
    "german": ("", "e", "en", "er", "es", "em", "ern", "n", "s", "st", "t", "te", "ten", "tet", "ung", "ungen"),
    "french": ("", "s", "e", "es", "é", "ée", "és", "ées", "er", "ez", "ent", "ons", "ant", "ait", "aient", "ation", "ations"),
    "spanish": ("", "s", "es", "o", "a", "os", "as", "ar", "er", "ir", "ado", "ada", "ados", "adas", "ando", "ción", "ciones"),
    "italian": ("", "o", "a", "i", "e", "are", "ere", "ire", "ato", "ata", "ati", "ate", "ando", "endo", "azione", "azioni"),
    "portuguese": ("", "s", "es", "o", "a", "os", "as", "ar", "er", "ir", "ado", "ada", "ados", "adas", "ando", "ção", "ções"),
    "dutch": ("", "en", "e", "s", "t", "d", "de", "te", "den", "ten", "ing", "ingen", "er", "ers"),
}
# Words that few texts of the language lack and no other language has: by them a desk's languages are known.
MARKS = {
    "english": "the & (and | you | this)",
    "german": "(und | nicht | ist) & (die | der | das | ich)",
    "french": "(est | vous | nous) & (les | des | une)",
    "spanish": "(que | por | para) & (los | las | una | el)",
    "italian": "(che | per | non) & (il | della | gli | sono)",
    "portuguese": "(que | para | nao | não) & (os | uma | com | voce | você)",
    "dutch": "(het | een | niet) & (van | ik | zijn)",
}
UMLAUTS = {"a": "ä", "o": "ö", "u": "ü"}
SPELLED = {umlaut: plain + "e" for plain, umlaut in UMLAUTS.items()}
TRANSCRIBED = re.compile("(?<![aeiouq])(?:ae|oe|ue)")  # not in Bauer, treue, Quelle


def candidates(word: str, languages: Sequence[str]) -> list[tuple[str, str, str]]:
    """(language, word, form) that may be forms of this word, to be validated; none for short words, numbers and names with dots. The
    word is also tried with the accents that its ending has in the language: the stemmer knows no `facturacion`.
    """
    word = word.lower()
    if len(word) < SHORTEST or not LETTERS.fullmatch(word) or RUN.search(word):
        return []
    found = []
    for language in languages:
        for spelled in _spellings(word, language):
            made: dict[str, None] = {}
            for stem in _stems(spelled, language):
                made |= dict.fromkeys(stem + ending for ending in ENDINGS[language] if len(stem + ending) > 2)
            made.pop(spelled, None)
            found += [(language, spelled, form) for form in made]
    return found


def _spellings(word: str, language: str) -> list[str]:
    spelled = {word: None}
    for ending in ENDINGS[language]:
        plain = fold(ending)
        if plain != ending and word.endswith(plain) and len(word) - len(plain) >= 3:
            spelled[word[: len(word) - len(plain)] + ending] = None
    return list(spelled)


def _stems(word: str, language: str) -> list[str]:
    """What may be left of the word without its ending: beginnings that the endings are put on again."""
    stems: dict[str, None] = {}
    for ending in ENDINGS[language]:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: len(word) - len(ending)]
            stems[stem] = None
            if language == "german":
                stems |= dict.fromkeys(_umlauts(stem))
            if language == "english" and stem[-1] == stem[-2]:
                stems[stem[:-1]] = None  # shipped: ship
    if language == "english" and word[-1] not in "aeiouwxy" and word[-2] in "aeiou":
        stems[word + word[-1]] = None  # ship: shipped
    return list(stems)


def _umlauts(stem: str) -> Iterator[str]:
    """Haus: häus-, and back."""
    for place in range(len(stem) - 1, -1, -1):
        letter = stem[place]
        if letter in UMLAUTS.values():
            plain = next(p for p, u in UMLAUTS.items() if u == letter)
            yield stem[:place] + plain + stem[place + 1 :]
            return
        if letter in UMLAUTS:
            at = place - 1 if letter == "u" and place and stem[place - 1] == "a" else place
            yield stem[:at] + UMLAUTS[stem[at]] + stem[at + 1 :]
            return


def transcribed(word: str) -> list[str]:
    """A German word or name with its umlauts in the other spelling: Müller for Mueller, Mueller for Müller."""
    word = word.lower()
    apart = "".join(SPELLED.get(letter, letter) for letter in word)
    return [apart] if apart != word else [together] if (together := TRANSCRIBED.sub(lambda pair: pair[0][0], word)) != word else []


def pairs(run: str) -> list[str]:
    """A run of such a script as its pairs of characters, in order; a single one as it stands."""
    return [run[n : n + 2] for n in range(len(run) - 1)] or [run]
