"""Tells what is new in a mail from the history it quotes, so that a conversation can be read without repetition.

Promises that nothing is lost (every line is in the visible or in the quoted part), that a mail never becomes empty by
folding, and linear time. A signature stays with the visible part and is pointed out: it was written with this mail.
"""

import re
from dataclasses import dataclass

from mail.html_scan import Tag, tags_and_text, unescaped
from mail.quote_words import (
    ATTRIBUTIONS,
    DEVICE_SIGNATURES,
    ENDINGS,
    FORWARDS,
    FROM_LABELS,
    ORIGINALS,
    OTHER_LABELS,
)

_MAX_ATTRIBUTION_LINES = 4
_MAX_ATTRIBUTION_CHARS = 500
_DASHES = re.compile(r"^[\s>*]*[-–—_=*]{2,}[ \t]*([^-–—_=*].{0,120}?)[ \t]*(?:[-–—_=*]{2,}[ \t]*)?$")
_RULE = re.compile(r"^\s*[_\u2500-]{20,}\s*$")
_LABEL = re.compile(r"^[\s>]*\*{0,2}([^\s:*：][^:*：]{0,24}?)\s{0,3}(?:\*{0,2}\s{0,3}[:：]|[:：]\*{0,2})")
_TIME_OR_YEAR = re.compile(r"\d{1,2}[:.h時时시]\d{2}|(?:19|20)\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_DIGIT = re.compile(r"\d")
_ADDRESS = re.compile(r"[^\s@<>\[]{1,64}@[^\s@<>]{1,250}\.[a-z]{2,24}", re.IGNORECASE)
_SIGNATURE_WINDOW = 30
_RULED = frozenset("-–—_=*>\u2500")  # what a line drawn above history, or the mark of a forwarded mail, begins with
_DEVICE_BEGINNINGS = frozenset(words[:3] for words in DEVICE_SIGNATURES)
_VERBS = (*ENDINGS, *{verb for _, verbs in ATTRIBUTIONS for verb in verbs})
_BEGINNINGS = tuple({begin for begins, _ in ATTRIBUTIONS for begin in begins})


@dataclass(frozen=True, slots=True)
class Visible:
    """`visible` and `quoted` together hold every line of the text. `signature` is the tail of `visible` that may be folded too."""

    visible: str
    quoted: str
    signature: str = ""


def split_visible(text: str) -> Visible:
    """Split plain text with LF line ends. Answers written below or between quotes keep the quotes they answer."""
    lines = text.split("\n")
    kept = _kept(lines)
    visible = "\n".join(line for line, keep in zip(lines, kept, strict=True) if keep)
    if not visible.strip():
        return _signed(text.strip("\n").rstrip(), "")
    quoted = "\n".join(line for line, keep in zip(lines, kept, strict=True) if not keep)
    return _signed(visible.strip("\n").rstrip(), quoted.strip("\n").rstrip())


def _signed(visible: str, quoted: str) -> Visible:
    lines = visible.split("\n")
    first = max(1, len(lines) - _SIGNATURE_WINDOW)
    for index in range(first, len(lines)):
        if lines[index] in {"-- ", "--"}:
            return Visible(visible, quoted, "\n".join(lines[index:]))
        line = lines[index].strip()
        if line[:3].lower() in _DEVICE_BEGINNINGS and len(line) < 120 and line.lower().startswith(DEVICE_SIGNATURES):
            return Visible(visible, quoted, "\n".join(lines[index:]))
    return Visible(visible, quoted)


class _Lines:
    """The lines of a text with what the search for quotes asks of each again and again, asked once."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.stripped = [line.strip() for line in lines]
        self.quoted = [_is_quoted(line) for line in lines]
        # Where the next line that ends in a colon stands, from each line on: an attribution ends in one.
        self.colon = [len(lines)] * (len(lines) + 1)
        for index in range(len(lines) - 1, -1, -1):
            ends = self.stripped[index].endswith((":", "："))
            self.colon[index] = index if ends else self.colon[index + 1]

    def __len__(self) -> int:
        return len(self.lines)


def _kept(lines: list[str]) -> list[bool]:
    """For each line whether it stays visible."""
    kept = [True] * len(lines)
    text = _Lines(lines)
    blocks: list[tuple[int, int]] = []  # [start, end) of `>` blocks with the attribution above them
    end = len(lines)
    index = 0
    while index < len(lines):
        line = text.stripped[index]
        if not line:
            index += 1
        elif text.quoted[index]:
            stop = _quote_end(text, index)
            blocks.append((index, stop))
            index = stop
        elif line[0] not in _RULED and ":" not in line and "：" not in line and text.colon[index] >= index + _MAX_ATTRIBUTION_LINES:
            index += 1  # nothing below can hold; most lines of most mails end here
        elif _is_forward(lines[index]):
            break
        elif _begins_history(lines, index):
            end = index
            break
        elif (after := _attribution_end(text, index)) > index:
            follows = _next_text(text, after)
            if follows < len(lines) and text.quoted[follows]:
                stop = _quote_end(text, follows)
                blocks.append((index, stop))
                index = stop
            elif follows < len(lines) and _certain(lines, index, after):
                end = index
                break
            else:
                index = after
        else:
            index += 1
    for position in range(end, len(lines)):
        kept[position] = False
    for start, stop in _foldable(text, blocks, end):
        for position in range(start, stop):
            kept[position] = False
    return kept


def _foldable(text: _Lines, blocks: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The quote blocks to fold: those at the end, and one at the beginning that is answered below."""
    if not blocks:
        return []
    signature = next((i for i, line in enumerate(text.lines) if line in {"-- ", "--"}), end)
    quoted = {i for start, stop in blocks for i in range(start, stop)}
    last = next((i for i in range(min(end, signature) - 1, -1, -1) if i not in quoted and text.stripped[i]), -1)
    inner = [block for block in blocks if block[1] <= last]
    trailing = blocks[len(inner) :]
    if len(inner) == 1:
        start = inner[0][0]
        above = any(text.stripped[i] for i in range(start))
        attributed = not text.quoted[start]
        if not above or attributed:
            return [*inner, *trailing]
    return trailing


def _is_quoted(line: str) -> bool:
    return line.lstrip(" \t\u00a0").startswith((">", "＞"))


def _quote_end(text: _Lines, start: int) -> int:
    """After the last quoted line of the block; blank lines inside belong to it."""
    last = start
    index = start
    while index < len(text):
        if text.quoted[index]:
            last = index
        elif text.stripped[index]:
            break
        index += 1
    return last + 1


def _next_text(text: _Lines, start: int) -> int:
    while start < len(text) and not text.stripped[start]:
        start += 1
    return start


def _is_forward(line: str) -> bool:
    low = line.strip(" \t>*-–—_=:").lower()
    return len(low) < 120 and low.startswith(FORWARDS) and (line.lstrip()[:1] in "-–—_=" or line.rstrip().endswith(":"))


def _begins_history(lines: list[str], index: int) -> bool:
    """An «Original Message» rule, or the header block of Outlook with or without a line drawn above it."""
    line = lines[index]
    if len(line) > 200:
        return False
    dashed = _DASHES.match(line)
    if dashed is not None and dashed[1].strip().lower().startswith(ORIGINALS):
        return True
    if _RULE.match(line):
        below = next((i for i in range(index + 1, min(index + 4, len(lines))) if lines[i].strip()), len(lines))
        return below < len(lines) and _is_header_block(lines, below)
    return _is_header_block(lines, index)


def _is_header_block(lines: list[str], index: int) -> bool:
    if _label(lines[index]) not in FROM_LABELS:
        return False
    others: set[str] = set()
    seen = 0
    for line in lines[index + 1 : index + 12]:
        label = _label(line)
        if label in OTHER_LABELS:
            others.add(label)
        elif not line.strip():
            seen += 1
            if seen > 5:  # some programs put a blank line after every header
                break
    return len(others) >= 2


def _label(line: str) -> str:
    match = _LABEL.match(line[:200])
    return match[1].strip().lower() if match is not None else ""


def _attribution_end(text: _Lines, index: int) -> int:
    """The index after the attribution that begins here («On …, … wrote:», over up to four lines), or `index`."""
    joined = ""
    if text.colon[index] >= index + _MAX_ATTRIBUTION_LINES:
        return index
    for offset in range(_MAX_ATTRIBUTION_LINES):
        if index + offset >= len(text):
            break
        line = text.stripped[index + offset]
        if not line or _is_quoted(line):
            break
        if offset == 1 and not _may_begin_attribution(joined):
            return index
        joined = f"{joined} {line}" if joined else line
        if len(joined) > _MAX_ATTRIBUTION_CHARS:
            break
        if line.endswith((":", "：")):
            return index + offset + 1 if _is_attribution(joined) else index
    return index


def _may_begin_attribution(line: str) -> bool:
    """Over several lines the first must carry the date, or the sentence above would be taken for a part of it."""
    if _DIGIT.search(line) is None:
        return False
    return line.lower().startswith(_BEGINNINGS) or _TIME_OR_YEAR.search(line) is not None


def _is_attribution(joined: str) -> bool:
    """A line ending in a colon that names a moment or a mailbox, or uses a known verb: what quotes stand under."""
    low = joined.rstrip(":： \u00a0").lower()
    if low.endswith(_VERBS):
        return True
    if _TIME_OR_YEAR.search(joined) is None:
        return False
    return "@" in joined or any(c in joined for c in "<[(") or _begins_and_says(low)


def _begins_and_says(low: str) -> bool:
    """Known beginning, and the verb of the same language behind it, at the end or before the name («schrieb Jane»)."""
    return any(low.startswith(begins) and any(f" {verb}" in low for verb in verbs) for begins, verbs in ATTRIBUTIONS)


def _certain(lines: list[str], start: int, end: int) -> bool:
    """Without quote marks below, only the full form counts: known beginning, known verb, and a date or an address."""
    low = " ".join(line.strip() for line in lines[start:end]).rstrip(":： \u00a0").lower()
    if _TIME_OR_YEAR.search(low) is None and _ADDRESS.search(low) is None:
        return False
    return low.endswith(ENDINGS) or _begins_and_says(low)


# — HTML —

_QUOTE_CLASSES = re.compile(
    r"(?:^|\s)(?:gmail_quote|gmail_quote_container|yahoo_quoted|moz-cite-prefix|protonmail_quote|tutanota_quote|zmail_extra|"
    r"quoted-text|qt|front-blockquote|ms-outlook-mobile-reference-message)(?:\s|$)",
    re.IGNORECASE,
)
_QUOTE_IDS = {"divrplyfwdmsg", "appendonsend", "mail-editor-reference-message-container", "olk_src_body_section", "reply-intro", "originalmessage"}  # fmt: skip
# Outlook draws this line above the headers of what it quotes and marks it in no other way.
_OUTLOOK_LINE = re.compile(
    r"border:\s?none;\s?border-top:\s?solid\s#(?:e1e1e1|b5c4df)\s1\.0pt;\s?padding:\s?3\.0pt\s(?:0in|0cm|0)\s", re.IGNORECASE
)
_FORWARD_HINT = re.compile("|".join(re.escape(f) for f in FORWARDS), re.IGNORECASE)


def split_visible_html(source: str) -> tuple[str, str]:
    """(what is new, the quoted history) of an HTML body, cut in front of the first mark of a known mail program.

    Neither part is sanitised and the first may leave elements open: give both to `mail.sanitise`. A forwarded mail, an
    answer below or between quotes, and a mail that is nothing but a quote are left whole: the second part is "".
    """
    cut: Tag | None = None
    open_ended = False
    depth = 0
    closed = False
    written = False
    quoted_text: list[str] = []
    for token in tags_and_text(source):
        if cut is None:
            if not isinstance(token, Tag):
                written = written or bool(unescaped(token[0]).strip())
                continue
            kind = "" if token.closing else _quote_mark(token)
            if kind and written:
                cut, open_ended, depth = token, kind == "open", 1
        elif isinstance(token, Tag):
            if not open_ended and not closed and token.name == cut.name:
                depth += -1 if token.closing else 1
                closed = depth == 0
            elif closed and not token.closing and _quote_mark(token):
                cut_again = _quote_mark(token)  # moz-cite-prefix, then the blockquote: one quote in two elements
                closed, open_ended, depth = False, cut_again == "open", 1
                cut = Tag(token.name, closing=False, start=cut.start, end=cut.end, inner=cut.inner)
            elif closed and token.name == "img" and not token.closing:
                return source, ""
        else:
            text = unescaped(token[0]).strip()
            if closed and text:
                return source, ""
            if len(quoted_text) < 20 and text:
                quoted_text.append(text)
    if cut is None or _FORWARD_HINT.search(" ".join(quoted_text)[:400]):
        return source, ""
    return source[: cut.start], source[cut.start :]


def _quote_mark(tag: Tag) -> str:
    """"element" when a quote is this element, "open" when it is everything from here on, "" otherwise."""
    if tag.name == "blockquote":
        low = tag.inner.lower()
        return "element" if "cite" in low or "quote" in low else ""
    if tag.name not in {"div", "hr", "table", "p", "section", "span"} or "=" not in tag.inner:
        return ""
    if tag.attribute("id").lower().removeprefix("x_") in _QUOTE_IDS:
        return "open"
    if tag.name in {"div", "table", "section"} and _QUOTE_CLASSES.search(tag.attribute("class")[:300]):
        return "element"
    if tag.name == "div" and _OUTLOOK_LINE.search(tag.attribute("style")[:300]):
        return "open"
    return ""
