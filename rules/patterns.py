"""Regular expressions that tenants write, run by RE2: no backtracking, so the time grows with the text and with nothing else
(integrity X-60). What RE2 cannot compile is refused with the place in the pattern.
"""

from dataclasses import dataclass
from typing import Any

import re2

LONGEST = 500  # characters of a pattern
_MEMORY = 2 << 20  # octets for one compiled program; RE2's own default is 8 MB, and a tenant may have many rules
_LONE = str.maketrans(dict.fromkeys(range(0xD800, 0xE000), "\ufffd"))  # half characters, which UTF-8 cannot carry


class BadPattern(ValueError):
    """`position` counts characters of the pattern from 0; `remedy` is a sentence for the person who wrote it."""

    def __init__(self, position: int, remedy: str) -> None:
        super().__init__(remedy)
        self.position = position
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. Capitals do not count unless it begins with `(?-i)`."""

    source: str
    _compiled: Any

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in the text. Never raises, whatever the text holds."""
        return self._compiled.search(text.translate(_LONE)) is not None


def compile_pattern(source: str) -> Pattern:
    """Raises BadPattern for what RE2 refuses: look-around and back-references too, which no linear engine has."""
    if len(source) > LONGEST:
        raise BadPattern(LONGEST, f"is longer than {LONGEST} characters; make it shorter or several conditions")
    if not source:
        raise BadPattern(0, "is empty; write what is to be looked for")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = _MEMORY
    try:
        return Pattern(source, re2.compile(source, options))
    except UnicodeEncodeError as wrong:
        raise BadPattern(wrong.start, f"holds half a character at position {wrong.start + 1}; remove it") from None
    except re2.error as wrong:
        raise _explained(source, wrong) from None


def _explained(source: str, wrong: Exception) -> BadPattern:
    """RE2 says `what: fragment`, where the fragment is the pattern's own text from the mistake on, or the piece it lies in."""
    told = wrong.args[0] if wrong.args else b""
    said = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    what, colon, fragment = said.partition(": ")
    position = _place(source, fragment) if colon and fragment else max(0, len(source) - 1)
    hints = {
        "invalid perl operator": "look-around and other Perl operators have no linear time; write it without them",
        "invalid escape sequence": "this escape is not known (back-references have no linear time); write it out",
        "pattern too large": "it needs too much memory; use smaller repetitions",
    }
    hint = hints.get(what, "correct it there")
    return BadPattern(position, f"cannot be used at position {position + 1} ({what}): {hint}")


def _place(source: str, fragment: str) -> int:
    """Where the fragment stands; for an unclosed or an unopened bracket, of which RE2 shows the whole pattern, that bracket."""
    if fragment == source and len(source) > 1:
        return _odd_bracket(source)
    return max(0, source.rfind(fragment))


def _odd_bracket(source: str) -> int:
    """The last bracket without its twin, not counting escaped ones and those of a class. 0 when all have one."""
    opened: list[int] = []
    skip = in_class = False
    for at, one in enumerate(source):
        if skip:
            skip = False
        elif one == "\\":
            skip = True
        elif in_class:
            in_class = one != "]"
        elif one == "[":
            in_class = True
        elif one == "(":
            opened.append(at)
        elif one == ")":
            if not opened:
                return at
            opened.pop()
    return opened[-1] if opened else 0
