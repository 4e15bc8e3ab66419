"""The Graph stand-in itself, seen with other clients than ours: msal, and plain HTTP as the documentation writes it."""

import base64
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import msal
import pytest
import requests

from tests.servers.graph_oauth import SCOPES
from tests.servers.graph_server import GraphServer

ADDRESS = "agent@example.com"
PREFER = {"Prefer": 'IdType="ImmutableId"'}
MAIL = b"From: kim@example.org\r\nTo: agent@example.com\r\nSubject: Hello\r\nMessage-ID: <m1@example.org>\r\n\r\nhello\r\n"


@pytest.fixture
def graph():
    with GraphServer() as server:
        yield server


@pytest.fixture
def box(graph):
    return graph.mailbox(ADDRESS)


@pytest.fixture
def ask(graph, box):
    token = graph.login.access_token(ADDRESS)

    def ask(method, path, body=None, headers=PREFER, raw=None):
        url = path if "://" in path else graph.root + path
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={"Authorization": f"Bearer {token}", **headers})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content[:1] == b"{" else content
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    return ask


@pytest.fixture(scope="module")
def secure(certificates):
    with GraphServer(certificates) as server:
        yield server


@pytest.fixture
def app(secure, certificates):
    secure.login.app_broken = None
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificates.authority)
    made = msal.ConfidentialClientApplication(
        secure.login.client_id, client_credential=secure.login.client_secret, authority=secure.authority,
        instance_discovery=False, http_client=session,
    )  # fmt: skip
    yield made
    session.close()


def test_msal_signs_in_with_pkce_and_refreshes_with_rotation(secure, app, certificates):
    with pytest.warns(UserWarning, match="form_post"):
        flow = app.initiate_auth_code_flow(["Mail.ReadWrite"], redirect_uri="https://desk.example.com/back")
    back = requests.get(flow["auth_uri"], verify=str(certificates.authority), allow_redirects=False, timeout=5)
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back.headers["Location"]).query))
    token = app.acquire_token_by_auth_code_flow(flow, answer)
    assert token["id_token_claims"]["preferred_username"] == ADDRESS
    again = app.acquire_token_by_refresh_token(token["refresh_token"], ["Mail.ReadWrite"])
    assert again["refresh_token"] != token["refresh_token"]
    assert secure.login.grant(again["access_token"]).user == ADDRESS


@pytest.mark.parametrize(("why", "number"), [("expired", 700082), ("password_changed", 50173), ("revoked", 70008)])
def test_msal_tells_why_a_refresh_token_is_dead(secure, app, why, number):
    token = secure.login.refresh_token(ADDRESS)
    secure.login.break_refresh(ADDRESS, why)
    answer = app.acquire_token_by_refresh_token(token, ["Mail.ReadWrite"])
    assert answer["error"] == "invalid_grant"
    assert answer["error_codes"] == [number]


def test_an_old_refresh_token_dies_where_rotation_is_strict(secure, app):
    secure.login.keep_old_refresh_tokens = False
    try:
        token = secure.login.refresh_token(ADDRESS)
        assert "access_token" in app.acquire_token_by_refresh_token(token, list(SCOPES[4:5]))
        assert app.acquire_token_by_refresh_token(token, list(SCOPES[4:5]))["error"] == "invalid_grant"
    finally:
        secure.login.keep_old_refresh_tokens = True


def test_msal_gets_application_permission(secure, app):
    token = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    grant = secure.login.grant(token["access_token"])
    assert grant is not None
    assert grant.user is None


def test_a_wrong_client_secret_has_its_number(secure, app):
    secure.login.app_broken = "secret_expired"
    answer = app.acquire_token_for_client(["https://graph.microsoft.com/.default2"])
    assert answer["error_codes"] == [7000222]


def test_without_the_header_an_id_changes_on_a_move_and_the_server_notes_it(graph, box, ask):
    item = box.deliver(MAIL)
    _, listed = ask("GET", "me/messages?$select=id", headers={})
    assert listed["value"][0]["id"] == item.rest_id != item.immutable_id
    assert graph.forgotten == ["messages.list"]
    status, moved = ask("POST", f"me/messages/{item.rest_id}/move", {"destinationId": "archive"}, headers={})
    assert (status, moved["id"] != listed["value"][0]["id"]) == (201, True)
    assert ask("GET", f"me/messages/{listed['value'][0]['id']}")[0] == 404


