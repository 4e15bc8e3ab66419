"""The small language of replies (web/js/richtext.js) read out of sanitised HTML: lines, breaks, bold, italic, lists, links, quotes.

A tree of texts and `[tag, href or None, children]`; whatever the language has no word for is left as its text. Never raises.
"""

from html.parser import HTMLParser
from typing import Any

_NAMES = {
    "p": "div", "div": "div", "h1": "div", "h2": "div", "h3": "div", "b": "strong", "strong": "strong", "i": "em", "em": "em",
    "ul": "ul", "ol": "ol", "li": "li", "a": "a", "blockquote": "blockquote",
}  # fmt: skip
_DEEPEST = 40
_SCHEMES = ("http://", "https://", "mailto:")

Node = Any  # str, or [tag, href or None, list of nodes]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root: list[Node] = []
        self._open: list[tuple[str, list[Node]]] = []

    @property
    def _here(self) -> list[Node]:
        return self._open[-1][1] if self._open else self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._here.append(["br", None, []])
            return
        name = _NAMES.get(tag)
        href = next((value for key, value in attrs if key == "href"), None) if name == "a" else None
        if name is None or len(self._open) >= _DEEPEST:
            return
        if name == "a" and not (href or "").lower().startswith(_SCHEMES):
            return
        node: Node = [name, href, []]
        self._here.append(node)
        self._open.append((tag, node[2]))

    def handle_endtag(self, tag: str) -> None:
        if any(opened == tag for opened, _ in self._open):
            while self._open and self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if data:
            self._here.append(data)


def rich_nodes(html: str) -> list[Node]:
    """The nodes of a piece of sanitised HTML, to be put into an editor without parsing it there."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root
