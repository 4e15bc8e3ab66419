"""The Gmail stand-in behaves as Google documents, seen by another client than the product's, so that nobody tests against a dream."""

import base64
import hashlib
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import google.oauth2.credentials
import google_auth_httplib2
import httplib2
import httpx
import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.discovery import build

from tests.servers.certificates import Certificates
from tests.servers.gmail_mailbox import GmailMailbox, encode_raw
from tests.servers.gmail_server import GmailServer
from tests.servers.google_oauth import METADATA, MODIFY

ADDRESS = "team@example.com"
MAIL = b"From: ann@example.org\r\nTo: team@example.com\r\nSubject: hi\r\nMessage-ID: <m1@example.org>\r\n\r\nbody\r\n"
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def trust(certificates: Certificates) -> ssl.SSLContext:
    return certificates.client_context()


@pytest.fixture
def mailbox(google: GmailServer) -> GmailMailbox:
    return google.add_mailbox(ADDRESS)


@pytest.fixture
def web(google: GmailServer, trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=google.url, verify=trust, trust_env=False) as client:
        yield client


@pytest.fixture
def ask(google: GmailServer, mailbox: GmailMailbox, web: httpx.Client) -> Ask:
    token = google.oauth.access_token(ADDRESS)

    def asked(method: str, path: str, **options: Any) -> httpx.Response:
        return web.request(
            method, f"gmail/v1/users/me/{path}", headers={"Authorization": f"Bearer {token}"}, **options
        )

    return asked


def form(google: GmailServer, **fields: str) -> dict[str, str]:
    return {"client_id": google.oauth.client_id, "client_secret": google.oauth.client_secret, **fields}


def test_googles_own_client_with_its_own_sign_in_works_against_it(
    google: GmailServer, mailbox: GmailMailbox, certificates: Certificates
) -> None:
    """google-auth refreshes, googleapiclient calls: only the address and the authority are ours."""
    one = mailbox.deliver(MAIL)
    credentials = google_oauth(google, google.oauth.refresh_token(ADDRESS))
    http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(ca_certs=str(certificates.authority)))
    service = build("gmail", "v1", http=http, static_discovery=True, client_options={"api_endpoint": google.url})
    found = service.users().messages().get(userId="me", id=one, format="raw").execute()
    assert base64.urlsafe_b64decode(found["raw"]) == MAIL
    google.oauth.revoke_all(ADDRESS)
    with pytest.raises(RefreshError, match="invalid_grant"):
        service.users().getProfile(userId="me").execute()
    service.close()


def google_oauth(server: GmailServer, refresh_token: str) -> Any:
    return google.oauth2.credentials.Credentials(
        None,
        refresh_token=refresh_token,
        token_uri=server.token_url,
        client_id=server.oauth.client_id,
        client_secret=server.oauth.client_secret,
    )


def test_consent_gives_a_code_that_is_good_once_with_its_verifier(google: GmailServer, web: httpx.Client) -> None:
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    back = "https://desk.example.com/oauth/google"
    query = {"client_id": google.oauth.client_id, "redirect_uri": back, "scope": f"{MODIFY} openid", "state": "s1"}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256", "login_hint": ADDRESS}
    google.oauth.granted_scopes = (MODIFY,)  # the person unticks the other box

    def code() -> str:
        sent_back = parse_qs(urlsplit(web.get("o/oauth2/v2/auth", params=query).headers["Location"]).query)
        assert sent_back["state"] == ["s1"]
        return sent_back["code"][0]

    def exchange(value: str, **changed: str) -> httpx.Response:
        fields = {"grant_type": "authorization_code", "code": value, "redirect_uri": back, "code_verifier": verifier}
        return web.post("token", data=form(google, **fields | changed))

    once = code()
    tokens = exchange(once).json()
    assert tokens["scope"] == MODIFY
    assert tokens["refresh_token"]
    assert exchange(once).json()["error"] == "invalid_grant"
    assert exchange(code(), code_verifier="w" * 50).json()["error"] == "invalid_grant"
    assert exchange(code(), redirect_uri="https://evil.example.com/").json()["error"] == "redirect_uri_mismatch"


def test_refreshing_rotates_where_it_is_told_to(google: GmailServer, web: httpx.Client) -> None:
    google.oauth.rotate = True
    first = google.oauth.refresh_token(ADDRESS)
    fields = {"grant_type": "refresh_token", "refresh_token": first}
    answer = web.post("token", data=form(google, **fields)).json()
    assert answer["refresh_token"] != first
    again = web.post("token", data=form(google, **fields))
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert google.oauth.refreshes == 2


def test_the_hundred_and_first_refresh_token_ends_the_oldest_silently(google: GmailServer, web: httpx.Client) -> None:
    tokens = [google.oauth.refresh_token(ADDRESS) for _ in range(101)]

    def status(token: str) -> int:
        return web.post("token", data=form(google, grant_type="refresh_token", refresh_token=token)).status_code

    assert (status(tokens[0]), status(tokens[1]), status(tokens[100])) == (400, 200, 200)