def test_v1_has_no_well_known_name_and_headers_must_be_selected(box, ask):
    item = box.deliver(MAIL)
    folder = ask("GET", "me/mailFolders/inbox")[1]
    assert "wellKnownName" not in folder
    assert "internetMessageHeaders" not in ask("GET", f"me/messages/{item.immutable_id}")[1]
    shown = ask("GET", f"me/messages/{item.immutable_id}?$select=internetMessageHeaders")[1]
    assert {"name": "Subject", "value": "Hello"} in shown["internetMessageHeaders"]
    assert ask("GET", f"me/messages/{item.immutable_id}/$value")[1] == MAIL


def test_a_filter_with_an_order_is_inefficient(box, ask):
    where = urllib.parse.quote("internetMessageId eq '<m1@example.org>'")
    box.deliver(MAIL)
    assert len(ask("GET", f"me/messages?$filter={where}")[1]["value"]) == 1
    status, answer = ask("GET", f"me/messages?$filter={where}&$orderby=receivedDateTime%20desc")
    assert (status, answer["error"]["code"]) == (400, "InefficientFilter")


def test_the_delta_of_a_folder_replays_moves_as_removals(graph, box, ask):
    box.quirks.page_size = 1
    item, other = box.deliver(MAIL), box.deliver(MAIL)
    page = ask("GET", "me/mailFolders/inbox/messages/delta")[1]
    assert len(page["value"]) == 1
    while "@odata.nextLink" in page:
        page = ask("GET", page["@odata.nextLink"])[1]
    box.move(item.immutable_id, "archive")
    box.delete(other.immutable_id)
    box.quirks.page_size = None
    later = ask("GET", page["@odata.deltaLink"])[1]
    assert later["value"] == [
        {"id": item.immutable_id, "@removed": {"reason": "changed"}},
        {"id": other.immutable_id, "@removed": {"reason": "deleted"}},
    ]
    graph.deltas(box).expire()
    assert ask("GET", later["@odata.deltaLink"])[0] == 410


def test_a_batch_takes_twenty_and_answers_singly(graph, box, ask):
    one = {"method": "GET", "url": "/me/mailFolders/inbox", "headers": PREFER}
    assert ask("POST", "$batch", {"requests": [{**one, "id": str(at)} for at in range(21)]})[0] == 400
    graph.faults.plan("folders.get", 429, headers={"Retry-After": "9"})
    answer = ask("POST", "$batch", {"requests": [{**one, "id": "1"}, {**one, "id": "2"}]})[1]
    assert {each["id"]: each["status"] for each in answer["responses"]} == {"1": 429, "2": 200}


def test_a_draft_of_mime_loses_a_foreign_from_and_json_keeps_it(box, ask):
    mime = base64.b64encode(MAIL)
    made = ask("POST", "me/messages", headers={**PREFER, "Content-Type": "text/plain"}, raw=mime)[1]
    assert made["from"]["emailAddress"]["address"] == ADDRESS
    body = {"subject": "x", "from": {"emailAddress": {"address": "team@example.com"}}, "toRecipients": []}
    made = ask("POST", "me/messages", body)[1]
    assert made["from"]["emailAddress"]["address"] == "team@example.com"
    names = [{"name": f"x-{number}", "value": "1"} for number in range(6)]
    assert ask("POST", "me/messages", {**body, "internetMessageHeaders": names})[0] == 400


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = query["validationToken"][0].encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


def test_the_handshake_goes_over_real_sockets(graph, box, ask):
    with HTTPServer(("127.0.0.1", 0), _Hook) as hook:
        thread = threading.Thread(target=hook.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{hook.server_address[1]}/hook"
        body = {
            "changeType": "created", "notificationUrl": url, "lifecycleNotificationUrl": url, "resource": "me/messages",
            "expirationDateTime": "2000-01-01T00:00:00Z", "clientState": "state",
        }  # fmt: skip
        status, made = ask("POST", "subscriptions", body)
        hook.shutdown()
        thread.join()
    assert status == 201
    lifecycle = graph.subscriptions.lifecycle(made["id"], "subscriptionRemoved")
    assert lifecycle["value"][0]["lifecycleEvent"] == "subscriptionRemoved"
    assert ask("PATCH", f"subscriptions/{made['id']}", {"expirationDateTime": "2000-01-01T00:00:00Z"})[0] == 404


def test_more_than_four_at_a_time_are_throttled(graph, box, ask):
    item = box.deliver(MAIL)
    for _ in range(5):
        graph.faults.plan("messages.value", 500, hang=0.2)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask("GET", f"me/messages/{item.immutable_id}/$value")[0])) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [429, 500, 500, 500, 500]
