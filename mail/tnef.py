"""winmail.dat opened (MS-OXTNEF): the files and the body that Outlook packed where every mail has MIME parts.

Promises linear work in the size of the file and None for anything that is no sound TNEF; the caller then shows it whole.
Libraries were looked at and refused: they loop over counts that the file claims and cut trailing zeros off files.
"""

import struct
from dataclasses import dataclass, field

from mail.charsets import codec_for, detect_text
from mail.rtf_compressed import rtf_decompressed

_SIGNATURE = 0x223E9F78
_OPEN_ATTACHMENT, _ATTACHMENT_DATA, _ATTACHMENT_TITLE, _ATTACHMENT_PROPS = 0x9002, 0x800F, 0x8010, 0x9005
_MESSAGE_PROPS, _OEM_CODEPAGE, _BODY = 0x9003, 0x9007, 0x800C
_LONG_FILENAME, _FILENAME, _DISPLAY_NAME, _DATA, _MIME_TAG, _CONTENT_ID = 0x3707, 0x3704, 0x3001, 0x3701, 0x370E, 0x3712
_PLAIN, _HTML, _RTF, _INTERNET_CODEPAGE = 0x1000, 0x1013, 0x1009, 0x3FDE
_FIXED = {0x0001: 0, 0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x0014: 8, 0x0040: 8, 0x0048: 16}
_VARIABLE = {0x000D, 0x001E, 0x001F, 0x0102}
_IMESSAGE = bytes.fromhex("0703020000000000c000000000000046")
_MAX_FILES = 500
_MAX_DEPTH = 3


@dataclass(slots=True)
class TnefFile:
    """One attached file. `content_type` is "" where the sender named none; an attached message comes as its own TNEF."""

    name: str = ""
    content: bytes = b""
    content_type: str = ""
    content_id: str = ""


@dataclass(slots=True)
class TnefMail:
    """What a TNEF stream holds for people: files and up to three renderings of the body."""

    files: list[TnefFile] = field(default_factory=list)
    text: str = ""
    html: str = ""
    rtf: bytes = b""


class _Unsound(ValueError):
    """The stream claims something that it does not hold."""


def read_tnef(data: bytes, depth: int = 0) -> TnefMail | None:
    """The content, or None when the stream is broken anywhere: half a decoding could hide a file."""
    try:
        return _read(data, depth)
    except (_Unsound, struct.error, UnicodeError):
        return None


def _read(data: bytes, depth: int) -> TnefMail:
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise _Unsound
    mail = TnefMail()
    codepage = "cp1252"
    offset = 6
    # Padding after the last attribute is common; anything shorter than an attribute is padding.
    while offset + 11 <= len(data):
        _, attribute, _, length = struct.unpack_from("<BHHI", data, offset)
        start, end = offset + 9, offset + 9 + length
        if end + 2 > len(data):
            raise _Unsound
        value = data[start:end]
        offset = end + 2
        if attribute == _OPEN_ATTACHMENT:
            if len(mail.files) >= _MAX_FILES:
                raise _Unsound
            mail.files.append(TnefFile())
        elif attribute in {_ATTACHMENT_DATA, _ATTACHMENT_TITLE, _ATTACHMENT_PROPS}:
            if not mail.files:
                raise _Unsound
            _attachment(mail, attribute, value, codepage, depth)
        elif attribute == _OEM_CODEPAGE and length >= 4:
            codepage = codec_for(f"cp{struct.unpack_from('<I', value)[0]}") or "cp1252"
        elif attribute == _MESSAGE_PROPS:
            _message_properties(mail, value, codepage)
        elif attribute == _BODY and not mail.text:
            mail.text = value.rstrip(b"\0").decode(codepage, "replace")
    return mail


def _attachment(mail: TnefMail, attribute: int, value: bytes, codepage: str, depth: int) -> None:
    file = mail.files[-1]
    if attribute == _ATTACHMENT_TITLE:
        file.name = file.name or value.rstrip(b"\0").decode(codepage, "replace")
        return
    if attribute == _ATTACHMENT_DATA:
        file.content = value
        return
    found = _properties(value)
    for key in (_LONG_FILENAME, _FILENAME, _DISPLAY_NAME):
        if key in found:
            file.name = _string(found[key], codepage)
            break
    if _MIME_TAG in found:
        file.content_type = _string(found[_MIME_TAG], codepage).lower()
    if _CONTENT_ID in found:
        file.content_id = _string(found[_CONTENT_ID], codepage).strip("<> ")
    if _DATA in found:
        content = found[_DATA][1]
        if content.startswith(_IMESSAGE):
            _embedded_message(mail, file, content[len(_IMESSAGE) :], depth)
        else:
            file.content = content


