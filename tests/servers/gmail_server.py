"""Google at home: the Gmail API and OAuth over HTTP(S) on localhost, in a thread of its own, with faults on demand.

    server = GmailServer(certificates)          # https://localhost:port/; without certificates plain http
    mailbox = server.add_mailbox("team@example.com")
    mailbox.deliver(raw)
    server.faults.plan("drafts.send", status=500, after_accept=True)
"""

import gzip
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.certificates import Certificates
from tests.servers.gmail_api import MAX_BODY, MAX_JSON, Call, answer, find_operation
from tests.servers.gmail_faults import ApiError, Fault, Faults
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_quota import UNITS, Quota
from tests.servers.google_oauth import GoogleOAuth, Grant, OAuthError
from tests.servers.stand_in_http import Reset, StandInHandler, StandInServer

BATCH_CAP = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that arrived (the parts of a batch each, and the batch itself)."""

    operation: str
    item: str | None
    batched: bool = False
    query: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Upload:
    operation_path: str
    grant: Grant
    body: dict[str, Any]
    total: int
    received: bytearray = field(default_factory=bytearray)


class GmailServer:
    """Any number of mailboxes at one address. `advance` moves the server's clock; `seen` is the log of calls."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self._ahead = 0.0
        self.mailboxes: dict[str, GmailMailbox] = {}
        self.quotas: dict[str, Quota] = {}
        self.faults = Faults()
        self.oauth = GoogleOAuth(self.now)
        self.seen: list[Seen] = []
        self._uploads: dict[str, _Upload] = {}
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            google = server

        self._http = StandInServer(Handler, certificates)
        scheme = "https" if certificates else "http"
        self.url = f"{scheme}://localhost:{self._http.server_address[1]}/"
        self.token_url = f"{self.url}token"
        self.auth_url = f"{self.url}o/oauth2/v2/auth"
        self.revoke_url = f"{self.url}revoke"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def now(self) -> float:
        return time.time() + self._ahead

    @property
    def connections(self) -> int:
        return self._http.connections

    def advance(self, seconds: float) -> None:
        self._ahead += seconds

    def add_mailbox(self, address: str, **options: Any) -> GmailMailbox:
        mailbox = GmailMailbox(address, clock=self.now, **options)
        self.mailboxes[address.lower()] = mailbox
        self.quotas[address.lower()] = Quota(self.now)
        return mailbox

    def calls(self, operation: str) -> int:
        return sum(1 for seen in self.seen if seen.operation == operation)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    # --- one API call ------------------------------------------------------------------------------------------

    def api(self, method: str, target: str, body: bytes, token: str, *, batched: bool = False) -> dict[str, Any] | None:
        """Raises ApiError, or `Reset`."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        operation, ids, scopes = find_operation(method, parts.path)
        grant = self.grant(token)
        call = Call(operation, ids, query, _json(body), None, grant)
        return self.perform(call, scopes, batched=batched)

    def perform(self, call: Call, scopes: frozenset[str], *, batched: bool = False) -> dict[str, Any] | None:
        mailbox = self.mailbox_of(call)
        item = call.ids.get("id") or str(call.body.get("id") or "") or None
        self.seen.append(Seen(call.operation, item, batched, call.query))
        if scopes and not scopes & set(call.grant.scopes):
            raise _insufficient()
        fault = self.faults.take(call.operation, item)
        if fault and not fault.after_accept:
            _fail(fault)
        with self._lock:
            self.quotas[mailbox.address.lower()].spend(UNITS.get(call.operation, 5))
        accepted = len(mailbox.accepted)
        result = answer(mailbox, call)
        self._deliver_inside(mailbox, accepted)
        if fault:
            _fail(fault)
        return result

    def grant(self, token: str) -> Grant:
        grant = self.oauth.grant_of(token)
        if grant is None:
            message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
            raise ApiError(401, message, "authError", headers=headers)
        return grant

    def mailbox_of(self, call: Call) -> GmailMailbox:
        user = call.ids.get("userId", "me").lower()
        if user not in ("me", call.grant.address.lower()):
            raise ApiError(403, f"Delegation denied for {call.grant.address}", "forbidden")
        mailbox = self.mailboxes.get(call.grant.address.lower())
        if mailbox is None:
            raise ApiError(400, "Mail service not enabled", "failedPrecondition")
        return mailbox

    def _deliver_inside(self, sender: GmailMailbox, before: int) -> None:
        """What was sent to another mailbox here arrives there."""
        for mail in sender.accepted[before:]:
            for recipient in mail.recipients:
                if other := self.mailboxes.get(recipient.lower()):
                    other.deliver(mail.raw)

    # --- batches ----------------------------------------------------------------------------------------------------

    def batch(self, content_type: str, body: bytes, token: str) -> tuple[str, bytes]:
        self.seen.append(Seen("batch", None))
        fault = self.faults.take("batch")
        if fault:
            _fail(fault)
        self.grant(token)
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        parts = message.get_payload()
        if not isinstance(parts, list):
            raise ApiError(400, "Failed to parse batch request, error: no multipart.", "badRequest")
        if len(parts) > BATCH_CAP:
            raise ApiError(400, f"The batch request has {len(parts)} calls, the limit is {BATCH_CAP}.", "badRequest")
        boundary = f"batch_{secrets.token_urlsafe(16)}"
        answers = [self._batch_part(str(part["Content-ID"]), str(part.get_payload()), token) for part in parts]
        answers.reverse()  # the order is not promised, only Content-ID tells
        text = "".join(f"--{boundary}\r\n{one}\r\n" for one in answers) + f"--{boundary}--"
        return f"multipart/mixed; boundary={boundary}", text.encode()

    def _batch_part(self, content_id: str, text: str, token: str) -> str:
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        method, target, _ = head.split("\n", 1)[0].split(" ")
        status, headers = 200, {}
        try:
            result = self.api(method, target, body.encode(), token, batched=True)
            shown = "" if result is None else json.dumps(result)
            status = 204 if result is None else 200
        except ApiError as error:
            status, headers, shown = error.status, error.headers, error.encoded().decode()
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", "Content-Type: application/json; charset=UTF-8", "Vary: Origin"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"Content-Length: {len(shown.encode())}")
        inner = "\r\n".join(lines) + "\r\n\r\n" + shown
        return f"Content-Type: application/http\r\nContent-ID: <response-{content_id.strip('<>')}>\r\n\r\n{inner}"

    # --- uploads ---------------------------------------------------------------------------------------------------

    def begin_upload(self, path: str, body: bytes, token: str, headers: Any) -> str:
        """Start a resumable upload: the address of its session. The metadata travel here, the mail in later PUTs."""
        operation, _, scopes = find_operation("POST", path)
        grant = self.grant(token)
        if not scopes & set(grant.scopes):
            raise _insufficient()
        if int(headers.get("X-Upload-Content-Length", 0)) > MAX_BODY + 1024 * 1024:
            raise ApiError(413, "Request is too large.", "uploadTooLarge")
        self.seen.append(Seen(f"{operation}.upload", None))
        upload_id = secrets.token_urlsafe(24)
        self._uploads[upload_id] = _Upload(path, grant, _json(body), 0)
        return f"{self.url}upload{path}?{urlencode({'uploadType': 'resumable', 'upload_id': upload_id})}"

    def continue_upload(self, upload_id: str, content_range: str, chunk: bytes) -> tuple[int, dict[str, Any] | None]:
        """308 and nothing while it is not whole, then the answer of the method."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise ApiError(404, "Upload not found.", "notFound")
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", content_range or f"bytes 0-{len(chunk) - 1}/{len(chunk)}")
        if found is None:
            raise ApiError(400, "Failed to parse Content-Range header.", "badRequest")
        if found[1] is not None:
            if int(found[1]) != len(upload.received):
                raise ApiError(503, "Invalid request. The range does not follow what was received.", "backendError")
            upload.received += chunk
        if found[3] == "*" or len(upload.received) < int(found[3]):
            return 308, None
        del self._uploads[upload_id]
        operation, ids, scopes = find_operation("POST", upload.operation_path)
        call = Call(operation, ids, {}, upload.body, bytes(upload.received), upload.grant)
        return 200, self.perform(call, scopes)

    def received_of(self, upload_id: str) -> int:
        upload = self._uploads.get(upload_id)
        return len(upload.received) if upload else 0

    def simple_upload(self, path: str, chunk: bytes, token: str) -> dict[str, Any] | None:
        operation, ids, scopes = find_operation("POST", path)
        return self.perform(Call(operation, ids, {}, {}, chunk, self.grant(token)), scopes)


