"""The caps of parsing: beyond them a mail is called too complex and shown as a card with a download instead of being read.

Promises nothing about time by itself; the child process that parses has its own clock and memory limits.
"""

from dataclasses import dataclass


class TooComplex(ValueError):
    """A mail exceeds a cap. `reason` is one short machine-readable phrase and never contains mail content.

    Reasons: `depth`, `parts`, `headers_bytes` (all headers of one part), `header_bytes` (one header), `addresses`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __reduce__(self) -> tuple[type["TooComplex"], tuple[str]]:
        return (TooComplex, (self.reason,))


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one mail.

    Over depth, parts, headers or addresses the parser raises `TooComplex`. Over text, HTML or links the mail stays
    readable: the long part is listed whole as an attachment, the body shows its beginning as text, and a defect says so.
    """

    depth: int = 50
    parts: int = 1_000
    headers_bytes: int = 256 * 1024
    header_bytes: int = 64 * 1024
    addresses: int = 2_000
    html_bytes: int = 2 * 1024 * 1024
    text_chars: int = 2_000_000
    links: int = 5_000
    text_from_html_chars: int = 300_000  # of an HTML that is too large: enough to know what it is about


DEFAULT_LIMITS = Limits()
