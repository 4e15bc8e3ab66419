"""Content-Transfer-Encoding undone: base64, quoted-printable and uuencode as they really arrive.

Promises bytes for any input; what could not be undone is handed back as it stands, with a defect that says so.
"""

import binascii
import re

import pybase64

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} (\S[^\n]{0,254})$", re.MULTILINE)
_IDENTITY = {"", "7bit", "8bit", "binary"}


def decode_transfer(data: bytes, encoding: str) -> tuple[bytes, str]:
    """(content, defect). RFC 2045 §6.4 says to treat unknown encodings as opaque; seen in practice they are plain text."""
    name = encoding.strip().lower().strip("\"'; ")
    if name in _IDENTITY or not data.strip():
        return data, ""
    if name == "base64":
        return _base64(data)
    if name in {"quoted-printable", "quotedprintable", "quoted_printable"}:
        return binascii.a2b_qp(data), ""
    if name in {"x-uuencode", "uuencode", "x-uue", "uue"}:
        files, _ = extract_uuencoded(data.decode("latin-1"))
        return (files[0][1], "") if len(files) == 1 else (data, "uuencode_undecodable")
    return data, "transfer_encoding_unknown"


def _base64(data: bytes) -> tuple[bytes, str]:
    defect = ""
    end = data.find(b"=")
    # Only at the end do both read "=" alike, and there the first takes an eighth of the second's time.
    decode = pybase64.b64decode if end < 0 or not data[end:].strip(b"= \t\r\n") else binascii.a2b_base64
    try:
        content = decode(data)
    except binascii.Error:
        defect = "base64_repaired"
        clean = _NOT_BASE64.sub(b"", data).partition(b"=")[0]
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        content = binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
    if not content and data.strip():
        return data, "base64_undecodable"
    # Text declared base64 that is not: a decoder that skips foreign characters would make rubbish of it.
    if b" " in data and len(data) < 100_000 and _looks_like_prose(data):
        return data, "base64_undecodable"
    return content, defect


def _looks_like_prose(data: bytes) -> bool:
    words = data.split()
    return len(words) > 3 and sum(len(w) for w in words) / len(words) < 12 and len(_NOT_BASE64.sub(b"", data)) < len(data) * 0.95


def extract_uuencoded(text: str) -> tuple[list[tuple[str, bytes]], str]:
    """([(name, content)], the text without those blocks). A block that does not decode stays in the text."""
    if "begin " not in text:
        return [], text
    files: list[tuple[str, bytes]] = []
    kept: list[str] = []
    position = 0
    text_lf = text.replace("\r\n", "\n")
    while (begin := _UU_BEGIN.search(text_lf, position)) is not None:
        end = text_lf.find("\nend", begin.end())
        if end < 0:
            break
        content = _uu_lines(text_lf[begin.end() + 1 : end])
        line_end = text_lf.find("\n", end + 1)
        after = len(text_lf) if line_end < 0 else line_end + 1
        if content is None or text_lf[end + 1 : after].strip() != "end":
            kept.append(text_lf[position : begin.end()])
            position = begin.end()
            continue
        kept.append(text_lf[position : begin.start()])
        files.append((begin[1].strip(), content))
        position = after
    if not files:
        return [], text
    kept.append(text_lf[position:])
    return files, "".join(kept)


def _uu_lines(block: str) -> bytes | None:
    """Decoded lines, or None where one is no uuencoded line. Encoders that pad wrongly are common: the count decides."""
    out: list[bytes] = []
    for line in block.split("\n"):
        if not line or line in {"`", " "}:
            continue
        if not line.isascii():
            return None
        count = (ord(line[0]) - 32) & 63
        need = (count + 2) // 3 * 4
        body = line[1 : 1 + need].ljust(need)
        if len(line.rstrip()) - 1 > need + 1:
            return None
        try:
            out.append(binascii.a2b_uu((line[0] + body).encode("ascii")))
        except binascii.Error:
            return None
    return b"".join(out)
