"""One connection to the Gmail API in the shape that Google's client expects of `httplib2.Http`, through the egress rule.

httplib2's own connections would resolve and connect past that rule, follow redirects with the token in hand and connect
again by themselves, which turns one POST into two.
"""

import contextlib
import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import httplib2

from providers.egress import Purpose, checked_socket, wrap_tls
from providers.errors import ProtocolBroken, Unreachable
from providers.gmail.endpoint import GmailEndpoint
from providers.secret import Secret

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0
IDLE_SECONDS = 45.0  # a connection that rested longer is not used again
DEFAULT_LIMIT = 16 * 1024 * 1024
_CHUNK = 256 * 1024


class AnswerTooLarge(Exception):
    """The answer has more octets than the caller wants to hold in memory. The connection is spent."""


class StaleConnection(Unreachable):
    """A kept connection ended before a single octet of an answer came. Only what may be repeated should be."""


class CheckedHttp:
    """Used by one thread at a time; `interrupt` may come from any. `limit` is in octets, after decompression."""

    def __init__(self, endpoint: GmailEndpoint) -> None:
        self._endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None
        self._raw_socket: socket.socket | None = None
        self._used = False
        self._rested_since = time.monotonic()
        self.token = Secret("")
        self.limit = DEFAULT_LIMIT
        self.interrupted = False

    @property
    def reusable(self) -> bool:
        return (
            self._connection is not None
            and self._connection.sock is not None
            and not self.interrupted
            and time.monotonic() - self._rested_since < IDLE_SECONDS
        )

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> tuple[httplib2.Response, bytes]:
        """One request, one answer, no redirect, no second try. Raises Unreachable, TlsFailed, EgressBlocked,
        ProtocolBroken, AnswerTooLarge.
        """
        target = self._target(uri)
        if not self.reusable:
            self._connect()
        connection = self._connection
        assert connection is not None  # noqa: S101  # _connect sets it or raises
        first, self._used = not self._used, True
        sent = {
            **(headers or {}),
            "authorization": f"Bearer {self.token.reveal()}",
            "accept-encoding": "gzip",
        }
        octets = body.encode() if isinstance(body, str) else _octets(body)
        if octets is not None:
            sent["content-length"] = str(len(octets))
        try:
            connection.request(method, target, octets, sent)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            # The other side may close a resting connection at any moment; what was on its way is then unread, or not.
            raise (Unreachable("answer_lost") if first else StaleConnection("answer_lost")) from None
        except TimeoutError:
            self.close()
            raise Unreachable("answer_timeout", "The server did not answer in time.") from None
        except (http.client.HTTPException, OSError, ValueError):
            self.close()
            raise Unreachable("answer_lost") from None
        content = self._content(response)
        self._rested_since = time.monotonic()
        if response.will_close:
            self.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        found.pop("content-encoding", None)
        answer = httplib2.Response({**found, "status": str(response.status)})
        answer.reason = response.reason
        return answer, content

    def interrupt(self) -> None:
        """End a call under way in another thread. The connection is never used again."""
        self.interrupted = True
        if self._raw_socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: that would take TLS away from under the reading thread.
                socket.socket.shutdown(self._raw_socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up. Only when no other thread reads."""
        if self._connection is not None:
            self._connection.close()
        if self._raw_socket is not None:
            self._raw_socket.close()
        self._connection = self._raw_socket = None

    def _target(self, uri: str) -> str:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if (parts.scheme, parts.hostname, port) != self._endpoint.origin:
            # The address of an upload session comes from an answer; the token must not follow it anywhere.
            raise ProtocolBroken("foreign_address")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _connect(self) -> None:
        self.close()
        scheme, host, port = self._endpoint.origin
        sock = checked_socket(host, port, self._endpoint.policy, CONNECT_SECONDS, Purpose.WEB)
        self._raw_socket = sock
        if self.interrupted:
            self.close()
            raise Unreachable("interrupted")
        if scheme == "https":
            context = self._endpoint.tls
            assert isinstance(context, ssl.SSLContext)  # noqa: S101  # the endpoint made one
            sock = wrap_tls(sock, context, host)
            self._raw_socket = sock
        sock.settimeout(READ_SECONDS)
        connection = http.client.HTTPConnection(host, port, timeout=READ_SECONDS)
        connection.sock = sock
        connection.auto_open = 0  # it must not connect past the egress rule
        self._connection, self._used = connection, False

    def _content(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return _read_all(response, self.limit)
        except TimeoutError:
            self.close()
            raise Unreachable("answer_timeout", "The server did not answer in time.") from None
        except (http.client.HTTPException, OSError, zlib.error):
            self.close()
            raise Unreachable("answer_lost") from None
        except BaseException:
            self.close()
            raise


def _read_all(response: http.client.HTTPResponse, limit: int) -> bytes:
    """The body, unpacked, whole or not at all. Raises AnswerTooLarge before it holds more than `limit` octets."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if _is_gzip(response) else None
    pieces: list[bytes] = []
    size, begun = 0, False
    while piece := response.read(_CHUNK):
        opened = piece if unzip is None else unzip.decompress(piece, limit - size + 1)
        size, begun = size + len(opened), True
        if size > limit:
            raise AnswerTooLarge
        pieces.append(opened)
    # read() with a size does not complain about a body that ends early
    if response.length or (unzip is not None and begun and not unzip.eof):
        raise http.client.IncompleteRead(b"")
    return b"".join(pieces)


def _is_gzip(response: http.client.HTTPResponse) -> bool:
    return (response.getheader("content-encoding") or "").lower() == "gzip"


def _octets(body: object) -> bytes | None:
    """Uploads hand over a stream of one chunk; it is read here, so that one `send` carries head and body."""
    if body is None or isinstance(body, bytes):
        return body
    read = getattr(body, "read", None)
    if read is None:
        raise TypeError("a request body must be octets or a stream")
    octets = read()
    if not isinstance(octets, bytes):
        raise TypeError("a stream must give octets")
    return octets
