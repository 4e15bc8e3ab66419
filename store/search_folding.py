"""Letters without their accents, as documents and queries hold them: `café` is `cafe`, `Straße` is `strasse`, `Łódź` is `lodz`.

Once as SQL for the text of a mail, which never leaves the database for it, and once in Python for what is typed and what is marked; a
test compares the two for every letter. Vowel signs of Thai or Devanagari and the voicing marks of kana are no accents and stay.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import cache

# Accents of Latin, Greek and Cyrillic, the points of Hebrew and the vowels of Arabic, which are written or not.
MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
# Letters that Unicode does not take apart.
LETTERS = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H", "ı": "i", "ς": "σ",
}  # fmt: skip
# Of these a text is left as it is, which is found out in a tenth of the time: ASCII, dashes and quotation marks, kana, Han, Hangul.
AS_THEY_ARE = (
    "\u0001-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u2010\u2012-\u2016\u2018-\u2023\u2030\u20ac"
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
)
# Where all that NFKD took apart were accents: Latin, Greek, Cyrillic, signs. Elsewhere voiced kana, Hangul and vowels are joined again.
ACCENTED = "\u0001-\u052f\u2000-\u2bff"
_MARKS = re.compile(f"[{MARKS}]+")
_LETTERS = str.maketrans(LETTERS)
# Letters that stand for two: what is searched for as `ss` is marked where `ß` stands.
PAIRS = {"ss": "ß", "ae": "æ", "oe": "œ", "th": "þ"}


def fold(value: str) -> str:
    """The text without accents, in the case in which it is."""
    if value.isascii():
        return value
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", value)).translate(_LETTERS))


def _escaped(letters: str) -> str:
    return letters.encode("ascii", "backslashreplace").decode()


def folded(value: str) -> str:
    """SQL for `fold` of a column. About a microsecond for a text of one byte a character, ten where nothing but dashes and quotation
    marks is beyond that.
    """
    spelled = "f"
    for letter, plain in LETTERS.items():
        spelled = f"replace({spelled}, '{letter}', '{plain}')"
    bare = f"regexp_replace(normalize({value}, NFKD), '[{_escaped(MARKS)}]+', '', 'g')"
    return f"""
      case when octet_length({value}) = length({value}) or {value} !~ '[^{_escaped(AS_THEY_ARE)}]' then {value} else (
        select case when f ~ '[^{_escaped(ACCENTED)}]' then normalize(f, NFC) else f end from (
          select case when f ~ '[{"".join(LETTERS)}]' then {spelled} else f end as f from (select {bare} as f offset 0) a offset 0) b) end
    """


@cache
def _alike() -> dict[int, int]:
    """Accented letters that stand for one plain letter, by their code points."""
    letters = (chr(code) for first, last in ((0xAA, 0x2000), (0x2C60, 0x2E00), (0xFF01, 0xFFEF)) for code in range(first, last))
    return {ord(letter): ord(plain) for letter in letters if len(plain := fold(letter)) == 1 and plain != letter}


def even(value: str) -> str:
    """The composed text with plain letters in the places of accented ones: for marking, each character stays where it is."""
    return value if value.isascii() else value.translate(_alike())


def composed(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def in_the_original(value: str, places: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Ranges of the composed text as ranges of the text itself."""
    if not places or unicodedata.is_normalized("NFC", value):
        return places
    ends = [len(composed(value[:n])) for n in range(len(value) + 1)]
    return tuple((bisect_right(ends, a) - 1, bisect_right(ends, b) - 1) for a, b in places)
