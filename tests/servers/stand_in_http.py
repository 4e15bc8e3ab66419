"""What the stand-ins of web APIs share: an HTTP server on a port of 127.0.0.1, with TLS where certificates are given, that can hang up hard."""

import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers.certificates import Certificates


class Reset(Exception):
    """The connection ends with RST and no answer."""


class StandInServer(ThreadingHTTPServer):
    """`connections` counts those that were accepted."""

    daemon_threads = True

    def __init__(self, handler: type, certificates: Certificates | None) -> None:
        self.connections = 0
        self._context = certificates.server_context() if certificates else None
        super().__init__(("127.0.0.1", 0), handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread, so that a slow handshake holds nobody else up.
        self.connections += 1
        if self._context is not None:
            request = self._context.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what these servers are for; nothing is printed."""


class StandInHandler(BaseHTTPRequestHandler):
    """Each request goes to `serve`, whatever its method."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815  # names that http.server wants

    def serve(self) -> None:
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def hang_up(self) -> None:
        """SO_LINGER 0 makes close() send RST: what a client sees when a peer or a middlebox dies."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
