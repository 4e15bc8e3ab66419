"""Text that is safe to keep and safe to show: without NUL and surrogates, and for names and subjects without the unseen.

`scrubbed` keeps every character a person meant; `displayable` also removes what can make one name look like another.
"""

import re
import unicodedata

_SURROGATES = re.compile("[\ud800-\udfff]")
# Directional overrides and isolates turn `gpj.exe` into `exe.jpg`; zero-width characters and tag characters make two
# different names look the same. Line and paragraph separators end a line in places that show one line only.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def scrubbed(text: str) -> str:
    """The same text with NUL and lone surrogates as U+FFFD: PostgreSQL and UTF-8 take neither."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def displayable(text: str) -> str:
    """One line to show as a subject, a name or a file name: NFC, no controls, no bidi marks, no zero-width characters."""
    text = _CONTROLS.sub(" ", scrubbed(text))
    if not text.isascii():
        text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    return text.strip()
