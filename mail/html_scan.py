"""Walks HTML as a stream of tags and text without building a tree, so that no nesting and no length can hurt.

Promises linear time and every character of text; it is for reading (text, quotes, references), never for deciding what
is safe to show: that is `mail.sanitise`, which parses as browsers do.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from mail.display_text import scrubbed

# A `<` before anything else is text (WHATWG HTML §13.2.5.6), and stays in one piece with the text around it.
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_OPENING = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,40})")
# The attribute grammar of browsers (WHATWG HTML §13.2.5): a quote opens a value only behind `=`, so `<font color="red"">`
# ends where it seems to. Possessive, so that an unclosed quote is found out once and not per character.
_REST = re.compile(
    r"""(?:[\s/]++|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|(?=>)))?+)*+>""",
)
_RAW_ENDS = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
_ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?+""")
_COMMENT_END = re.compile(r"--!?>")
_ENTITY_TOO_LONG = re.compile(r"&#(?:[0-9]{9,}+|[xX][0-9a-fA-F]{9,}+);?")


@dataclass(slots=True)
class Tag:
    """A start or end tag. `name` is lower case, `inner` is what stands between the name and `>`."""

    name: str
    closing: bool
    start: int
    end: int
    inner: str

    def attribute(self, wanted: str) -> str:
        """The value, unescaped, or ""."""
        for match in _ATTRIBUTE.finditer(self.inner):
            if match[1].lower() == wanted:
                value = match[2] or '""'
                return unescaped(value[1:-1] if value[0] in "\"'" else value)
        return ""

    def attribute_count(self) -> int:
        return sum(1 for _ in _ATTRIBUTE.finditer(self.inner))


def unescaped(text: str) -> str:
    """Character references resolved; numbers too long for any character become U+FFFD."""
    if "&" not in text:
        return text
    return scrubbed(html.unescape(_ENTITY_TOO_LONG.sub("\ufffd", text)))


def tags_and_text(source: str) -> Iterator[Tag | tuple[str, int]]:
    """Tags and (text, offset) in order. Comments, declarations and the content of script, style, title … are left out.

    Text is as written; `unescaped` resolves it.
    """
    position = 0
    length = len(source)
    while position < length:
        markup = _MARKUP.search(source, position)
        if markup is None:
            yield source[position:], position
            return
        at = markup.start()
        if at > position:
            yield source[position:at], position
        opening = _OPENING.match(source, at)
        if opening is None:
            position = _skipped(source, at)
            continue
        rest = _REST.match(source, opening.end())
        if rest is None:
            bare = source.find(">", opening.end())
            if bare < 0:
                return
            end = bare + 1
        else:
            end = rest.end()
        name = opening[2].lower()
        yield Tag(name, opening[1] == "/", at, end, source[opening.end() : end - 1])
        position = end
        if not opening[1] and (closer := _RAW_ENDS.get(name)) is not None:
            found = closer.search(source, end)
            if found is None:
                return
            if name in {"textarea", "xmp"}:
                yield source[end : found.start()], end
            position = found.start()


def _skipped(source: str, at: int) -> int:
    """The offset after a comment, a declaration, or an end tag without a name at `at`."""
    if source.startswith("<!--", at):
        if source.startswith((">", "->"), at + 4):  # an empty comment to browsers
            return source.index(">", at) + 1
        closing = _COMMENT_END.search(source, at + 4)
        return len(source) if closing is None else closing.end()
    end = source.find(">", at)
    return len(source) if end < 0 else end + 1


def pictured_content_ids(source: str) -> set[str]:
    """The Content-IDs that HTML shows as pictures (`<img src="cid:…">`, RFC 2392), percent-decoded.

    Only these: a mere mention of `cid:` elsewhere shows nothing, and must not let an attachment pass for shown.
    """
    if "cid:" not in source and "cid:" not in source.lower():
        return set()
    found: set[str] = set()
    for token in tags_and_text(source):
        if isinstance(token, Tag) and token.name == "img" and not token.closing:
            url = token.attribute("src").strip()
            if url[:4].lower() == "cid:":
                found.add(unquote(url[4:]))
    return found
