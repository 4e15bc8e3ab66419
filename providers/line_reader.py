"""Reads lines and counted bytes from a socket, for protocols that mix both (IMAP literals, SMTP replies).

Unlike a buffered file of the standard library it can say whether something is already waiting, can forget what came
before TLS, and takes lines of any length up to a stated bound.
"""

import socket
import ssl

CHUNK = 1 << 18


class LineReader:
    """One reader per socket; not for concurrent use. Timeouts are the socket's own and surface as TimeoutError."""

    __slots__ = ("_buffer", "_position", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._position = 0

    def waiting(self) -> bool:
        """True if bytes can be had without asking the network: in our buffer, or decrypted inside TLS."""
        if self._position < len(self._buffer):
            return True
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def forget(self) -> None:
        """Drop what was received but not read. After STARTTLS such bytes were never protected (RFC 3207 §6, X-23)."""
        self._buffer = b""
        self._position = 0

    def readline(self, limit: int) -> bytes:
        """The next line with its line feed; b"" or a piece without line feed at the end of the stream.

        A line longer than `limit` is returned cut to `limit + 1` bytes, so that callers can tell.
        """
        end = self._buffer.find(b"\n", self._position)
        if end >= 0:
            line = self._buffer[self._position : end + 1]
            self._position = end + 1
            return line if len(line) <= limit else line[: limit + 1]
        pieces = [self._buffer[self._position :]]
        length = len(pieces[0])
        self.forget()
        while length <= limit:
            chunk = self._sock.recv(CHUNK)
            if not chunk:
                return b"".join(pieces)
            end = chunk.find(b"\n")
            if end >= 0:
                pieces.append(chunk[: end + 1])
                self._buffer, self._position = chunk, end + 1
                break
            pieces.append(chunk)
            length += len(chunk)
        line = b"".join(pieces)
        return line if len(line) <= limit else line[: limit + 1]

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end of the stream. Memory grows only with what really arrives."""
        have = len(self._buffer) - self._position
        if have >= size:
            data = self._buffer[self._position : self._position + size]
            self._position += size
            return data
        pieces = [self._buffer[self._position :]]
        self.forget()
        missing = size - have
        while missing > 0:
            chunk = self._sock.recv(CHUNK)
            if not chunk:
                break
            if len(chunk) > missing:
                pieces.append(chunk[:missing])
                self._buffer, self._position = chunk, missing
                break
            pieces.append(chunk)
            missing -= len(chunk)
        return b"".join(pieces)
