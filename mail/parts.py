"""Which parts of a mail are its body and which are shown as attachments: every leaf is one or the other.

Promises that no leaf disappears: what is not chosen as text or HTML comes back as a `Part`, containers that hide files
(winmail.dat, uuencoded blocks) are opened or shown whole. Safety of names is `mail.filenames`, of HTML `mail.sanitise`.
"""

import hashlib
import html
import re
from dataclasses import dataclass, field, replace
from itertools import accumulate

from mail.charsets import decode_text
from mail.display_text import displayable, scrubbed
from mail.filenames import safe_filename
from mail.flowed import unflowed
from mail.headers import decode_value, split_headers
from mail.html_contorted import MAX_NESTING, calmed
from mail.html_scan import pictured_content_ids
from mail.html_text import html_to_text
from mail.invites import read_invite
from mail.limits import Limits, TooComplex
from mail.mime_tree import Entity
from mail.tnef import TnefMail, read_tnef
from mail.transfer_encodings import decode_transfer, extract_uuencoded
from mail.values import EncodedPlace, Part

_BODY_TYPES = {"text/plain", "text/html"}
_CALENDAR_TYPES = {"text/calendar", "application/ics"}
_TNEF_TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
_TAG_BEGINS = re.compile(r"</?[a-zA-Z]")
_SUBJECT_BYTES = 32 * 1024
_LONGEST_ENCODING = 40


@dataclass(slots=True)
class Reading:
    """What a mail's tree says to a reader. `html` is as sent; `text_is_from_html` when no text part said it."""

    text: str = ""
    html: str | None = None
    parts: list[Part] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    text_is_from_html: bool = False


@dataclass(slots=True)
class _Choice:
    """The leaves that make the text rendition and those that make the rich one; a plain leaf may stand in both."""

    text: list[Entity] = field(default_factory=list)
    rich: list[Entity] = field(default_factory=list)


def read_parts(root: Entity, limits: Limits) -> Reading:
    """Choose, decode and list. Raises TooComplex when opened containers bring more parts than allowed."""
    choice = _choose(root, alone=True)
    reading = Reading()
    files: list[Part] = []
    bodies = {id(leaf) for leaf in choice.text} | {id(leaf) for leaf in choice.rich}
    decoded: dict[int, str] = {}
    spared: dict[int, list[Part]] = {}
    for leaf in choice.text + [r for r in choice.rich if id(r) not in {id(t) for t in choice.text}]:
        decoded[id(leaf)], spared[id(leaf)] = _body_text(leaf, reading, limits)
    plain = [decoded[id(leaf)] for leaf in choice.text if leaf.content_type != "text/html"]
    rich_html = [leaf for leaf in choice.rich if leaf.content_type == "text/html" and decoded[id(leaf)]]
    if rich_html:
        reading.html = _joined_html(choice.rich, decoded)
    if any(p.strip() for p in plain) or not choice.text:
        reading.text = "\n".join(
            t for t in (_as_text(leaf, decoded[id(leaf)]) for leaf in choice.text) if t.strip()
        )
    tnef: list[TnefMail] = []
    for leaf in root.leaves():
        if id(leaf) in bodies:
            files.extend(spared.get(id(leaf), []))
        else:
            files.extend(_files(leaf, reading, tnef))
        if len(files) > limits.parts:
            raise TooComplex("parts")
    _body_from_containers(reading, tnef, root, limits)
    if not reading.text.strip() and reading.html is not None:
        reading.text, reading.text_is_from_html = html_to_text(reading.html), True
    if reading.html is not None:
        _check_html(reading, files, limits)
    shown = pictured_content_ids(reading.html) if reading.html is not None else set()
    reading.parts = [_placed(part, shown) for part in files]
    return reading


def _choose(entity: Entity, *, alone: bool = False, alternative: bool = False) -> _Choice:
    if not entity.is_multipart:
        if _is_body(entity, alone=alone, alternative=alternative):
            return _Choice([entity], [entity])
        return _Choice()
    if entity.content_type == "multipart/alternative":
        return _choose_alternative(entity)
    if entity.content_type == "multipart/related":
        return _choose(_related_root(entity), alternative=True)
    choice = _Choice()
    for child in entity.children:
        inner = _choose(child, alone=alone and len(entity.children) == 1)
        choice.text += inner.text
        choice.rich += inner.rich
    return choice


