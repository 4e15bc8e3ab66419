"""Inline CSS through an allow-list: harmless properties with harmless values, everything else left out.

Promises that no value can load, cover, follow or execute anything; it reads declarations as text and keeps only what it
fully understands, so that the browser's own, more generous reading finds nothing new.
"""

import re

_SIDES = ("top", "right", "bottom", "left")
_PROPERTIES = frozenset(
    {
        "color", "background", "background-color", "font", "font-family", "font-size", "font-style", "font-variant", "font-weight",
        "letter-spacing", "line-height", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align",
        "white-space", "word-break", "word-spacing", "word-wrap", "overflow-wrap", "direction", "unicode-bidi",
        "width", "height", "max-width", "min-width", "max-height", "min-height", "margin", "padding", "display", "float", "clear",
        "border", "border-color", "border-style", "border-width", "border-radius", "border-collapse", "border-spacing",
        "list-style", "list-style-type", "table-layout", "caption-side", "empty-cells", "box-sizing", "mso-hide",
    }
    | {f"{box}-{side}" for box in ("margin", "padding", "border") for side in _SIDES}
    | {f"border-{side}-{what}" for side in _SIDES for what in ("color", "style", "width")}
)  # fmt: skip
# No possessive repeat here: CPython before 3.11.5 matches a half-open quote with it (gh-106052).
# Words, numbers, colours, lists, and the colour functions: no url(), var(), expression(), image-set(), attr(), no escapes.
_VALUE = re.compile(
    r"(?:\b(?:rgb|rgba|hsl|hsla)\([0-9a-z.,%/ +\-]{1,60}\)|[A-Za-z0-9#%.,+\- /]|'[A-Za-z0-9 ._\-]{0,80}'|\"[A-Za-z0-9 ._\-]{0,80}\")*",
    re.IGNORECASE,
)
_IMPORTANT = re.compile(r"!\s*important\s*$", re.IGNORECASE)
_REMOTE = re.compile(r"url\s*\(|image-set\s*\(|image\s*\(", re.IGNORECASE)
_MAX_STYLE = 8_000
_MAX_DECLARATIONS = 200


def safe_style(style: str) -> str:
    """The declarations worth keeping, joined by `;`, or "" when none is."""
    if len(style) > _MAX_STYLE:
        return ""
    kept: list[str] = []
    for declaration in style.split(";")[:_MAX_DECLARATIONS]:
        name, colon, value = declaration.partition(":")
        name = name.strip().lower()
        if not colon or name not in _PROPERTIES:
            continue
        value = _IMPORTANT.sub("", value.strip()).strip()
        if value and len(value) <= 300 and _VALUE.fullmatch(value) is not None and not _out_of_place(name, value):
            kept.append(f"{name}:{value}")
    return ";".join(kept)


def _out_of_place(name: str, value: str) -> bool:
    """Negative margins and indents move text over other text or out of sight; half of all phishing layouts use them."""
    if name.startswith("margin") or name == "text-indent":
        return "-" in value
    return name == "display" and value.lower() not in {
        "none", "block", "inline", "inline-block", "table", "table-row", "table-cell", "list-item", "inline-table",
    }  # fmt: skip


def loads_remotely(style: str) -> bool:
    """Whether a style would fetch something: counted, so that the reader can be told."""
    return _REMOTE.search(style) is not None
