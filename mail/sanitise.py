"""HTML of strangers made fit to show: an allow-list of elements, attributes, addresses and styles (integrity X-1).

Promises no script, no form, no style sheet and no remote load in what it returns, and marks links that name one host and
lead to another. It must be the last step before `mail.frame`: nothing edits the HTML after it. The frame holds even if
all of this failed.
"""

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import nh3

from mail.html_contorted import calmed
from mail.html_scan import Tag, tags_and_text, unescaped
from mail.html_text import html_to_text
from mail.linkify import text_to_html
from mail.styles import loads_remotely, safe_style

# Part of every cache key of rendered mail: raise it with every change of what this file or mail.styles lets through.
SANITISER_VERSION = 2

_TAGS = {
    "a", "abbr", "acronym", "address", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strike", "strong", "sub",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var", "wbr", "article", "header", "footer", "main",
}  # fmt: skip
# Elements whose content is no text for a reader. Everything else unknown is unwrapped: its text stays.
_DROPPED_WHOLE = {
    "script", "style", "svg", "math", "template", "noscript", "iframe", "object", "embed", "applet", "title", "textarea", "select",
    "audio", "video", "canvas", "xmp", "noembed", "noframes", "plaintext",
}  # fmt: skip
_CELL = {"align", "valign", "width", "height", "bgcolor", "colspan", "rowspan", "nowrap"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "dir", "lang", "title", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "border"},
    "table": {"width", "height", "bgcolor", "border", "cellpadding", "cellspacing", "background"},
    "td": _CELL | {"background"},
    "th": _CELL | {"background"},
    "tr": {"valign", "bgcolor", "height"},
    "col": {"width", "span"},
    "colgroup": {"width", "span"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value", "type"},
    "hr": {"width", "size", "noshade", "color"},
}
_SIMPLE = re.compile(r"[A-Za-z0-9#%.,+\- ]{0,100}")
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*", re.IGNORECASE)
_IGNORED_IN_URL = re.compile(r"[\t\r\n]")  # WHATWG URL: removed wherever they stand
_REMOTE = re.compile(r"(?:https?:)?[/\\]{2}", re.IGNORECASE)
_HOST = re.compile(r"(?:https?://)?(?:[^\s/@]{1,100}@)?((?:[a-z0-9\u00a1-\uffff-]{1,63}\.)+[a-z\u00a1-\uffff]{2,24})(?::\d{1,5})?(?:[/?#]|$)", re.IGNORECASE)
_MAX_DATA_IMAGE = 2 * 1024 * 1024
_MARK = "data-goes-to"


@dataclass(frozen=True, slots=True)
class SanitisedHtml:
    """Body content (no html, head or body element) and how many remote loads were taken out of it."""

    html: str
    remote_blocked: int


@dataclass(slots=True)
class _Filter:
    """Decides on each attribute value that the allow-list let through; nh3 calls it in document order."""

    cid_urls: Mapping[str, str]
    remote_images: bool
    image_proxy: Callable[[str], str] | None
    blocked: int = 0
    _by_lower: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_lower = {key.strip("<>").lower(): url for key, url in self.cid_urls.items()}

    def __call__(self, tag: str, attribute: str, value: str) -> str | None:
        if attribute == "style":
            if loads_remotely(value):
                self.blocked += 1
            return safe_style(value) or None
        if attribute == "href":
            return _safe_link(value) if tag == "a" else None
        if attribute == "src":
            return self._image(value) if tag == "img" else None
        if attribute == "background":
            self.blocked += 1
            return None
        if attribute in {"title", "alt", "lang", "dir", "target"}:  # target is never a mail's: it is not in the allow-list
            return value
        return value if _SIMPLE.fullmatch(value) is not None else None

    def _image(self, value: str) -> str | None:
        url = _IGNORED_IN_URL.sub("", value).strip("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x1b ")
        if url[:4].lower() == "cid:":
            name = url[4:]
            return self.cid_urls.get(name) or self._by_lower.get(unquote(name).strip("<>").lower())
        if url[:5].lower() == "data:":
            return url if len(url) <= _MAX_DATA_IMAGE and _DATA_IMAGE.fullmatch(url) is not None else None
        if _REMOTE.match(url) is None:
            return None
        if not self.remote_images:
            self.blocked += 1
            return None
        if not url[:6].lower().startswith(("http:", "https:")):
            url = f"https:{url}".replace("\\", "/")
        return self.image_proxy(url) if self.image_proxy is not None else url


