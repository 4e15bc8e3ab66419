"""Names of attachments made safe to show and to save: first normalised, then checked (integrity X-10).

Promises a non-empty name of at most 200 UTF-8 bytes that is no path and no device; where the file lies is another matter,
since objects are stored by their hash.
"""

import re

from mail.display_text import displayable

MAX_BYTES = 200
_LONG = 4_000
# Windows refuses or reinterprets these as names, with any extension and in any case.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
_SLASHES = re.compile(r"[/\\\u2044\u2215\u29f5\u29f8\uff0f\uff3c\ufe68]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # Windows again; a colon would open an alternate stream
_SPACES = re.compile(r"\s+")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}$")
_EXTENSIONS = {
    "message/rfc822": ".eml", "message/global": ".eml", "text/calendar": ".ics", "application/ics": ".ics",
    "text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt", "message/delivery-status": ".txt", "message/feedback-report": ".txt",
    "message/disposition-notification": ".txt", "text/xml": ".xml", "text/rtf": ".rtf", "text/x-amp-html": ".html",
    "application/pdf": ".pdf", "application/zip": ".zip", "application/json": ".json", "application/xml": ".xml",
    "application/rtf": ".rtf", "application/msword": ".doc", "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/ms-tnef": ".dat", "application/vnd.ms-tnef": ".dat",
    "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s", "application/x-pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc", "application/pgp-encrypted": ".asc", "application/pgp-keys": ".asc",
    "image/png": ".png", "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
    "image/svg+xml": ".svg", "image/bmp": ".bmp", "image/tiff": ".tiff", "image/heic": ".heic",
    "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/ogg": ".ogg", "audio/amr": ".amr",
    "video/mp4": ".mp4", "video/quicktime": ".mov", "video/3gpp": ".3gp",
}  # fmt: skip
_STEMS = {
    "message/rfc822": "message", "message/global": "message", "text/calendar": "invite", "application/ics": "invite",
    "text/plain": "message", "text/html": "message", "text/rfc822-headers": "headers",
    "message/delivery-status": "delivery-status", "message/feedback-report": "feedback-report",
    "message/disposition-notification": "disposition-notification",
    "application/ms-tnef": "winmail", "application/vnd.ms-tnef": "winmail",
    "application/pkcs7-mime": "smime", "application/x-pkcs7-mime": "smime",
    "application/pkcs7-signature": "smime", "application/x-pkcs7-signature": "smime",
    "application/pgp-signature": "signature", "application/pgp-encrypted": "encrypted",
}  # fmt: skip


def safe_filename(name: str, content_type: str) -> str:
    """The name to show and to offer for saving. Without a usable one, a name is made from the content type.

    An extension is added only where the name has none and the type is a known one, so that an invitation opens as one.
    """
    # Normalise first: a zero-width space between dot and letters once walked past a check (CVE-2026-28289).
    if len(name) > _LONG:
        name = name[: _LONG - 100] + name[-100:]  # the end holds the extension
    base = _SLASHES.split(displayable(name))[-1]
    base = _SPACES.sub(" ", _FORBIDDEN.sub("_", base)).lstrip(". ").rstrip(". ")
    extension = _EXTENSIONS.get(content_type, "")
    if not base.strip("_ "):
        kind = content_type.partition("/")[0]
        base = _STEMS.get(content_type) or (kind if kind in {"image", "audio", "video"} else "attachment")
        return base + (extension or ".bin")
    if extension and not _EXTENSION.search(base):
        base = _shortened(base, MAX_BYTES - len(extension)) + extension
    if _DEVICES.match(base):
        base = "_" + base
    return _shortened(base, MAX_BYTES)


def _shortened(name: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, cut in front of the extension and never inside a character."""
    if len(name.encode()) <= limit:
        return name
    found = _EXTENSION.search(name)
    tail = found[0] if found else ""
    head = name[: len(name) - len(tail)].encode()[: limit - len(tail)]
    return head.decode("utf-8", "ignore").rstrip(". ") + tail