def _embedded_message(mail: TnefMail, file: TnefFile, stream: bytes, depth: int) -> None:
    """A mail inside the mail: its files are lifted out and its text becomes a file; too deep or broken, it stays whole."""
    inner = read_tnef(stream, depth + 1) if depth < _MAX_DEPTH else None
    if inner is None or (inner.rtf and not (inner.html or inner.text)):
        file.content, file.content_type, file.name = stream, "application/ms-tnef", (file.name or "message") + ".dat"
        return
    mail.files.pop()
    name = file.name or "message"
    if inner.html:
        mail.files.append(TnefFile(name + ".html", inner.html.encode(), "text/html"))
    elif inner.text:
        mail.files.append(TnefFile(name + ".txt", inner.text.encode(), "text/plain"))
    if len(mail.files) + len(inner.files) > _MAX_FILES:
        raise _Unsound
    mail.files.extend(inner.files)
    if not (inner.html or inner.text or inner.files):
        mail.files.append(TnefFile(name + ".dat", stream, "application/ms-tnef"))
    # What follows in this stream and still belongs to the attached message must not fall on another file.
    mail.files.append(TnefFile())


def _message_properties(mail: TnefMail, value: bytes, codepage: str) -> None:
    found = _properties(value)
    internet = codepage
    if _INTERNET_CODEPAGE in found and len(found[_INTERNET_CODEPAGE][1]) >= 4:
        number = struct.unpack_from("<I", found[_INTERNET_CODEPAGE][1])[0]
        internet = "utf-8" if number == 65001 else codec_for(f"cp{number}") or codepage
    if _PLAIN in found:
        mail.text = _string(found[_PLAIN], codepage)
    if _HTML in found:
        kind, raw = found[_HTML]
        mail.html = _string((kind, raw), internet) if kind == 0x001F else _body(raw.rstrip(b"\0"), internet)
    if _RTF in found:
        mail.rtf = rtf_decompressed(found[_RTF][1]) or b""
        if not mail.rtf:
            raise _Unsound


def _body(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError):
        return detect_text(raw)


def _string(value: tuple[int, bytes], codepage: str) -> str:
    kind, raw = value
    text = raw.decode("utf-16-le", "replace") if kind == 0x001F else raw.decode(codepage, "replace")
    return text.rstrip("\0")


def _properties(data: bytes) -> dict[int, tuple[int, bytes]]:
    """{property id: (type, first value)} of a MAPI property list. Every step moves on, and no count is trusted."""
    found: dict[int, tuple[int, bytes]] = {}
    (count,) = struct.unpack_from("<I", data)
    if count > len(data) // 4:
        raise _Unsound
    offset = 4
    for _ in range(count):
        kind, name = struct.unpack_from("<HH", data, offset)
        offset += 4
        if name >= 0x8000:
            (named_by_text,) = struct.unpack_from("<I", data, offset + 16)
            offset += 24
            if named_by_text:
                offset += _padded(struct.unpack_from("<I", data, offset - 4)[0])
        multiple = kind & 0x1000
        kind &= ~0x1000
        values = 1
        if multiple or kind in _VARIABLE:
            (values,) = struct.unpack_from("<I", data, offset)
            offset += 4
            if values > len(data) // 4:
                raise _Unsound
        for index in range(values):
            if kind in _VARIABLE:
                (length,) = struct.unpack_from("<I", data, offset)
                offset += 4
                stored = _padded(length)
            elif kind in _FIXED:
                length = stored = _FIXED[kind]
            else:
                raise _Unsound
            if offset + length > len(data):
                raise _Unsound
            if index == 0:
                found.setdefault(name, (kind, data[offset : offset + length]))
            offset += stored
            if stored == 0 and values > 1_000:
                raise _Unsound
    return found


def _padded(length: int) -> int:
    return length + (-length % 4)
