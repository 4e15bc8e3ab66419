"""How a stored file is offered to a browser: which type may be named, and a file name that can do no harm.

The sender of a mail chose both, so neither is repeated as it came (integrity X-10, X-11).
"""

import re
import unicodedata
from typing import Literal
from urllib.parse import quote

# The only types that a browser may be told; anything else, HTML and SVG above all, is a download of octets.
SAFE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
OCTETS = "application/octet-stream"

_LONGEST_NAME = 200
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


def served_type(content_type: str) -> str:
    """The type to serve: one of `SAFE_TYPES`, else octets."""
    bare = content_type.partition(";")[0].strip().lower()
    return bare if bare in SAFE_TYPES else OCTETS


def safe_filename(name: str) -> str:
    """A name without path, control, bidirectional or invisible characters, at most 200 bytes of UTF-8.

    Normalised first and checked afterwards: the other order lets a zero-width sign hide what the check looks for.
    """
    text = unicodedata.normalize("NFC", name)
    # Categories C* are control, format (bidi, zero-width), surrogate, private use, unassigned; Zl and Zp break lines.
    text = "".join(
        c for c in text if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp")
    )
    text = re.split(r"[/\\]", text)[-1].strip().lstrip(".").strip()
    text = re.sub(r'[<>:"|?*]', "_", text).rstrip(". ")
    if _RESERVED.match(text):
        text = "_" + text
    return _shortened(text) or "file"


def _shortened(text: str) -> str:
    if len(text.encode()) <= _LONGEST_NAME:
        return text
    stem, dot, ending = text.rpartition(".")
    if not dot or len(ending.encode()) > 20:
        stem, dot, ending = text, "", ""
    room = _LONGEST_NAME - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending


def content_disposition(filename: str, *, inline: bool, content_type: str) -> str:
    """A Content-Disposition of RFC 6266 with an ASCII name for old browsers and the true one beside it.

    `inline` is granted only to the safe image types.
    """
    name = safe_filename(filename)
    kind: Literal["inline", "attachment"] = (
        "inline" if inline and served_type(content_type) != OCTETS else "attachment"
    )
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\%]', "_", ascii_name).strip() or "file"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