def _insufficient() -> ApiError:
    message = "Request had insufficient authentication scopes."
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
    return ApiError(403, message, "insufficientPermissions", details=[detail])


def _fail(fault: Fault) -> None:
    if fault.hang:
        time.sleep(fault.hang)
    if fault.reset:
        raise Reset
    if fault.status >= 300:
        raise fault.error()


def _json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    if len(body) > MAX_JSON:
        raise ApiError(413, "Request payload size exceeds the limit.", "uploadTooLarge")
    try:
        value = json.loads(body)
    except ValueError:
        raise ApiError(400, "Invalid JSON payload received.", "parseError") from None
    return value if isinstance(value, dict) else {}


def _phrase(status: int) -> str:
    return StandInHandler.responses.get(status, ("Unknown", ""))[0]


class _Handler(StandInHandler):
    google: GmailServer

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._route(body)
        except ApiError as error:
            self._send(error.status, error.encoded(), error.headers)
        except OAuthError as refused:
            self._send(refused.status, json.dumps(refused.body).encode())
        except Reset:
            self.hang_up()

    def _route(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        google = self.google
        if parts.path in ("/token", "/revoke"):
            self._oauth(parts.path, body)
        elif parts.path == "/o/oauth2/v2/auth":
            self._consent(query)
        elif parts.path in ("/batch", "/batch/gmail/v1"):
            content_type, answered = google.batch(self.headers["Content-Type"], body, token)
            self._send(200, answered, content_type=content_type)
        elif parts.path.startswith("/upload/"):
            self._upload(parts.path.removeprefix("/upload"), query, body, token)
        else:
            # The client turns very long GETs into a POST with this header.
            method = self.headers.get("X-HTTP-Method-Override") or self.command
            target = self.path if method == self.command else f"{parts.path}?{body.decode()}"
            result = google.api(method, target, body if method == self.command else b"", token)
            self._send(204 if result is None else 200, b"" if result is None else json.dumps(result).encode())

    def _oauth(self, path: str, body: bytes) -> None:
        fault = self.google.faults.take(path.strip("/"))
        if fault and not fault.after_accept:
            if fault.body is not None:
                raise OAuthError(fault.reason or "invalid_grant", fault.body.decode(), fault.status)
            _fail(fault)
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        if path == "/revoke":
            self.google.oauth.revoke(form.get("token", ""))
            self._send(200, b"{}")
            return
        answered = self.google.oauth.token(form)
        if fault:
            _fail(fault)
        self._send(200, json.dumps(answered).encode())

    def _consent(self, query: dict[str, str]) -> None:
        code = self.google.oauth.consent(query)
        back = urlencode({"state": query.get("state", ""), "code": code, "scope": query.get("scope", "")})
        self._send(302, b"", {"Location": f"{query['redirect_uri']}?{back}"})

    def _upload(self, path: str, query: dict[str, str], body: bytes, token: str) -> None:
        if upload_id := query.get("upload_id"):
            status, result = self.google.continue_upload(upload_id, self.headers.get("Content-Range", ""), body)
            received = self.google.received_of(upload_id)
            headers = {"Range": f"bytes=0-{received - 1}"} if status == 308 and received else {}
            self._send(status, b"" if result is None else json.dumps(result).encode(), headers)
        elif query.get("uploadType") == "resumable":
            place = self.google.begin_upload(path, body, token, self.headers)
            self._send(200, b"", {"Location": place})
        else:
            result = self.google.simple_upload(path, body, token)
            self._send(200, json.dumps(result).encode())

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, content_type: str = "application/json; charset=UTF-8"
    ) -> None:
        self.send_response(status)
        if "gzip" in (self.headers.get("Accept-Encoding") or "") and len(body) > 500:
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