def test_a_wrong_client_is_refused(google: GmailServer, web: httpx.Client) -> None:
    fields = {"client_id": "x", "client_secret": "y", "grant_type": "refresh_token", "refresh_token": "z"}
    assert web.post("token", data=fields).json()["error"] == "invalid_client"


def test_revoking_ends_every_token_of_the_account(google: GmailServer, web: httpx.Client) -> None:
    refresh, access = google.oauth.refresh_token(ADDRESS), google.oauth.access_token(ADDRESS)
    assert web.post("revoke", data={"token": refresh}).status_code == 200
    assert google.oauth.grant_of(access) is None
    assert web.post("revoke", data={"token": refresh}).status_code == 400


def test_access_tokens_expire_with_the_servers_clock(google: GmailServer, ask: Ask) -> None:
    assert ask("GET", "profile").status_code == 200
    google.advance(3600)
    answer = ask("GET", "profile")
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_metadata_scope_has_no_body_and_no_search(
    google: GmailServer, mailbox: GmailMailbox, web: httpx.Client
) -> None:
    one = mailbox.deliver(MAIL)
    held = {"Authorization": f"Bearer {google.oauth.access_token(ADDRESS, (METADATA,))}"}
    path = "gmail/v1/users/me/messages"
    assert web.get(f"{path}/{one}?format=raw", headers=held).status_code == 403
    assert web.get(f"{path}/{one}?format=metadata", headers=held).status_code == 200
    assert web.get(f"{path}?q=in:inbox", headers=held).status_code == 403
    refused = web.post(f"{path}/{one}/modify", headers=held, json={"addLabelIds": ["STARRED"]}).json()["error"]
    assert refused["errors"][0]["reason"] == "insufficientPermissions"


def test_errors_have_googles_form(ask: Ask) -> None:
    error = ask("GET", "messages/0").json()["error"]
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["errors"][0] == {"message": error["message"], "domain": "global", "reason": "notFound"}


def test_same_label_in_add_and_remove_is_refused(mailbox: GmailMailbox, ask: Ask) -> None:
    one = mailbox.deliver(MAIL)
    body = {"addLabelIds": ["STARRED"], "removeLabelIds": ["STARRED"]}
    assert ask("POST", f"messages/{one}/modify", json=body).status_code == 400
    assert ask("POST", f"messages/{one}/modify", json={"addLabelIds": ["Label_99"]}).status_code == 400
    assert ask("POST", f"messages/{one}/modify", json={"addLabelIds": ["SENT"]}).status_code == 400


def test_spam_and_trash_are_hidden_unless_asked_for(mailbox: GmailMailbox, ask: Ask) -> None:
    mailbox.deliver(MAIL, ["SPAM"])
    assert "messages" not in ask("GET", "messages").json()
    assert len(ask("GET", "messages?includeSpamTrash=true").json()["messages"]) == 1
    assert len(ask("GET", "messages?labelIds=SPAM").json()["messages"]) == 1


def test_history_can_be_asked_for_one_kind_and_one_label(mailbox: GmailMailbox, ask: Ask) -> None:
    start = mailbox.history_id
    label = mailbox.add_label("x")
    one = mailbox.deliver(MAIL)
    mailbox.modify(one, add=[label])
    mailbox.delete(one)
    base = f"history?startHistoryId={start}"
    kinds = [set(record) - {"id", "messages"} for record in ask("GET", base).json()["history"]]
    assert kinds == [{"messagesAdded"}, {"labelsAdded"}, {"messagesDeleted"}]
    only = ask("GET", f"{base}&historyTypes=messageDeleted").json()["history"]
    assert [set(record) - {"id", "messages"} for record in only] == [{"messagesDeleted"}]
    assert len(ask("GET", f"{base}&labelId={label}").json()["history"]) == 1


def test_a_batch_of_more_than_a_hundred_is_refused_whole(google: GmailServer, mailbox: GmailMailbox, web: httpx.Client) -> None:
    token = google.oauth.access_token(ADDRESS)
    held = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/mixed; boundary=b"}

    def batch(size: int) -> httpx.Response:
        part = "--b\r\nContent-Type: application/http\r\nContent-ID: <{}>\r\n\r\nGET /gmail/v1/users/me/profile HTTP/1.1\r\n\r\n"
        return web.post("batch", headers=held, content="".join(part.format(n) for n in range(size)) + "--b--")

    assert batch(101).status_code == 400
    answer = batch(100)
    assert answer.status_code == 200
    assert answer.text.count("HTTP/1.1 200 OK") == 100
    assert "<response-99>" in answer.text
    assert google.quotas[ADDRESS].used == 100  # a batch of n counts n


