"""The demo's IMAP server: pymap over maildirs, made to hand out the very bytes that were stored.

Takes pymap's own arguments: `python -m stack.demo_imap --host H --port P --no-tls maildir DIR`.

Seen in practice with pymap 0.36: every mail goes through the standard library's parser and generator, which answers
with bare LF, puts `>` before lines that begin with "From " and rewrites what it could not parse; and COPY stores an
empty mail, since it copies the flags only. Both come from how it reads and writes a maildir, which is replaced here.
"""

import re
from mailbox import MaildirMessage
from pathlib import Path
from typing import Any

import pymap.backend.maildir
import pymap.backend.maildir.mailbox
from pymap.backend.maildir.mailbox import Maildir
from pymap.main import main

_LINE_END = re.compile(rb"\r?\n")


class ExactMessage(MaildirMessage):
    """A mail that is its bytes and is never parsed. Those of an existing file are read when they are asked for."""

    def __init__(self, message: Any = None) -> None:
        self.content: bytes | None = None
        self.source: Path | None = None
        if isinstance(message, bytes):
            super().__init__()
            self.content = message
        else:
            super().__init__(message)

    def exact(self) -> bytes:
        """The content with CRLF line ends (RFC 9051 §4.3); raises FileNotFoundError when the file has moved on."""
        if self.content is None and self.source is not None:
            self.content = self.source.read_bytes()
        return _LINE_END.sub(b"\r\n", self.content or b"")

    def __bytes__(self) -> bytes:
        return self.exact()


class ExactMaildir(Maildir):
    """pymap's maildir, reading and writing whole files."""

    def get_message_metadata(self, key: str) -> ExactMessage:
        message = super().get_message_metadata(key)
        if not isinstance(message, ExactMessage):
            raise TypeError("pymap makes its messages in a way that `install` does not know")
        message.source = Path(self._join(self._lookup(key)))
        return message

    def get_message(self, key: str) -> ExactMessage:
        message = self.get_message_metadata(key)
        message.exact()
        return message

    def _dump_message(self, message: Any, target: Any, mangle_from_: bool = False) -> None:
        if isinstance(message, ExactMessage):
            target.write(message.exact())
        else:
            super()._dump_message(message, target, mangle_from_)


def install() -> None:
    """Put the exact classes where pymap looks its own up."""
    for module, name, replacement in (
        (pymap.backend.maildir, "Maildir", ExactMaildir),
        (pymap.backend.maildir.mailbox, "Maildir", ExactMaildir),
        (pymap.backend.maildir.mailbox, "MaildirMessage", ExactMessage),
    ):
        getattr(module, name)  # an AttributeError here means that pymap changed
        setattr(module, name, replacement)


if __name__ == "__main__":
    install()
    main()
