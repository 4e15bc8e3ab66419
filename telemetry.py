"""How a process reports on itself: JSON log lines without addresses or secrets, and the worker's `/metrics`, `/healthz`
and `/readyz`. What the worker measures is in `worker_telemetry.py`.

Part of the roof. Redacting is the second line of defence: nothing should log mail in the first place.
"""

import json
import logging
import re
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

ADDRESS = re.compile(r"[^\s<>@\"'(),;:]{1,64}@[A-Za-z0-9.-]{1,255}")
URL_PASSWORD = re.compile(r"(://[^:/@\s]{1,64}):[^@/\s]{1,256}@")
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
NOISY = ("botocore", "boto3", "urllib3", "imapclient", "httpx", "httpcore", "alembic")


def redact(text: str) -> str:
    """The text without anything that looks like an address or a password in a URL."""
    return ADDRESS.sub("<address>", URL_PASSWORD.sub(r"\1:<secret>@", text))


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for key, value in vars(record).items():
            if key not in STANDARD:
                line[key] = redact(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[0] is not None:
            # The type and the place; an exception's own text may quote mail.
            line["error"] = record.exc_info[0].__name__
            line["where"] = _frames(record)
        return json.dumps(line, default=lambda value: redact(str(value)))


def _frames(record: logging.LogRecord) -> list[str]:
    trace = record.exc_info[2] if record.exc_info else None
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-8:]


def log_json(level: str) -> None:
    """Send every log line of this process to standard error as JSON. Libraries that log their traffic are kept quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


class MetricsEndpoint:
    """Serves `/metrics` (ours and the Temporal SDK's together), `/healthz` and `/readyz` from a thread of its own, so that
    it answers also while the event loop does not.

    `healthy` is asked at each `/healthz`: a process that is up but no longer polls answers 503 (integrity T-11). `ready`
    gives the parts for `/readyz`, and whether each answers. `figures` gives what is not in Prometheus's own registry.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sdk_port: int,
        healthy: Callable[[], bool],
        ready: Callable[[], Mapping[str, bool]] = dict,
        figures: Callable[[], bytes] = bytes,
    ) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(sdk_port, healthy, ready, figures))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _handler(
    sdk_port: int,
    healthy: Callable[[], bool],
    ready: Callable[[], Mapping[str, bool]],
    figures: Callable[[], bytes],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest() + figures() + _sdk_metrics(sdk_port))
            elif self.path == "/healthz":
                self._tell(healthy(), {})
            elif self.path == "/readyz":
                parts = ready()
                self._tell(all(parts.values()), {"parts": {name: {"ok": ok} for name, ok in parts.items()}})
            else:
                self._answer(404, "text/plain", b"only /metrics, /healthz and /readyz are here\n")

        def _tell(self, ok: bool, more: Mapping[str, Any]) -> None:
            self._answer(200 if ok else 503, "application/json", json.dumps({"ok": ok, **more}).encode())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            """Scrapes are not worth a line each."""

    return Handler


def _sdk_metrics(port: int) -> bytes:
    """What the Temporal SDK exports on its loopback port; empty while it is not there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return bytes(answer.read())
    except OSError:
        return b""