def test_editing_and_sending_a_draft_change_the_message_id(mailbox: GmailMailbox, ask: Ask) -> None:
    created = ask("POST", "drafts", json={"message": {"raw": encode_raw(MAIL)}}).json()
    edited = ask("PUT", f"drafts/{created['id']}", json={"message": {"raw": encode_raw(MAIL + b"more")}}).json()
    assert edited["id"] == created["id"]
    assert edited["message"]["id"] != created["message"]["id"]
    sent = ask("POST", "drafts/send", json={"id": created["id"]}).json()
    assert sent["id"] != edited["message"]["id"]
    assert sent["threadId"] == edited["message"]["threadId"]
    assert ask("POST", "drafts/send", json={"id": created["id"]}).status_code == 404
    assert ask("GET", "drafts").json() == {"resultSizeEstimate": 0}


def test_what_is_sent_to_another_mailbox_arrives_there(google: GmailServer, mailbox: GmailMailbox, ask: Ask) -> None:
    other = google.add_mailbox("ann@example.org")
    raw = MAIL.replace(b"To: team@example.com", b"To: Ann <ann@example.org>")
    ask("POST", "messages/send", json={"raw": encode_raw(raw)})
    (arrived,) = other.mails.values()
    assert arrived.labels == {"INBOX", "UNREAD"}
    assert mailbox.accepted[0].recipients == ("ann@example.org",)


def test_the_thread_rule_wants_all_three(mailbox: GmailMailbox, ask: Ask) -> None:
    thread = mailbox.mails[mailbox.deliver(MAIL)].thread_id
    reply = MAIL.replace(b"<m1@", b"<m2@")
    named = reply.replace(b"Subject: hi", b"Subject: Re: hi\r\nReferences: <m1@example.org>")
    other_subject = named.replace(b"Re: hi", b"something else")

    def sent(raw: bytes) -> str:
        return ask("POST", "messages/send", json={"raw": encode_raw(raw), "threadId": thread}).json()["threadId"]

    assert sent(named) == thread
    assert sent(reply) != thread
    assert sent(other_subject) != thread
    assert ask("POST", "messages/send", json={"raw": encode_raw(named), "threadId": "0"}).status_code == 404


def test_quota_refuses_beyond_the_limit_until_time_passes(google: GmailServer, mailbox: GmailMailbox, ask: Ask) -> None:
    quota = google.quotas[ADDRESS]
    quota.limit, quota.status, quota.reason, quota.retry_after = 2, 429, "rateLimitExceeded", 30
    assert [ask("GET", "profile").status_code for _ in range(3)] == [200, 200, 429]
    assert ask("GET", "profile").headers["Retry-After"] == "30"
    google.advance(61)
    assert ask("GET", "profile").status_code == 200


def test_planned_faults_come_once_and_only_where_they_are_planned(
    google: GmailServer, mailbox: GmailMailbox, ask: Ask
) -> None:
    first, second = mailbox.deliver(MAIL), mailbox.deliver(MAIL)
    google.faults.plan("messages.get", status=500, item=second)
    assert ask("GET", f"messages/{first}").status_code == 200
    assert ask("GET", f"messages/{second}").status_code == 500
    assert ask("GET", f"messages/{second}").status_code == 200
    google.faults.plan("messages.trash", reset=True, after_accept=True)
    with pytest.raises(httpx.TransportError):
        ask("POST", f"messages/{first}/trash")
    assert "TRASH" in mailbox.mails[first].labels


def test_a_resumable_upload_goes_on_where_it_stopped(
    google: GmailServer, mailbox: GmailMailbox, web: httpx.Client
) -> None:
    held = {"Authorization": f"Bearer {google.oauth.access_token(ADDRESS)}"}
    raw = MAIL + b"x" * 1000
    began = web.post(
        "upload/gmail/v1/users/me/drafts?uploadType=resumable",
        headers={**held, "X-Upload-Content-Type": "message/rfc822", "X-Upload-Content-Length": str(len(raw))},
        json={"message": {}},
    )
    place, end = began.headers["Location"], len(raw) - 1
    half = web.put(place, content=raw[:500], headers={"Content-Range": f"bytes 0-499/{len(raw)}"})
    assert (half.status_code, half.headers["Range"]) == (308, "bytes=0-499")
    asked = web.put(place, headers={"Content-Range": f"bytes */{len(raw)}"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-499")
    whole = web.put(place, content=raw[500:], headers={"Content-Range": f"bytes 500-{end}/{len(raw)}"})
    assert mailbox.mails[whole.json()["message"]["id"]].raw == raw


def test_it_runs_without_tls_too() -> None:
    server = GmailServer()
    server.add_mailbox(ADDRESS)
    held = {"Authorization": f"Bearer {server.oauth.access_token(ADDRESS)}"}
    answer = httpx.get(f"{server.url}gmail/v1/users/me/profile", headers=held, trust_env=False)
    server.close()
    assert json.loads(answer.text)["emailAddress"] == ADDRESS
