"""HTML as the plain text a person would read: for search, previews, quoting, and where a mail has no text part.

Promises that no visible text is lost, at any nesting, in linear time; layout is simple lines. Tree-building converters
were measured and refused: they drop everything below 256 levels, silently, and take ten times as long.
"""

import re

from mail.html_scan import Tag, tags_and_text, unescaped

_LINE = {
    "div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "nav", "address", "center", "form",
    "fieldset", "figure", "figcaption", "tbody", "thead", "tfoot", "caption", "option", "body", "html", "main", "aside",
}  # fmt: skip
_PARAGRAPH = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"}
_VOID = {"br", "img", "hr", "input", "meta", "link", "col", "area", "base", "wbr", "source", "track", "embed", "param"}
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_HIDDEN = re.compile(r"display\s{0,5}:\s{0,5}none|mso-hide\s{0,5}:\s{0,5}all", re.IGNORECASE)
_CITED = re.compile(r"""type\s*=\s*["']?cite|class\s*=\s*["'][^"'>]{0,200}(?:quote|cite)""", re.IGNORECASE)
_MAX_QUOTE_DEPTH = 10


class _Page:
    """Text being laid out: breaks are asked for as often as tags like and written once."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.breaks = 0
        self.space = False
        self.quotes = 0
        self.written_quotes = 0
        self.fresh = True

    def need(self, breaks: int) -> None:
        if not self.fresh:
            self.breaks = max(self.breaks, breaks)
        self.space = False

    def line_break(self) -> None:
        self.breaks = min(self.breaks + 1, 3)
        self.space = False

    def write(self, text: str) -> None:
        prefix = "> " * self.quotes
        if self.breaks or self.fresh:
            if not self.fresh:
                blank = "\n" + ("> " * min(self.quotes, self.written_quotes)).rstrip()
                self.out.append(blank * (self.breaks - 1) + "\n")
            self.out.append(prefix)
            self.breaks = 0
            self.fresh = False
            self.written_quotes = self.quotes
        elif self.space:
            self.out.append(" ")
        self.space = False
        self.out.append(text.replace("\n", "\n" + prefix) if "\n" in text else text)


def html_to_text(source: str) -> str:
    """Plain text with LF line ends. Cited blockquotes get `> ` in front, images show their alternative text."""
    page = _Page()
    hidden_ends = _hidden_spans(source)
    hide_until = -1
    pre = 0
    cited: list[bool] = []
    for token in tags_and_text(source):
        start = token.start if isinstance(token, Tag) else token[1]
        if start < hide_until:
            continue
        if not isinstance(token, Tag):
            _text(page, unescaped(token[0]), pre=pre > 0)
            continue
        if not token.closing and start in hidden_ends:
            hide_until = hidden_ends[start]
            continue
        name = token.name
        if name == "blockquote":
            page.need(2)
            if not token.closing:
                cited.append(_CITED.search(token.inner) is not None and page.quotes < _MAX_QUOTE_DEPTH)
                page.quotes += cited[-1]
            elif cited:
                page.quotes -= cited.pop()
        elif name == "pre":
            pre = max(0, pre + (-1 if token.closing else 1))
            page.need(2)
        else:
            _layout(page, token)
    return "".join(page.out).rstrip()


def _text(page: _Page, text: str, *, pre: bool) -> None:
    if pre:
        lines = text.replace("\r\n", "\n").strip("\n")
        if lines.strip():
            page.write(lines)
        return
    flat = _SPACES.sub(" ", text)
    if flat.startswith(" "):
        page.space = True
    words = flat.strip(" ")
    if words:
        page.write(words)
        page.space = flat.endswith(" ")


def _layout(page: _Page, tag: Tag) -> None:
    name = tag.name
    if name == "br":
        page.line_break()
    elif name in _PARAGRAPH:
        page.need(2)
    elif name in _LINE:
        page.need(1)
        if name == "li" and not tag.closing:
            page.write("* ")
    elif name in {"td", "th"}:
        page.space = True
    elif name == "img":
        alternative = _SPACES.sub(" ", tag.attribute("alt")).strip()
        if alternative:
            page.write(f"[{alternative[:300]}]")


def _hidden_spans(source: str) -> dict[int, int]:
    """{offset of a start tag: offset after its end tag} of elements with display:none, such as preview texts.

    An element whose end is missing is not hidden: showing too much is better than losing the mail.
    """
    if not any(m in source for m in ("display", "DISPLAY", "Display", "mso-hide")):
        return {}
    spans: dict[int, int] = {}
    stacks: dict[str, list[tuple[int, bool]]] = {}
    for token in tags_and_text(source):
        if not isinstance(token, Tag) or token.name in _VOID:
            continue
        stack = stacks.setdefault(token.name, [])
        if not token.closing:
            stack.append((token.start, "style" in token.inner.lower() and _HIDDEN.search(token.inner) is not None))
        elif stack:
            start, hidden = stack.pop()
            if hidden:
                spans[start] = token.end
    return spans
