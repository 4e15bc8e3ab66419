"""Plain text as HTML: every character escaped once, addresses of the web and of people made clickable word by word.

Promises linear time and no markup but its own; the result is for `mail.frame` and needs no sanitiser, and holds in one.
"""

import html
import re

_SPACE = re.compile(r"(\s+)")
_OPENING = "([{<\"'«“„‚‘*_"
_CLOSING = ".,;:!?\"'»”“‘’*_>"
_PAIRS = {")": "(", "]": "[", "}": "{"}
# No quotes, brackets, backslash, backtick: a link ends where one of these begins.
_WEB = re.compile(r"(?:https?://|www\.)[^\s<>\"'`\\{}|^\x00-\x20\x7f]{1,2000}", re.IGNORECASE)
_MAILTO = re.compile(r"(?:mailto:)?([A-Za-z0-9.!#$%&*+/=?^_~\-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})", re.IGNORECASE)
_MAX_LINKS = 5_000
_MAX_WORD = 4_000


def text_to_html(text: str) -> str:
    """One `<div class="plain-text">`; line breaks stay line breaks (the frame's style keeps white space)."""
    out: list[str] = []
    links = 0
    for index, word in enumerate(_SPACE.split(text)):
        if index % 2 or links >= _MAX_LINKS or len(word) > _MAX_WORD or ("/" not in word and "." not in word):
            out.append(html.escape(word))
            continue
        linked = _linked(word)
        links += linked is not None
        out.append(linked if linked is not None else html.escape(word))
    return f'<div class="plain-text">{"".join(out)}</div>'


def _linked(word: str) -> str | None:
    """One word with its link, or None when it holds none. Brackets and final punctuation stay outside."""
    start = 0
    while start < len(word) and word[start] in _OPENING:
        start += 1
    if (match := _WEB.match(word, start)) is not None:
        end = _trimmed(word, start, match.end())
        shown = word[start:end]
        target = shown if shown[:4].lower() == "http" else f"https://{shown}"
        if "." not in shown and "localhost" not in shown.lower():
            return None
    elif (match := _MAILTO.match(word, start)) is not None:
        end = match.end()
        if word[end : end + 1] not in {"", *_CLOSING, *_PAIRS, "?"}:
            return None
        shown, target = word[start:end], f"mailto:{match[1]}"
    else:
        return None
    return (
        f"{html.escape(word[:start])}"
        f'<a href="{html.escape(target)}" target="_blank" rel="noopener noreferrer">{html.escape(shown)}</a>'
        f"{html.escape(word[end:])}"
    )


def _trimmed(word: str, start: int, end: int) -> int:
    """Without the punctuation that ends a sentence; a closing bracket belongs to the link if it was opened in it."""
    opened = {pair: word.count(pair, start, end) - word.count(close, start, end) for close, pair in _PAIRS.items()}
    while end > start:
        last = word[end - 1]
        if last in _CLOSING:
            end -= 1
        elif last in _PAIRS and opened[_PAIRS[last]] < 0:
            opened[_PAIRS[last]] += 1
            end -= 1
        else:
            break
    return end
