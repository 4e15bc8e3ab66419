"""One header block: split into fields, decoded (RFC 2047, RFC 6532, raw 8-bit) and read as parameters (RFC 2231).

Promises an answer for any bytes in linear time; the meaning of each field is left to the files named after it.
"""

import binascii
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from mail.charsets import decode_text, detect_text
from mail.display_text import scrubbed
from mail.limits import Limits, TooComplex

RawHeaders = list[tuple[str, bytes]]

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
# After a line that is no header, only a well-known field name tells that headers go on and the text has not begun.
_KNOWN_NAME = re.compile(
    rb"(?:received|return-path|delivered-to|from|sender|reply-to|to|cc|bcc|subject|date|message-id|in-reply-to|references|"
    rb"mime-version|content-[a-z-]+|x-[a-z0-9-]+|dkim-signature|authentication-results|arc-[a-z-]+|list-[a-z-]+)[ \t]*:",
    re.IGNORECASE,
)
# A parameter at the start of a line: a folded Content-Type whose fold lost its space. Seen in reports of Exchange Online.
_LOST_FOLD = re.compile(rb"[A-Za-z*0-9-]{1,40}[ \t]*=[ \t]*[^ \t=]")
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_MAIN = re.compile(r"\s*([^\s;()\"=]+)")
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^;]*+)', re.DOTALL)
_CONTINUED = re.compile(r"^(.+?)\*(\d{1,4})?(\*)?$")
_MAX_PARAMETERS = 200


def split_headers(data: bytes, start: int, end: int, limits: Limits, *, root: bool) -> tuple[RawHeaders, int, list[str]]:
    """(fields in order, offset where the body begins, defects) of the entity in data[start:end].

    Folded lines are joined with one space. An mbox `From ` line and empty lines before the first field are passed over
    at the root. Raises TooComplex over the caps.
    """
    fields: RawHeaders = []
    defects: list[str] = []
    position = _first_field(data, start, end) if root else start
    first = position
    name, value = "", bytearray()
    while position < end:
        newline = data.find(b"\n", position, end)
        stop = end if newline < 0 else newline
        after = end if newline < 0 else newline + 1
        if stop - position > limits.header_bytes:
            raise TooComplex("header_bytes")
        line = data[position:stop]
        if line.endswith(b"\r"):
            line = line[:-1]
        if not line:
            position = after
            break
        if after - first > limits.headers_bytes:
            raise TooComplex("headers_bytes")
        if line[0] in b" \t" and name:
            value += b" " + line.strip(b" \t")
            if len(value) > limits.header_bytes:
                raise TooComplex("header_bytes")
        elif (match := _NAME.match(line)) is not None:
            if name:
                fields.append((name, bytes(value)))
            name, value = match[1].decode("ascii"), bytearray(line[match.end() :].strip(b" \t"))
        elif line.startswith((b"From ", b">From ")) and not fields and not name:
            pass
        elif name.lower().startswith("content-") and _LOST_FOLD.match(line) is not None:
            value += b" " + line.strip(b" \t")
            defects.append("header_fold_lost")
        elif root and _KNOWN_NAME.match(data, after, end):
            defects.append("header_malformed")
        else:
            defects.append("header_separator_missing")
            break
        position = after
    if name:
        fields.append((name, bytes(value)))
    return fields, min(position, end), defects


def _first_field(data: bytes, start: int, end: int) -> int:
    position = start
    while position < end and data[position] in b"\r\n":
        position += 1
    # Empty lines and then no header: that is a mail without headers, and the empty lines are its separator.
    return position if _NAME.match(data, position, end) or data.startswith((b"From ", b">From "), position, end) else start


def raw_text(value: bytes) -> str:
    """A field value as characters, encoded words left alone: ASCII, UTF-8 (RFC 6532), or a guess at raw 8-bit."""
    if value.isascii() and b"\x1b" not in value:
        return scrubbed(value.decode("ascii"))
    return detect_text(value)


def decode_value(value: bytes) -> str:
    """A field value as people read it."""
    return decode_words(raw_text(value))


