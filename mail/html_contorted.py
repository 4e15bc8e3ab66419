"""Tells HTML that is built to exhaust a tree-building parser from HTML that is merely bad, and calms both.

Promises linear time, and that what `calmed` returns reads to a browser's parser as it was read here: without comments,
raw text or foreign content in which tags could hide. It makes nothing safe to show: that is `mail.sanitise`.
"""

from mail.html_scan import Tag, tags_and_text

# Browsers stop nesting at 512. Measured with html5ever: 100,000 nested elements take 23 seconds, 100,000 attributes 11.
MAX_NESTING = 400
MAX_ATTRIBUTES = 500
_VOID = {
    "br", "img", "hr", "input", "meta", "link", "col", "area", "base", "wbr", "source", "track", "embed", "param", "frame", "keygen",
    "body", "html", "head",  # these never nest: a second one is merged into the first
}  # fmt: skip
# A start tag that closes these when they are the innermost open elements (HTML §13.1.2.4, optional tags).
_CLOSES: dict[str, frozenset[str]] = {
    "p": frozenset({"p"}),
    "li": frozenset({"li", "p"}),
    "dt": frozenset({"dt", "dd", "p"}),
    "dd": frozenset({"dt", "dd", "p"}),
    "td": frozenset({"td", "th", "p"}),
    "th": frozenset({"td", "th", "p"}),
    "tr": frozenset({"td", "th", "tr", "p"}),
    "tbody": frozenset({"td", "th", "tr", "tbody", "thead", "tfoot", "p"}),
    "option": frozenset({"option"}),
}
_CLOSES["thead"] = _CLOSES["tfoot"] = _CLOSES["tbody"]
_IMPLIED = frozenset({"p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option"})
# Closed from outside, these come back in the next text, all of them (HTML §13.2.4.3, active formatting elements).
_FORMATTING = frozenset({"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"})
_BLOCKS = frozenset({"div", "table", "blockquote", "center", "ul", "ol", "section", "article", "pre", "form", "dl", "fieldset"})
_HIDING = {
    "script", "style", "svg", "math", "template", "noscript", "iframe", "title", "textarea", "select", "xmp", "noembed", "noframes",
    "plaintext", "frameset", "object", "applet", "marquee",
}  # fmt: skip
# What ends foreign content in a browser (HTML §13.2.6.5). Other tags inside are no HTML: left standing without their
# `svg`, ammonia takes them for smuggled ones and drops all text behind them.
_BREAKOUT = {
    "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "font", "h1", "h2", "h3", "h4",
    "h5", "h6", "head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s", "small", "span",
    "strong", "strike", "sub", "sup", "table", "tt", "u", "ul", "var",
}  # fmt: skip
# End tags that close unfinished paragraphs, cells and items inside; others are ignored when one of these is in the way.
_REACHING = _BLOCKS | _IMPLIED


def calmed(source: str) -> str | None:
    """The same content without what hides tags from a scanner, or None when it is contorted beyond the caps."""
    out: list[str] = []
    open_tags: list[str] = []
    ghosts = 0  # formatting elements that were closed from outside and will come back
    foreign = False
    for token in tags_and_text(source):
        if not isinstance(token, Tag):
            # Neither a lone `<` nor the raw text of a textarea may become a tag once what stood around it is gone.
            out.append(token[0].replace("<", "&lt;"))
            continue
        if token.name in ("svg", "math"):
            foreign = not token.closing and not source[token.start : token.end].endswith("/>")
        elif token.name in _BREAKOUT:
            foreign = False
        if foreign or token.name in _HIDING:
            out.append(" ")
            continue
        if len(token.inner) > MAX_ATTRIBUTES and token.attribute_count() > MAX_ATTRIBUTES:
            return None
        out.append(source[token.start : token.end])
        if token.name in _VOID:
            continue
        if token.closing:
            ghosts = max(0, ghosts + _close(open_tags, token.name))
        else:
            closes = _CLOSES.get(token.name)
            while closes and open_tags and open_tags[-1] in closes:
                open_tags.pop()
            open_tags.append(token.name)
            if len(open_tags) + ghosts > MAX_NESTING:
                return None
    return "".join(out)


def _close(open_tags: list[str], name: str) -> int:
    """Close what an end tag closes at the least; in doubt an element counts as open. Returns the change in ghosts."""
    top = len(open_tags) - 1
    while name in _REACHING and top >= 0 and open_tags[top] in _IMPLIED and open_tags[top] != name:
        top -= 1
    if top >= 0 and open_tags[top] == name:
        del open_tags[top:]
        return 0
    if name in _FORMATTING:
        # Misnested: the element goes, what stood inside stays open. Or it closes one that was closed from outside before.
        for at in range(len(open_tags) - 1, -1, -1):
            if open_tags[at] == name:
                del open_tags[at]
                return 0
        return -1
    if name not in _BLOCKS:
        return 0
    for at in range(len(open_tags) - 1, -1, -1):
        if open_tags[at] == name:
            inside = sum(tag in _FORMATTING for tag in open_tags[at:])
            del open_tags[at:]
            return inside
        if open_tags[at] == "table":  # an end tag reaches no further than its table
            return 0
    return 0