def _choose_alternative(entity: Entity) -> _Choice:
    """RFC 2046 §5.1.4: the same content, best last. Text from the first plain rendition, HTML from the last rich one."""
    choices = [_choose(child, alternative=True) for child in entity.children]
    text = next((c.text for c in choices if c.text and all(e.content_type != "text/html" for e in c.text)), None)
    rich = next((c.rich for c in reversed(choices) if any(e.content_type == "text/html" for e in c.rich)), None)
    if text is None:
        text = next((c.text for c in reversed(choices) if c.text), [])
    return _Choice(text, rich if rich is not None else text)


def _related_root(entity: Entity) -> Entity:
    """RFC 2387 §3.2: the part named by `start`, else the first; seen in practice: images in front of the text."""
    start = entity.params.get("start", "").strip("<> ")
    for child in entity.children:
        if start and child.content_id == start:
            return child
    return next(
        (c for c in entity.children if c.is_multipart or c.content_type in _BODY_TYPES), entity.children[0]
    )


def _is_body(entity: Entity, *, alone: bool, alternative: bool) -> bool:
    if entity.content_type not in _BODY_TYPES or entity.disposition == "attachment":
        return False
    # A named text is a file, except where it is the only thing the mail says or one of several renditions of it.
    return not entity.filename or alone or alternative


def _content(entity: Entity, reading: Reading) -> bytes:
    content, defect = decode_transfer(entity.body, entity.encoding)
    if defect:
        reading.defects.append(defect)
    return content


def _body_text(leaf: Entity, reading: Reading, limits: Limits) -> tuple[str, list[Part]]:
    """(characters of a body leaf, files that came out of it or stand in for what is too long)."""
    content = _content(leaf, reading)
    is_html = leaf.content_type == "text/html"
    spared: list[Part] = []
    if len(content) > limits.html_bytes and is_html:
        reading.defects.append("html_too_large")
        spared.append(_part("", "text/html", content, None))
        content = content[: limits.text_from_html_chars]
    text, defect = decode_text(content, leaf.params.get("charset"), html=is_html)
    if defect:
        reading.defects.append(defect)
    if is_html:
        if spared:  # too long to sanitise and to show as HTML: the beginning is shown as text
            leaf.content_type = "text/plain"
            text = html_to_text(text)
        return text, spared
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if leaf.params.get("format", "").lower() == "flowed":
        text = unflowed(text, delete_space=leaf.params.get("delsp", "").lower() == "yes")
    files, text = extract_uuencoded(text)
    spared += [_part(name, "application/octet-stream", data, None) for name, data in files]
    if len(text) > limits.text_chars:
        reading.defects.append("text_too_large")
        spared.append(_part("", "text/plain", content, None))
        text = text[: limits.text_chars]
    return text, spared


def _as_text(leaf: Entity, decoded: str) -> str:
    return html_to_text(decoded) if leaf.content_type == "text/html" else decoded


def _joined_html(leaves: list[Entity], decoded: dict[int, str]) -> str:
    if len(leaves) == 1:
        return decoded[id(leaves[0])]
    pieces = [
        decoded[id(leaf)]
        if leaf.content_type == "text/html"
        else f'<div style="white-space:pre-wrap">{html.escape(decoded[id(leaf)].strip())}</div>'
        for leaf in leaves
        if decoded[id(leaf)].strip()
    ]
    return "\n<hr>\n".join(pieces)


