"""SMTP replies (RFC 5321 §4.2): read strictly, classified by their code, made fit for people to see."""

import re
from dataclasses import dataclass

from providers.errors import ProtocolBroken, Unreachable
from providers.line_reader import LineReader
from providers.smtp.outcome import Kind

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_ADDRESS = re.compile(r"<?[^\s<>@,;:()\"]+@[^\s<>@,;:()\"]+>?")
_LONGEST_LINE = 8192
_MOST_LINES = 200
_LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply. `lines` are its texts without codes."""

    code: int
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463), only if its class agrees with the reply code."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return found.group(1) if found and found.group(1)[0] == str(self.code)[0] else None

    @property
    def text(self) -> str:
        """For people: one line, printable, no addresses, not too long. Senders' servers like to quote recipients."""
        words = " ".join(" ".join(_ENHANCED.sub("", line, count=1) for line in self.lines).split())
        words = _ADDRESS.sub("(address)", words)
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)[:_LONGEST_TEXT]

    @property
    def refusal(self) -> Kind:
        """What a reply means that is not the expected one: the code decides, nothing else (integrity S-6)."""
        return "deferred" if 400 <= self.code < 500 else "rejected"


def read_reply(lines: LineReader) -> Reply:
    """Read one reply, however many lines it has. Blocks.

    Raises Unreachable when the connection ends or the time is up before its last line, ProtocolBroken for what is no
    reply. Neither says anything about what the server did.
    """
    texts: list[str] = []
    code: int | None = None
    while len(texts) < _MOST_LINES:
        try:
            line = lines.readline(_LONGEST_LINE)
        except TimeoutError:
            raise Unreachable("reply_timeout", "The server did not answer in time.") from None
        except OSError:
            raise Unreachable("connection_lost") from None
        if not line.endswith(b"\n"):
            if len(line) > _LONGEST_LINE:
                raise ProtocolBroken("reply_too_long")
            raise Unreachable("connection_lost")
        found = _LINE.fullmatch(line.rstrip(b"\r\n"))
        if found is None or (code is not None and int(found.group(1)) != code):
            raise ProtocolBroken("reply_unreadable")
        if not found.group(2) and found.group(3):
            raise ProtocolBroken("reply_unreadable")
        code = int(found.group(1))
        texts.append(found.group(3).decode("utf-8", "replace"))
        if found.group(2) != b"-":
            return Reply(code, tuple(texts))
    raise ProtocolBroken("reply_too_long")
