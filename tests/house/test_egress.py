"""No room opens a connection past the egress rule: what connects is listed here, with its reason."""

import ast
from pathlib import Path

from tests.house.test_arrows import python_files

ROOT = Path(__file__).parents[2]
FREE = {"tests", "benchmarks", "docs"}

# Calls that connect, or make what connects by itself.
CONNECTING = {
    "asyncio.open_connection", "asyncio.open_unix_connection", "socket.socket", "socket.create_connection", "socket.getaddrinfo",
    "socket.gethostbyname", "ssl.get_server_certificate", "http.client.HTTPConnection", "http.client.HTTPSConnection",
    "httplib2.Http", "urllib.request.urlopen", "urllib3.PoolManager", "urllib3.request", "imaplib.IMAP4", "imaplib.IMAP4_SSL",
    "smtplib.SMTP", "smtplib.SMTP_SSL", "imapclient.IMAPClient", "httpx.Client", "httpx.AsyncClient", "httpx.get", "httpx.post",
    "httpx.request", "httpx.stream", "httpx.put", "httpx.HTTPTransport", "httpx.AsyncHTTPTransport", "httpcore.ConnectionPool",
    "httpcore.AsyncConnectionPool", "requests.get", "requests.post", "requests.request", "requests.Session", "jwt.PyJWKClient",
    "google.auth.transport.requests.Request", "google.auth.transport.requests.AuthorizedSession", "boto3.client", "boto3.resource", "boto3.session.Session", "msal.ConfidentialClientApplication", "msal.PublicClientApplication",
}  # fmt: skip

# Who may, and why that is no way out for what a tenant writes into a form.
ALLOWED = {
    "providers/egress.py": {"socket.socket", "socket.getaddrinfo", "asyncio.open_connection"},  # the rule itself
    "providers/egress_http.py": {"httpcore.ConnectionPool", "httpcore.AsyncConnectionPool", "httpx.Client", "httpx.AsyncClient"},
    "providers/gmail/transport.py": {"http.client.HTTPConnection"},  # is given a checked socket
    "providers/s3/blobs.py": {"boto3.session.Session"},  # the operator's endpoint, from the settings
    "providers/ses/client.py": {"boto3.session.Session"},  # the operator's region and keys, from the settings
    "commands/api_client.py": {"httpx.Client"},  # the operator's own API, from the operator's shell
    "commands/doctor.py": {"httpx.get", "httpx.AsyncClient", "boto3.client"},  # the same, and S3's endpoint
    "commands/object_copies.py": {"boto3.session.Session"},  # the embedded stack's own bucket
    "commands/run.py": {"httpx.AsyncClient"},  # our own API
    "telemetry.py": {"urllib.request.urlopen"},  # the metrics of this process
    "worker.py": {"socket.socket"},  # asks for a free port
}


def calls_of(path: str) -> set[str]:
    """Every call of CONNECTING, by the name it was imported from; a `transport=` of our own makes a client harmless."""
    tree = ast.parse((ROOT / path).read_text(), path)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            first, _, rest = called.partition(".")
            full = f"{names[first]}.{rest}".rstrip(".") if first in names else ""
            if full in CONNECTING and not checked(node, full):
                found.add(full)
    return found


def checked(node: ast.Call, full: str) -> bool:
    """True for what was given our transport (httpx) or our client (MSAL)."""
    wanted = {"httpx": "transport", "msal": "http_client"}.get(full.partition(".")[0])
    value = next((k.value for k in node.keywords if k.arg == wanted), None) if wanted else None
    return value is not None and not (isinstance(value, ast.Constant) and value.value is None)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_nobody_connects_past_the_egress_rule() -> None:
    # `stack/` starts servers on this machine and asks whether they are up.
    product = [p for p in python_files() if p.split("/")[0] not in FREE | {"stack"}]
    wrong = {p: sorted(past) for p in product if (past := calls_of(p) - ALLOWED.get(p, set()))}
    assert not wrong, f"connects past providers/egress.py (docs/egress.md tells how to go through it): {wrong}"


def test_everything_listed_is_still_there() -> None:
    """An entry for a file that is gone would let the next file of that name connect as it likes."""
    assert [p for p in ALLOWED if not (ROOT / p).exists()] == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    code = (
        "import httpx, socket as s\nfrom asyncio import open_connection\nimport http.client\n"
        "httpx.Client()\nhttpx.AsyncClient(transport=None)\nhttpx.AsyncClient(transport=mine)\ns.create_connection(1)\n"
        "open_connection(1)\nhttp.client.HTTPSConnection(1)\n"
    )
    (tmp_path / "sample.py").write_text(code)
    assert calls_of(str(tmp_path / "sample.py")) == {
        "httpx.Client", "httpx.AsyncClient", "socket.create_connection", "asyncio.open_connection", "http.client.HTTPSConnection",
    }  # fmt: skip
