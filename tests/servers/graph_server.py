"""Graph and Microsoft's sign-in on real sockets in a thread of their own: `with GraphServer() as graph: ...`.

`graph.mailbox(address)` makes a mailbox, `graph.login` the tokens, `graph.faults` plans failures, `graph.calls` tells what was
asked, `graph.forgotten` which calls came without the header for immutable ids.
"""

import json
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.certificates import Certificates
from tests.servers.graph_api import Answer, Call, GraphApi, find_operation
from tests.servers.graph_delta import DeltaQueries
from tests.servers.graph_faults import Fault, Faults, GraphError, throttled
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_oauth import TENANT, Grant, MicrosoftLogin, OAuthError
from tests.servers.graph_subscriptions import Subscriptions
from tests.servers.stand_in_http import Reset, StandInHandler, StandInServer

BATCH_CAP = 20
CONCURRENT = 4
IMMUTABLE = 'idtype="immutableid"'


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as it came: `prefer` in lower case."""

    operation: str
    ids: tuple[str, ...]
    prefer: str
    batched: bool = False


class GraphServer:
    """Listens on 127.0.0.1, over TLS where `certificates` are given (msal insists on https)."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self._certificates = certificates
        self.mailboxes: dict[str, GraphMailbox] = {}
        self.login = MicrosoftLogin()
        self.faults = Faults()
        self.subscriptions = Subscriptions()
        self.api = GraphApi(self.mailboxes, lambda: self.url, self.subscriptions)
        self.calls: list[Seen] = []
        self.forgotten: list[str] = []
        self.peak = 0
        self.limit_concurrency = True
        self._busy: dict[str, int] = {}
        self._lock = threading.Lock()

    # --- life -------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        server = self

        class Handler(_Handler):
            graph = server

        self._http = StandInServer(Handler, self._certificates)
        self.port = int(self._http.server_address[1])
        scheme = "https" if self._certificates else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="graph-stand-in", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def root(self) -> str:
        """What an account is given as its address."""
        return f"{self.url}/v1.0/"

    @property
    def authority(self) -> str:
        return f"{self.url}/{TENANT}"

    def mailbox(self, address: str, **more: Any) -> GraphMailbox:
        box = GraphMailbox(str(uuid.uuid4()), address, **more)
        self.mailboxes[address.lower()] = box
        return box

    def deltas(self, box: GraphMailbox) -> DeltaQueries:
        return self.api.deltas(box)

    def count(self, operation: str) -> int:
        return sum(one.operation == operation for one in self.calls)

    # --- requests ---------------------------------------------------------------------------------------------------

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes, *, batched: bool = False) -> Answer:
        """One request of the API, alone or out of a batch. Raises GraphError, Reset."""
        parts = urlsplit(target)
        path = parts.path.removeprefix("/v1.0")
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        prefer = headers.get("prefer", "").lower()
        operation, ids, owner = find_operation(method, path)
        self.calls.append(Seen(operation, ids, prefer, batched))
        if IMMUTABLE not in prefer:
            self.forgotten.append(operation)
        grant = self._grant(headers)
        box = self.api.mailbox_for(grant, owner) if owner is not None else None
        call = Call(operation, ids, query, headers, body, grant, IMMUTABLE in prefer, _page_size(prefer), box)
        fault = self.faults.take(operation, ids)
        name = box.address if box else ""
        with self._lock:
            busy = self._busy[name] = self._busy.get(name, 0) + 1
            self.peak = max(self.peak, busy)
        try:
            if busy > CONCURRENT and self.limit_concurrency and box:
                raise throttled(1, "Application is over its MailboxConcurrency limit.")
            _before(fault)
            answer = self.api.perform(call)
        finally:
            with self._lock:
                self._busy[name] -= 1
        if fault:
            raise fault.error()
        return answer

    def _grant(self, headers: dict[str, str]) -> Grant:
        grant = self.login.grant(headers.get("authorization", "").removeprefix("Bearer ").strip())
        if grant is None:
            raise GraphError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.", {"WWW-Authenticate": "Bearer"})
        return grant

    def batch(self, headers: dict[str, str], body: bytes) -> Answer:
        """Up to 20 requests; each has headers of its own and fails by itself. The order of the answers is not promised."""
        self.calls.append(Seen("batch", (), headers.get("prefer", "").lower()))
        if IMMUTABLE not in headers.get("prefer", "").lower():
            self.forgotten.append("batch")
        fault = self.faults.take("batch")
        _before(fault)
        self._grant(headers)
        requests = json.loads(body)["requests"]
        if len(requests) > BATCH_CAP:
            raise GraphError(400, "BadRequest", "Number of batched requests exceeds the limit of 20.")
        answers = [self._batched(one, headers) for one in requests]
        answers.reverse()
        if fault:
            raise fault.error()
        return Answer(body={"responses": answers})

    def _batched(self, one: dict[str, Any], outer: dict[str, str]) -> dict[str, Any]:
        inner = {name.lower(): value for name, value in one.get("headers", {}).items()}
        inner["authorization"] = outer.get("authorization", "")
        body = json.dumps(one["body"]).encode() if "body" in one else b""
        try:
            answer = self.handle(one["method"], "/v1.0" + one["url"], inner, body, batched=True)
            return {"id": one["id"], "status": answer.status, "headers": answer.headers, "body": answer.body}
        except GraphError as error:
            return {"id": one["id"], "status": error.status, "headers": error.headers, "body": error.body}