def _files(leaf: Entity, reading: Reading, tnef: list[TnefMail]) -> list[Part]:
    content = _content(leaf, reading)
    name = leaf.filename
    if leaf.content_type in _TNEF_TYPES or name.lower() == "winmail.dat":
        opened = read_tnef(content)
        if opened is None:
            reading.defects.append("tnef_unreadable")
        else:
            tnef.append(opened)
            found = [
                _part(f.name, f.content_type or "application/octet-stream", f.content, f.content_id or None)
                for f in opened.files
                if f.name or f.content
            ]
            if opened.rtf and not (opened.html or opened.text):
                found.append(_part("message.rtf", "application/rtf", opened.rtf, None))
            if found or opened.html or opened.text:
                return found
    if not name and leaf.content_type in {"message/rfc822", "message/global"}:
        name = _inner_subject(content)
    place = None
    if leaf.place is not None and len(leaf.encoding) <= _LONGEST_ENCODING:
        start, end = leaf.place
        place = EncodedPlace(start, end - start, leaf.encoding)
    return [_part(name, leaf.content_type, content, leaf.content_id, place)]


def _inner_subject(content: bytes) -> str:
    """The subject of a forwarded mail names its file."""
    try:
        fields, _, _ = split_headers(content[:_SUBJECT_BYTES], 0, min(len(content), _SUBJECT_BYTES), Limits(), root=True)
    except TooComplex:
        return ""
    subject = next((decode_value(v) for n, v in fields if n.lower() == "subject"), "")
    # Slashes would cut the name to its last piece, and a dot in it is no extension.
    return f"{displayable(subject).replace('/', '-').replace(chr(92), '-')[:120]}.eml" if subject.strip() else ""


def _part(
    name: str, content_type: str, content: bytes, content_id: str | None, place: EncodedPlace | None = None
) -> Part:
    clean_id = displayable(content_id) if content_id else ""
    return Part(
        filename=safe_filename(name, content_type),
        content_type=content_type if content_type.isascii() and len(content_type) <= 200 else "application/octet-stream",
        content=content,
        disposition="attachment",
        content_id=clean_id or None,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        place=place,
    )


def _placed(part: Part, shown: set[str]) -> Part:
    """`inline` means that the HTML shows the part as a picture; whatever the sender claimed, all else is listed.

    Senders often call their pictures application/octet-stream, and sometimes call something else a picture: the first
    bytes decide.
    """
    if part.content_id is None or part.content_id not in shown:
        return part
    picture = _picture_type(part.content)
    if not picture:
        return part
    return replace(part, content_type=picture, disposition="inline")


def _picture_type(content: bytes) -> str:
    """The type of the pictures that every browser shows and the download route serves as such, else ""."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def _body_from_containers(reading: Reading, tnef: list[TnefMail], root: Entity, limits: Limits) -> None:
    """A body out of winmail.dat or a calendar, for mails that have no other."""
    if reading.text.strip() or reading.html is not None:
        for opened in tnef:
            # Outlook repeats the body inside; only a rich one adds something to a mail that has text alone.
            if reading.html is None and opened.html and len(opened.html) <= limits.html_bytes:
                reading.html = scrubbed(opened.html)
        return
    for opened in tnef:
        if opened.html and len(opened.html) <= limits.html_bytes:
            reading.html = scrubbed(opened.html)
        if opened.text:
            reading.text = scrubbed(opened.text[: limits.text_chars]).replace("\r\n", "\n")
        if opened.text or opened.html:
            return
    for leaf in root.leaves():
        if leaf.content_type in _CALENDAR_TYPES:
            invite = read_invite(_content(leaf, Reading()), leaf.params.get("charset"))
            if invite is not None:
                reading.text = invite.as_text()
                return


def _check_html(reading: Reading, files: list[Part], limits: Limits) -> None:
    """Over the cap of links a mail is a link farm, contorted it is an attack: the text stays, the HTML becomes a file."""
    source = reading.html or ""
    if source.lower().count("href") > limits.links:
        reading.defects.append("too_many_links")
    elif _nests_deeply(source) and calmed(source) is None:
        reading.defects.append("html_contorted")
    else:
        return
    if not reading.text.strip():
        reading.text, reading.text_is_from_html = html_to_text(source), True
    files.append(_part("", "text/html", source.encode(), None))
    reading.html = None


def _nests_deeply(source: str) -> bool:
    """A rough count, fast enough for every mail; the sanitiser looks closely and shows the text of what it finds contorted."""
    steps = [-1 if tag[1] == "/" else 1 for tag in _TAG_BEGINS.findall(source)]
    return len(steps) > MAX_NESTING and max(accumulate(steps)) > MAX_NESTING