def _safe_link(value: str) -> str | None:
    """Absolute http, https and mailto only: a relative link in the frame would resolve against this application."""
    url = _IGNORED_IN_URL.sub("", value).strip(" \x00\x0b\x0c\x1b")
    low = url[:8].lower()
    if low.startswith(("http://", "https://")):
        return url
    return url if low.startswith("mailto:") else None


def sanitise_html(
    html: str,
    *,
    cid_urls: Mapping[str, str],
    remote_images: bool = False,
    image_proxy: Callable[[str], str] | None = None,
    mark_links: bool = True,
) -> SanitisedHtml:
    """Sanitised body content of any HTML, in any state; HTML made to exhaust the parser comes back as its plain text.

    `cid_urls` maps Content-IDs (without brackets) to this application's own image addresses, which are trusted.
    `remote_images` keeps http(s) images: rewritten by `image_proxy` where one is given (integrity X-4), else as they are,
    and then the frame's policy must let them load. `mark_links=False` is for mail that leaves: the marks are for our frame.
    """
    calm = calmed(html)
    if calm is None:
        return SanitisedHtml(html=text_to_html(html_to_text(html)), remote_blocked=0)
    chooser = _Filter(cid_urls, remote_images, image_proxy)
    clean = _clean(calm, _ATTRIBUTES, chooser)
    marked = _mark_misleading(clean) if mark_links else clean
    if marked is not clean:
        # Once more over the marked text, so that the sanitiser keeps the last word. All it lets through is already safe,
        # so the second pass only checks that the marks changed nothing else.
        attributes = {**_ATTRIBUTES, "a": _ATTRIBUTES["a"] | {_MARK}}
        clean = _clean(marked, attributes, _second_pass)
    return SanitisedHtml(html=clean, remote_blocked=chooser.blocked)


def _second_pass(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return safe_style(value) or None
    if attribute == "href":
        return _safe_link(value) if tag == "a" else None
    return value


def _clean(html: str, attributes: Mapping[str, AbstractSet[str]], chooser: Callable[[str, str, str], str | None]) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=attributes,
        attribute_filter=chooser,
        strip_comments=True,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"referrerpolicy": "no-referrer"}},
        url_schemes={"http", "https", "mailto", "cid", "data"},  # cid and data for images only: the filter sees to it
        url_relative="pass_through",  # only ever this application's own image addresses, again by the filter
    )


def _mark_misleading(clean: str) -> str:
    """`data-goes-to` on links whose text names a host that they do not lead to (integrity X-5); the frame shows it.

    Works on serialised, already sanitised HTML, where every attribute is quoted.
    """
    out: list[str] = []
    position = 0
    link: Tag | None = None
    text: list[str] = []
    for token in tags_and_text(clean):
        if not isinstance(token, Tag):
            if link is not None:
                text.append(token[0])
        elif token.name == "a":
            if not token.closing:
                link, text = token, []
            elif link is not None:
                host = misleading_host(unescaped("".join(text)), link.attribute("href"))
                if host:
                    out.append(f'{clean[position : link.end - 1]} {_MARK}="{host}"')
                    position = link.end - 1
                link = None
    if not out:
        return clean
    out.append(clean[position:])
    return "".join(out)


def misleading_host(text: str, href: str) -> str:
    """The host that a link leads to, when its text names another one; "" otherwise.

    `www.` and subdomains of the named host are the same house: shops write `example.com` and link to `mail.example.com`.
    """
    named = _HOST.match(text.strip().lower()[:400])
    if named is None:
        return ""
    try:
        actual = (urlsplit(href).hostname or "").lower() if href.lower().startswith("http") else ""
    except ValueError:
        actual = href[:100]
    claimed = named[1].removeprefix("www.")
    if not actual or actual.removeprefix("www.") == claimed or actual.endswith("." + claimed):
        return ""
    return re.sub(r"[^a-z0-9.\-\[\]:]", "?", _ascii_host(actual))[:253]


def _ascii_host(host: str) -> str:
    """Letters of other scripts as punycode: look-alikes show themselves."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