def _page_size(prefer: str) -> int | None:
    for one in prefer.split(","):
        name, _, value = one.strip().partition("=")
        if name == "odata.maxpagesize":
            return int(value)
    return None


def _before(fault: Fault | None) -> None:
    if fault and fault.hang:
        time.sleep(fault.hang)
    if fault and not fault.after_accept:
        raise fault.error()


class _Handler(StandInHandler):
    graph: GraphServer

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        graph = self.graph
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self._send(self._route(graph, headers, body))
        except GraphError as error:
            self._send(Answer(error.status, error.body, headers=error.headers))
        except OAuthError as refused:
            self._send(Answer(refused.status, refused.body))
        except Reset:
            self.hang_up()

    def _route(self, graph: GraphServer, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(self.path)
        if parts.path == "/v1.0/$batch":
            return graph.batch(headers, body)
        if parts.path.startswith("/v1.0/"):
            return graph.handle(self.command, self.path, headers, body)
        if parts.path.startswith("/upload/"):
            fault = graph.faults.take("upload")
            _before(fault)
            name = parts.path.rpartition("/")[2]
            status, shown, more = graph.api.sending.receive(name, headers.get("content-range", ""), body, headers.get("authorization"))
            return Answer(status, shown, headers=more)
        return self._sign_in(graph, parts.path, {name: values[-1] for name, values in parse_qs(parts.query).items()}, body)

    def _sign_in(self, graph: GraphServer, path: str, query: dict[str, str], body: bytes) -> Answer:
        tenant = path.strip("/").split("/")[0]
        issuer = f"{graph.url}/{tenant}/v2.0"
        if path.endswith("/.well-known/openid-configuration"):
            base = f"{graph.url}/{tenant}/oauth2/v2.0"
            return Answer(body={"issuer": issuer, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"})
        if path.endswith("/oauth2/v2.0/authorize"):
            back = urlencode({"code": graph.login.consent(query), "state": query.get("state", "")})
            return Answer(302, headers={"Location": f"{query['redirect_uri']}?{back}"})
        if path.endswith("/oauth2/v2.0/token"):
            fault = graph.faults.take("token")
            _before(fault)
            form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
            answered = graph.login.token(form, issuer)
            if fault:
                raise fault.error()
            return Answer(body=answered)
        raise GraphError(404, "NotFound")

    def _send(self, answer: Answer) -> None:
        raw = isinstance(answer.body, bytes)
        body: bytes = answer.body if raw else b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("request-id", str(uuid.uuid4()))
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if answer.status != 204 else b"")
