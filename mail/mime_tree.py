"""Raw bytes as a tree of MIME entities (RFC 2045, RFC 2046): where each part begins and ends and what it says it is.

Promises linear work per level and the caps of `mail.limits`; what a part means to a reader is decided in `mail.parts`.
Nothing is looked into below message/rfc822: a forwarded mail is one attachment.
"""

import re
from dataclasses import dataclass, field

from mail.headers import RawHeaders, parse_parameters, raw_text, split_headers
from mail.limits import Limits, TooComplex
from mail.transfer_encodings import decode_transfer

_TOKEN_PAIR = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_GUESSED = re.compile(rb"^--([!-~](?:[!-~ ]{0,200}[!-~])?)[ \t]*\r?$", re.MULTILINE)
_GUESS_WINDOW = 65_536


@dataclass(slots=True)
class Entity:
    """One header block with its body. Leaves have `body`, multiparts have `children`; never both.

    `content_type` is how the part is read, `declared_type` what it called itself: a multipart without any boundary is
    read as text.
    """

    headers: RawHeaders
    content_type: str
    declared_type: str
    params: dict[str, str]
    disposition: str
    disposition_params: dict[str, str]
    encoding: str
    content_id: str | None
    body: bytes = b""
    place: tuple[int, int] | None = None  # where `body` lies in the raw mail, unless something around it was decoded
    children: list["Entity"] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        return bool(self.children)

    @property
    def filename(self) -> str:
        """As the sender wrote it; it has passed no check yet."""
        return self.disposition_params.get("filename") or self.params.get("name") or ""

    def leaves(self) -> list["Entity"]:
        """All leaves below, in order of appearance."""
        if not self.children:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


@dataclass(slots=True)
class _Reading:
    raw: bytes
    limits: Limits
    defects: list[str] = field(default_factory=list)
    parts: int = 0


def read_tree(raw: bytes, limits: Limits) -> tuple[Entity, int, list[str]]:
    """(root, offset of its body, defects). Raises TooComplex for depth, parts and header sizes."""
    reading = _Reading(raw, limits)
    root, body_at = _entity(raw, 0, len(raw), "text/plain", 0, reading)
    return root, body_at, reading.defects


def _entity(data: bytes, start: int, end: int, default: str, depth: int, reading: _Reading) -> tuple[Entity, int]:
    if depth > reading.limits.depth:
        raise TooComplex("depth")
    headers, body_at, defects = split_headers(data, start, end, reading.limits, root=depth == 0)
    reading.defects.extend(defects)
    entity = _described(headers, default)
    if entity.content_type.startswith("multipart/"):
        _read_children(entity, data, body_at, end, depth, reading)
    if not entity.children:
        reading.parts += 1
        if reading.parts > reading.limits.parts:
            raise TooComplex("parts")
        entity.body = data[body_at:end]
        entity.place = (body_at, end) if data is reading.raw else None
    return entity, body_at


def _described(headers: RawHeaders, default: str) -> Entity:
    first: dict[str, bytes] = {}
    for name, value in headers:
        low = name.lower()
        if low.startswith("content-") and low not in first:
            first[low] = value
    content_type = default
    params: dict[str, str] = {}
    if "content-type" in first:
        main, params = parse_parameters(raw_text(first["content-type"]))
        # RFC 2045 §5.2: what is not of the form type/subtype is text/plain.
        content_type = main if _TOKEN_PAIR.fullmatch(main) else "text/plain"
    disposition = ""
    disposition_params: dict[str, str] = {}
    if "content-disposition" in first:
        disposition, disposition_params = parse_parameters(raw_text(first["content-disposition"]))
    content_id = raw_text(first["content-id"]).strip() if "content-id" in first else ""
    content_id = content_id.removeprefix("<").removesuffix(">").strip()[:998]
    return Entity(
        headers=headers,
        content_type=content_type,
        declared_type=content_type,
        params=params,
        disposition=disposition,
        disposition_params=disposition_params,
        encoding=raw_text(first["content-transfer-encoding"]) if "content-transfer-encoding" in first else "",
        content_id=content_id or None,
    )


def _read_children(entity: Entity, data: bytes, start: int, end: int, depth: int, reading: _Reading) -> None:
    boundary = entity.params.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
    spans = _spans(data, start, end, boundary) if boundary else []
    if not spans and entity.encoding.strip().lower() in {"base64", "quoted-printable"}:
        # RFC 2045 §6.4 forbids it for multiparts; seen in practice from gateways that encode whole bodies.
        decoded, _ = decode_transfer(data[start:end], entity.encoding)
        decoded_spans = _spans(decoded, 0, len(decoded), boundary) if boundary else []
        if decoded_spans:
            reading.defects.append("multipart_encoded")
            data, spans = decoded, decoded_spans
    if not spans:
        guessed = _guess_boundary(data, start, end)
        if guessed is not None:
            reading.defects.append("boundary_guessed")
            spans = _spans(data, start, end, guessed)
    if not spans:
        reading.defects.append("boundary_missing")
        entity.content_type = "text/plain"
        return
    default = "message/rfc822" if entity.content_type == "multipart/digest" else "text/plain"  # RFC 2046 §5.1.5
    for part_start, part_end in spans:
        if data[part_start:part_end].strip():
            child, _ = _entity(data, part_start, part_end, default, depth + 1, reading)
            entity.children.append(child)
    if not entity.children:
        entity.content_type = "text/plain"


def _spans(data: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Where the parts lie between the delimiter lines of RFC 2046 §5.1.1.

    A missing close delimiter ends the last part with the enclosing one; parts after a premature close are parts too.
    """
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    part_start = -1
    position = start
    while (at := data.find(delimiter, position, end)) >= 0:
        position = at + len(delimiter)
        if at > start and data[at - 1] != 0x0A:
            continue
        newline = data.find(b"\n", position, end)
        line_end = end if newline < 0 else newline
        if line_end - position > 1_000:  # a delimiter line is short; do not slice a megabyte to find out
            continue
        rest = data[position:line_end].rstrip(b" \t\r")
        if rest not in {b"", b"--"}:
            continue
        if part_start >= 0:
            spans.append((part_start, _before_line_break(data, part_start, at)))
        position = end if newline < 0 else newline + 1
        part_start = position if rest == b"" else -1
    if 0 <= part_start < end:
        spans.append((part_start, end))
    return spans


def _before_line_break(data: bytes, start: int, at: int) -> int:
    """The line break before a delimiter belongs to the delimiter (RFC 2046 §5.1.1)."""
    if at > start and data[at - 1] == 0x0A:
        at -= 1
        if at > start and data[at - 1] == 0x0D:
            at -= 1
    return at


def _guess_boundary(data: bytes, start: int, end: int) -> bytes | None:
    """The boundary of a multipart that names none: the first `--…` line that is followed by a header line."""
    window = data[start : min(end, start + _GUESS_WINDOW)]
    for match in _GUESSED.finditer(window):
        following = window[match.end() + 1 : match.end() + 80].lower()
        if following.startswith((b"content-", b"mime-version:")):
            return match[1]
    return None
