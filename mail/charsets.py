"""Bytes to text: the declared charset first, detection only where nothing usable is declared, replacement last.

Promises valid Unicode without NUL or surrogates for any bytes and any label; what the bytes are is decided elsewhere.
"""

import codecs
import re
from functools import lru_cache

from charset_normalizer import from_bytes

from mail.display_text import scrubbed

# What senders write is often the smaller charset of a family; the larger one decodes everything the smaller does and
# what senders really use (WHATWG Encoding Standard; gb2312 mails with GBK characters are the rule, not the exception).
_ALIASES = {
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "gb2312-80": "gb18030", "cp936": "gb18030",
    "x-gbk": "gb18030", "euc-cn": "gb18030", "chinese": "gb18030",
    "ks_c_5601": "cp949", "ks_c_5601-1987": "cp949", "ks_c_5601-1989": "cp949", "ksc5601": "cp949", "ksc_5601": "cp949",
    "euc-kr": "cp949", "euckr": "cp949", "korean": "cp949", "x-windows-949": "cp949",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext", "csiso2022jp": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp", "eucjp": "euc_jp",
    "big5": "big5hkscs", "big-5": "big5hkscs", "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs",
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252",
    "l1": "cp1252", "iso8859_1": "cp1252", "cp819": "cp1252", "ansi": "cp1252", "x-ansi": "cp1252",
    "windows-1252": "cp1252", "x-cp1252": "cp1252", "cp-1252": "cp1252", "win-1252": "cp1252",
    "iso-8859-9": "cp1254", "latin5": "cp1254", "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8",
    "tis-620": "cp874", "iso-8859-11": "cp874", "windows-874": "cp874",
    "x-cp1250": "cp1250", "x-cp1251": "cp1251", "win-1251": "cp1251", "cp-1251": "cp1251", "cp-1250": "cp1250",
    "utf8": "utf-8", "utf_8": "utf-8", "utf-8n": "utf-8", "utf-8mb4": "utf-8", "utf8mb4": "utf-8", "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7", "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
}  # fmt: skip
# RFC 2045 §5.2: no charset means us-ascii. Eight-bit bytes under these labels prove the label wrong, so it says nothing.
_SAYS_NOTHING = {
    "", "us-ascii", "ascii", "ansi_x3.4-1968", "646", "iso646-us", "unknown", "unknown-8bit", "x-unknown", "x-user-defined",
    "default", "default_charset", "none", "null", "binary", "8bit", "7bit", "_charset_", "auto", "utf", "unicode",
}  # fmt: skip
# Codecs whose bytes are plain ASCII on the wire: the ASCII shortcut would show their escapes instead of their text.
_SHIFTING = ("utf-7", "hz", "iso2022", "utf-16", "utf-32")
_DETECT_BYTES = 4_096
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@lru_cache(maxsize=512)
def codec_for(label: str) -> str | None:
    """The codec to believe for a declared label, or None when the label is empty, a placeholder or unknown."""
    low = label.strip().strip("\"'").lower().removeprefix("charset=").strip("\"' ;")[:60]
    if low in _SAYS_NOTHING:
        return None
    low = _ALIASES.get(low) or _ALIASES.get(low.replace("_", "-")) or low
    if not low.isascii() or "\0" in low:
        return None
    try:
        info = codecs.lookup(low)
    except (LookupError, ValueError, UnicodeError):
        return None
    # Python's own transforms (base64, rot13, zlib, idna, unicode_escape …) are no charsets, and some of them expand.
    if not getattr(info, "_is_text_encoding", True) or info.name in {
        "idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape", "undefined", "mbcs", "oem",
    }:  # fmt: skip
        return None
    return info.name


def decode_text(data: bytes, declared: str | None, *, html: bool = False) -> tuple[str, str]:
    """(text, defect) of bytes with their declared charset; the defect is "" or a short word for what was wrong.

    A declared charset is believed even when a detector would guess otherwise; it is given up only when more than a
    tenth of the non-ASCII bytes contradict it. `html` lets a `<meta charset>` speak where the header says nothing.
    """
    codec = codec_for(declared) if declared else None
    if data.isascii() and (codec is None or not codec.startswith(_SHIFTING)) and b"\x1b" not in data:
        return scrubbed(data.decode("ascii")), ""
    if codec is not None:
        text = _strictly(data, codec)
        if text is not None:
            return scrubbed(text), ""
        replaced = _replacing(data, codec)
        wrong = replaced.count("\ufffd")
        if wrong * 10 <= max(_non_ascii(data), 10):
            return scrubbed(replaced), "charset_replacement"
    if html and codec is None and (found := _META_CHARSET.search(data, 0, 4_096)):
        meta = codec_for(found[1].decode("ascii"))
        if meta is not None and not meta.startswith("utf-16") and (text := _strictly(data, meta)) is not None:
            return scrubbed(text), ""
    return detect_text(data), "charset_detected" if codec is None else "charset_wrong"


def detect_text(data: bytes) -> str:
    """Text of bytes about which nothing is known: BOM, UTF-8, ISO-2022-JP, then a bounded guess, then Windows-1252."""
    for bom, codec in _BOMS:
        if data.startswith(bom) and (text := _strictly(data, codec)) is not None:
            return scrubbed(text)
    if (text := _strictly(data, "utf-8")) is not None and b"\x1b$" not in data:
        return scrubbed(text)
    if b"\x1b" in data and (text := _strictly(data, "iso2022_jp_ext")) is not None:
        return scrubbed(text)
    start = _first_non_ascii(data)
    sample = data[max(0, start - 256) : start + _DETECT_BYTES]
    if _non_ascii(sample) >= 8:  # below that a guess is worse than the most common Western charset
        best = from_bytes(sample, steps=3, chunk_size=1_024, preemptive_behaviour=False).best()
        if best is not None:
            return scrubbed(_replacing(data, _ALIASES.get(best.encoding.replace("_", "-"), best.encoding)))
    replaced = data.decode("utf-8", "replace")
    if _non_ascii(data) and replaced.count("\ufffd") * 10 <= _non_ascii(data):
        return scrubbed(replaced)
    return scrubbed(_replacing(data, "cp1252"))


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError, LookupError):
        pass
    if codec == "cp1252":  # five bytes are undefined there; WHATWG reads them as the C1 controls of ISO 8859-1
        return data.decode("latin-1") if not any(0x80 <= b <= 0x9F for b in data if b not in b"\x81\x8d\x8f\x90\x9d") else None
    return None


def _replacing(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, ValueError, LookupError):  # a few stateful codecs raise even when told to replace
        return data.decode("latin-1")


def _non_ascii(data: bytes) -> int:
    return len(data) - len(data.translate(None, _HIGH))


def _first_non_ascii(data: bytes) -> int:
    try:
        data.decode("ascii")
    except UnicodeDecodeError as error:
        return error.start
    return 0


_HIGH = bytes(range(0x80, 0x100))