def decode_words(text: str) -> str:
    """RFC 2047 undone. Adjacent words are joined as bytes first, since senders split characters across words.

    Words that do not decode stay as written, so nothing a person could still read is lost.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending = b""
    charset = ""
    cut = ""  # a base64 payload that ended inside a group of four: its next word goes on there
    position = 0
    for match in _WORD.finditer(text):
        payload = match[3]
        between = text[position : match.start()]
        adjoins = bool(pending or cut) and not between.strip() and match[1].lower() == charset
        if adjoins and cut and match[2] in "bB":
            whole = _word_bytes("B", cut + payload)
            if whole is not None:
                pending = pending[: len(pending) - len(_word_bytes("B", cut) or b"")]
                decoded: bytes | None = whole
                payload = cut + payload
            else:
                decoded = _word_bytes(match[2], payload)
        else:
            decoded = _word_bytes(match[2], payload)
        if decoded is None:
            continue
        if not adjoins:
            if pending:
                out.append(decode_text(pending, charset)[0])
            if not pending or between.strip():
                out.append(between)
            pending = b""
        pending += decoded
        cut = payload if match[2] in "bB" and not payload.endswith("=") and len(payload) % 4 else ""
        charset = match[1].lower()
        position = match.end()
    if pending:
        out.append(decode_text(pending, charset)[0])
    out.append(text[position:])
    return scrubbed("".join(out))


def _word_bytes(encoding: str, payload: str) -> bytes | None:
    """The bytes of one word, or None when they cannot be told."""
    try:
        raw = payload.encode("ascii")
    except UnicodeEncodeError:
        raw = payload.encode()
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b" ", b"_"), header=True)
    raw = raw.replace(b" ", b"").rstrip(b"=")
    if len(raw) % 4 == 1:
        if len(raw) == 1:
            return None
        raw = raw[:-1]
    try:
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4), strict_mode=True)
    except binascii.Error:
        return None


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """(main value in lower case, parameters by lower-case name) of Content-Type, Content-Disposition and the like.

    RFC 2231 continuations and charsets, and the RFC 2047 words that senders put into file names against the rule, are
    decoded. `value` is what `raw_text` gave. The first of two equal names wins.
    """
    main = _MAIN.match(value)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    if ";" not in value:
        return (main[1].lower() if main else ""), plain
    for number, match in enumerate(_PARAMETER.finditer(value)):
        if number >= _MAX_PARAMETERS:
            break
        name, text = match[1].lower(), _unquoted(match[2])
        starred = _CONTINUED.match(name) if "*" in name else None
        if starred is None:
            plain.setdefault(name, decode_words(text))
        else:
            index = int(starred[2]) if starred[2] is not None else -1
            pieces.setdefault(starred[1], {}).setdefault(index, (text, starred[3] is not None or starred[2] is None))
    for name, found in pieces.items():
        plain[name] = _joined(found)  # RFC 5987 §4.2 and RFC 2231: the extended form is the better one
    return (main[1].lower() if main else ""), plain


def _unquoted(text: str) -> str:
    text = text.strip()
    if not text.startswith('"'):
        return text.strip("'") if len(text) > 1 and text[0] == text[-1] == "'" else text
    inner = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
    # Only these two pairs are undone: `C:\new\file.txt` in quotes comes from senders that never heard of quoted pairs.
    return inner.replace('\\"', '"').replace("\\\\", "\\")


def _joined(found: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 §3 and §4: pieces by number, percent-decoded where starred, in the charset of the first piece."""
    keys: Iterable[int] = [-1] if -1 in found else sorted(found)
    charset: str | None = None
    raw = bytearray()
    for order, key in enumerate(keys):
        text, encoded = found[key]
        if encoded:
            if order == 0 and text.count("'") >= 2:
                charset, _, text = text.split("'", 2)
            raw += unquote_to_bytes(text)
        else:
            raw += text.encode("utf-8", "replace")
    return decode_words(decode_text(bytes(raw), charset or "utf-8")[0])
