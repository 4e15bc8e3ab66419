"""The words in which a test tells the scripted SMTP server what to do, and the record of what it accepted."""

from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "connect",  # accepted, nothing said yet
    "banner",
    "ehlo",
    "starttls",  # the reply to STARTTLS
    "auth",  # the final reply of AUTH
    "mail",
    "rcpt",
    "data",  # the reply to DATA, usually 354
    "body",  # while the body arrives
    "dot",  # the reply to the final dot
    "accepted",  # after the reply to the final dot was sent
    "rset",
    "noop",
    "quit",
]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with these lines instead of the usual; the server goes on as the code says."""

    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Hang up in good order (FIN), after `first` bytes if any."""

    first: bytes = b""


@dataclass(frozen=True, slots=True)
class Reset:
    """Hang up rudely (RST)."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing for `seconds` and keep the connection open, then hang up. The client may leave earlier."""

    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Garbage:
    """Send bytes that are no reply and go on listening."""

    content: bytes = b"\xff\xfe\x00 what?\r\n"


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait `seconds`, then answer as usual; `each` > 0 instead dribbles the answer out byte by byte."""

    seconds: float = 0.0
    each: float = 0.0


Action = Reply | Close | Reset | Silence | Garbage | Slow


@dataclass(slots=True)
class Rule:
    """One line of the script. `nth` counts within a transaction from 1 (0: any); `times` limits its use (0: always)."""

    phase: Phase
    action: Action
    nth: int = 0
    times: int = 0
    after_bytes: int = 0
    stored: bool | None = None
    used: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that the server took responsibility for. `raw` is without dot-stuffing and without the final dot."""

    message_id: str
    sha256: str
    mail_from: str
    rcpt_tos: tuple[str, ...]
    raw: bytes
    user: str
    mail_options: str = ""
    rcpt_options: tuple[str, ...] = ()
