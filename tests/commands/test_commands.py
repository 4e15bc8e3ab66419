"""The command line says what is wrong with its input, and how to mend it, before it does anything."""

import base64
import datetime as dt
import json

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from commands import doctor
from commands import inbox as inbox_commands
from commands import message as message_commands
from commands.api_client import ApiClient
from settings import Settings

INBOX = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "Support", "email_address": "support@example.com", "health": "ok",
    "last_sync_at": "2026-05-01T10:00:00Z", "last_error": None, "last_error_at": None, "links": {"temporal": "http://ui/x"},
}
STATUS = INBOX | {
    "folders": [{"id": "f1", "name": "INBOX", "role": "inbox", "synced": True, "messages": 12, "last_uid": 40, "state": "active"}],
    "backfills": [{"folder_id": "f1", "folder": "INBOX", "state": "running", "done": 120, "total": 1000, "eta_seconds": 9}],
    "ledger": {"ingested": 119, "quarantined": 1}, "lag_seconds": 0,
}
run = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture
def api(monkeypatch):
    """A fake API: answers by (method, path), remembers what was asked."""
    asked: list[tuple[str, str, object]] = []
    answers: dict[tuple[str, str], httpx.Response] = {
        ("GET", "/v1/inboxes"): httpx.Response(200, json={"items": [INBOX], "next": None}),
        ("GET", f"/v1/inboxes/{INBOX['id']}"): httpx.Response(200, json=INBOX),
        ("GET", f"/v1/inboxes/{INBOX['id']}/status"): httpx.Response(200, json=STATUS),
        ("POST", f"/v1/inboxes/{INBOX['id']}/pause"): httpx.Response(200, json=INBOX),
        ("POST", f"/v1/inboxes/{INBOX['id']}/resync"): httpx.Response(202, json={"workflow_id": "inbox-sync/x"}),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, json.loads(request.content) if request.content else None))
        return answers.get((request.method, request.url.path), httpx.Response(404, json={"title": "Not found", "detail": "No such thing."}))

    client = ApiClient("http://api", "key", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(inbox_commands, "connect", lambda _data: client)
    monkeypatch.setattr(message_commands, "connect", lambda _data: client)
    client.asked, client.answers = asked, answers
    return client


def test_inboxes_are_listed(api) -> None:
    result = run.invoke(app, ["inbox", "list"])
    assert result.exit_code == 0
    assert "support@example.com" in result.output


def test_status_shows_folders_and_backfill(api) -> None:
    result = run.invoke(app, ["inbox", "status", "Support"])
    assert result.exit_code == 0
    for part in ("INBOX", "120 of 1000", "9 s left", "quarantined 1"):
        assert part in result.output


def test_an_inbox_is_found_by_name_address_or_id(api) -> None:
    for which in (INBOX["name"], INBOX["email_address"], INBOX["id"]):
        assert run.invoke(app, ["inbox", "pause", which]).exit_code == 0


def test_an_unknown_inbox_is_named_with_those_that_are_known(api) -> None:
    result = run.invoke(app, ["inbox", "pause", "sales"])
    assert result.exit_code == 1
    assert "'sales'" in result.output
    assert "Support" in result.output


def test_resync_of_a_folder_names_it_by_id(api) -> None:
    assert run.invoke(app, ["inbox", "resync", "Support", "--scope", "folder", "--folder", "INBOX"]).exit_code == 0
    assert api.asked[-1][2] == {"scope": "folder", "folder_id": "f1"}
    wrong = run.invoke(app, ["inbox", "resync", "Support", "--scope", "folder", "--folder", "Nope"])
    assert wrong.exit_code == 1
    assert "--folder" in wrong.output
    assert "INBOX" in wrong.output


def test_a_problem_is_shown_with_its_fields(api) -> None:
    problem = {"title": "x", "detail": "Mend these fields.", "errors": [{"field": "imap.host", "message": "may not be empty"}]}
    api.answers["POST", "/v1/inboxes"] = httpx.Response(422, json=problem)
    result = run.invoke(app, ["inbox", "add", "a@example.com", "--imap-host", "", "--smtp-host", "s", "--password", "hunter2-canary"])
    assert result.exit_code == 1
    assert "imap.host: may not be empty" in result.output
    assert "canary" not in result.output


def test_an_api_that_is_away_is_said(monkeypatch) -> None:
    monkeypatch.setattr(inbox_commands, "connect", lambda _data: ApiClient("http://127.0.0.1:9", "key"))
    result = run.invoke(app, ["inbox", "list"])
    assert result.exit_code == 1
    assert "did not answer" in result.output
    assert "mailroom up" in result.output


def test_without_a_running_stack_the_ways_out_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("MAILROOM_API_URL", raising=False)
    result = run.invoke(app, ["inbox", "list", "--data", str(tmp_path)])
    assert result.exit_code == 1
    for way in ("mailroom up", "--data", "MAILROOM_API_URL"):
        assert way in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker", "--queues", "flow,nope"], "nope is not one of"),
        (["worker", "--queues", ","], "--queues"),
        (["user", "add", "no-address"], "'no-address' is not an address"),
        (["user", "add", "a@example.com", "--password", "short"], "at least"),
        (["inbox", "resync", "x", "--scope", "some"], "--scope"),
        (["inbox", "add", "a@example.com", "--imap-port", "0", "--imap-host", "h", "--smtp-host", "h", "--password", "p"], "--imap-port"),
    ],
)
def test_bad_input_names_the_field(arguments, said) -> None:
    result = run.invoke(app, arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_the_doctor_names_missing_settings_and_the_remedy(tmp_path, monkeypatch) -> None:
    import os

    from settings import load_settings

    for name in [n for n in os.environ if n.startswith("MAILROOM_")]:
        monkeypatch.delenv(name)
    load_settings.cache_clear()
    result = run.invoke(app, ["doctor", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "MAILROOM_DATABASE_URL" in result.output
    assert "docs/settings.md" in result.output


def test_the_timeline_of_a_message_is_a_table(api) -> None:
    about = "01890a5d-ac96-774b-bcce-b302099a8058"
    step = {"kind": "send", "attempt": 0, "code": None, "next_at": None, "about": None, "actor": "system", "link": None}
    api.answers["GET", f"/v1/messages/{INBOX['id']}/timeline"] = httpx.Response(
        200,
        json={
            "items": [
                {**step, "at": "2026-05-01T10:00:00Z", "step": "queued", "detail": "", "actor": "Ada"},
                {**step, "at": "2026-05-01T10:00:05Z", "step": "deferred", "detail": "rcpt: later", "attempt": 1, "code": 451,
                 "next_at": "2026-05-01T10:01:05Z", "link": "http://ui/run"},
                {**step, "at": "2026-05-01T12:00:05Z", "step": "report: bounced", "detail": "[red]x", "about": about},
            ]
        },
    )  # fmt: skip
    result = run.invoke(app, ["message", "timeline", INBOX["id"]])
    assert result.exit_code == 0
    for part in ("Ada", "+5.0 s", "451 rcpt: later (until 2026-05-01T10:01:05Z)", "+2 h", "[red]x", about, "http://ui/run"):
        assert part in result.output


def test_a_message_is_named_by_its_id(api) -> None:
    result = run.invoke(app, ["message", "timeline", "Support"])
    assert result.exit_code == 1
    assert "MESSAGE: is not an id" in result.output
    assert api.asked == []


async def test_the_doctor_warns_before_a_client_secret_ends() -> None:
    """With `common` no tenant is named, so nothing is asked of Microsoft here."""
    key = "k" * 32
    settings = Settings(
        database_url="postgresql+psycopg://x", s3_bucket="b", s3_access_key="a", s3_secret_key=key, session_secret=key,
        token_secret=key, credential_keys=f"k1:{base64.b64encode(key.encode()).decode()}", microsoft_client_id="id",
        microsoft_client_secret="s", microsoft_client_secret_expires=(dt.datetime.now(dt.UTC) + dt.timedelta(days=5)).date(),
    )  # fmt: skip
    about, secret = await doctor._oauth(settings)
    assert about.ok
    assert about.detail.endswith("/oauth/callback, docs/connecting-microsoft.md")
    assert (secret.ok, secret.detail[:7]) == (False, "ends in")
    assert "access-ends" in secret.remedy
