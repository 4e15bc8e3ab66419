"""Commands and answers on one IMAP connection: sends tagged commands with literals, collects untagged responses.

It shares tags and socket with IMAPClient but reads responses itself, because IMAPClient's parser costs ten times a
plain literal reader and imaplib refuses lines over 1 MB (a SEARCH in a large mailbox). What a response means is left
to the callers.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from providers.errors import ProtocolBroken, Unreachable
from providers.imap.arguments import Argument, Literal, check_argument
from providers.imap.faults import bye_fault, command_fault, response_code
from providers.line_reader import LineReader

# One response: text, literal, text, ... always starting and ending with text (without CRLF and literal marks).
Response = list[bytes]

LINE_LIMIT = 64 << 20  # a SEARCH answer with five million UIDs
LITERAL_LIMIT = 512 << 20

_LITERAL_MARK = re.compile(rb"~?\{(\d+)\+?\}\Z")


@dataclass(slots=True)
class Answer:
    """The tagged end of a command: OK, NO or BAD with its words, and the untagged responses before it."""

    status: str
    words: str
    untagged: list[Response] = field(default_factory=list)

    @property
    def code(self) -> str | None:
        return response_code(self.words)

    def lines(self, keyword: bytes) -> Iterator[bytes]:
        """Texts after `* KEYWORD ` of untagged responses without literals."""
        prefix = keyword + b" "
        for response in self.untagged:
            line = response[0]
            if line.upper() == keyword or line[: len(prefix)].upper() == prefix:
                yield line[len(prefix) :]


class Dialogue:
    """One conversation. `send` and `new_tag` come from the IMAPClient connection. Not for concurrent use; blocks."""

    def __init__(
        self,
        lines: LineReader,
        send: Callable[[bytes], None],
        new_tag: Callable[[], bytes],
        *,
        literal_plus: bool = False,
    ) -> None:
        self._lines = lines
        self._send = send
        self._new_tag = new_tag
        self.literal_plus = literal_plus

    def run(
        self,
        name: str,
        *arguments: Argument,
        continuations: tuple[bytes, ...] = (),
        on_response: Callable[[Response], bool] | None = None,
        check: bool = True,
    ) -> Answer:
        """Send a command and read until its tagged answer.

        `continuations` are the lines sent for each `+` of an authentication exchange, then empty lines.
        `on_response` sees each untagged response first and returns True if it consumed it. With `check`, NO and BAD
        raise what `command_fault` makes of them. Raises Unreachable when the connection ends, ProtocolBroken for
        what is no IMAP; after either the connection must be dropped.
        """
        tag = self.start(name, *arguments, continuations=continuations)
        answer = self.finish(tag, continuations=continuations, on_response=on_response)
        if check and answer.status != "OK":
            raise command_fault(name.removeprefix("UID "), answer.words, status=answer.status)
        return answer

    def start(self, name: str, *arguments: Argument, continuations: tuple[bytes, ...] = ()) -> bytes:
        """Send a command with its literals, without waiting for the answer. Returns the tag."""
        for argument in arguments:
            check_argument(argument)
        for line in continuations:
            check_argument(line)
        tag = self._new_tag()
        pending = tag + b" " + name.encode("ascii")
        for argument in arguments:
            if isinstance(argument, bytes):
                pending += b" " + argument
                continue
            plus = self.literal_plus and not argument.raw_mail
            pending += b" {%d%s}\r\n" % (len(argument.data), b"+" if plus else b"")
            if plus:
                pending += argument.data
                continue
            self._transmit(pending)
            refusal = self._await_go_ahead(tag)
            if refusal is not None:
                raise command_fault(name, refusal.words, status=refusal.status)
            pending = argument.data
        self._transmit(pending + b"\r\n")
        return tag

    def finish(
        self,
        tag: bytes,
        *,
        continuations: tuple[bytes, ...] = (),
        on_response: Callable[[Response], bool] | None = None,
    ) -> Answer:
        """Read until the tagged answer of `tag`."""
        answer = Answer("", "")
        replies = iter(continuations)
        while True:
            response = self.read_response()
            line = response[0]
            if line.startswith(b"* "):
                response[0] = line[2:]
                if on_response is None or not on_response(response):
                    self._raise_if_bye(response)
                    answer.untagged.append(response)
            elif line.startswith(b"+"):
                # A server that refuses XOAUTH2 sends its reason as a challenge and waits for an empty line
                # (RFC 7628 §3.2.3); only then comes NO.
                self._transmit(next(replies, b"") + b"\r\n")
            elif self._is_tagged(line, tag):
                answer.status, answer.words = self._status(line)
                return answer
            else:
                raise ProtocolBroken("unexpected_line")

    def begin_idle(self) -> tuple[bytes, list[Response]]:
        """Enter IDLE (RFC 2177). Returns the tag and what was announced before the server's `+`."""
        tag = self.start("IDLE")
        early: list[Response] = []
        while True:
            response = self.read_response()
            line = response[0]
            if line.startswith(b"+"):
                return tag, early
            if line.startswith(b"* "):
                response[0] = line[2:]
                self._raise_if_bye(response)
                early.append(response)
            elif self._is_tagged(line, tag):
                status, words = self._status(line)
                raise command_fault("IDLE", words, status=status)
            else:
                raise ProtocolBroken("unexpected_line")

    def end_idle(self, tag: bytes) -> Answer:
        """Send DONE and read what was announced. Lines cut in pieces by the network are simply read to their end."""
        self._transmit(b"DONE\r\n")
        return self.finish(tag)

    def read_response(self) -> Response:
        """One response with its literals. Every literal is complete or Unreachable is raised."""
        response: Response = []
        while True:
            line = self._line()
            mark = _LITERAL_MARK.search(line) if line.endswith(b"}") else None
            if mark is None:
                response.append(line)
                return response
            size = int(mark.group(1))
            if size > LITERAL_LIMIT:
                raise ProtocolBroken("literal_too_large")
            response.append(line[: mark.start()])
            literal = self._read(size)
            response.append(literal)

    def _line(self) -> bytes:
        try:
            line = self._lines.readline(LINE_LIMIT)
        except TimeoutError:
            raise Unreachable(
                "answer_timeout", "The server stopped answering. A new connection will be opened."
            ) from None
        except OSError:
            raise Unreachable("connection_lost") from None
        if line.endswith(b"\r\n"):
            return line[:-2]
        if line.endswith(b"\n"):
            return line[:-1]
        if len(line) > LINE_LIMIT:
            raise ProtocolBroken("line_too_long")
        raise Unreachable("connection_lost")

    def _read(self, size: int) -> bytes:
        try:
            data = self._lines.read(size)
        except TimeoutError:
            raise Unreachable(
                "answer_timeout", "The server stopped answering. A new connection will be opened."
            ) from None
        except OSError:
            raise Unreachable("connection_lost") from None
        if len(data) != size:
            raise Unreachable("connection_lost")
        return data

    def _transmit(self, data: bytes) -> None:
        try:
            self._send(data)
        except TimeoutError:
            raise Unreachable(
                "send_timeout", "The server stopped reading. A new connection will be opened."
            ) from None
        except OSError:
            raise Unreachable("connection_lost") from None

    def _await_go_ahead(self, tag: bytes) -> Answer | None:
        while True:
            response = self.read_response()
            line = response[0]
            if line.startswith(b"+"):
                return None
            if line.startswith(b"* "):
                response[0] = line[2:]
                self._raise_if_bye(response)
            elif self._is_tagged(line, tag):
                return Answer(*self._status(line))
            else:
                raise ProtocolBroken("unexpected_line")

    @staticmethod
    def _is_tagged(line: bytes, tag: bytes) -> bool:
        return line.startswith(tag + b" ")

    @staticmethod
    def _status(line: bytes) -> tuple[str, str]:
        _tag, _space, rest = line.partition(b" ")
        status, _space, words = rest.partition(b" ")
        name = status.decode("ascii", "replace").upper()
        if name not in ("OK", "NO", "BAD"):
            raise ProtocolBroken("unexpected_line")
        return name, words.decode("utf-8", "replace")

    @staticmethod
    def _raise_if_bye(response: Response) -> None:
        if response[0][:4].upper() in (b"BYE", b"BYE "):
            raise bye_fault(response[0][4:].decode("utf-8", "replace"))


def untagged_number(response: Response, keyword: bytes) -> int | None:
    """N of `N KEYWORD`, such as `23 EXISTS`."""
    number, _space, word = response[0].partition(b" ")
    return int(number) if number.isdigit() and word.strip().upper() == keyword else None


def as_literal(data: bytes) -> Literal:
    """A mail for APPEND."""
    return Literal(data, raw_mail=True)
