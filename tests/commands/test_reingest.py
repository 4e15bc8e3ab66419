"""`mailroom reingest`: counts before it begins, shows how far it is, tells what differs, and asks before it writes."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from commands import reingest as reingest_commands
from commands.api_client import ApiClient

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
BOX = {"id": "b1", "name": "Support", "email_address": "support@example.com", "health": "ok"}
RUN: dict[str, Any] = {
    "id": ID, "state": "planning", "paused": False, "total": 30, "done": 10, "changed": 1, "outdated": 2, "to_apply": 3,
    "applied": 0, "failed": 1, "failures": {"parser_error": 1}, "error": None, "created_at": "2026-05-01T10:00:00Z",
}
PLANNED = RUN | {"state": "planned", "done": 30}
CHANGE: dict[str, Any] = {
    "ledger_id": "l1", "message_id": "m1", "subject": "Pr?nter [bold]\x1b[2J", "from": "Carla <carla@customer.example.com>",
    "received_at": "2026-05-01T10:00:00Z", "kinds": ["body", "parts", "headers", "classification", "thread", "defects"],
    "state": "planned", "reason": None,
    "detail": {
        "body": {"body_visible": {"old_length": 9, "new_length": 12, "diff": "@@ -1 +1 @@\n-It b?rns.\n+It burns.", "cut": False}},
        "parts": {"added": [{}], "removed": [], "renamed": [{}, {}]},
        "headers": [{"field": "subject", "old": "Pr?nter", "new": "Printer"}],
        "classification": {"old": "message", "new": "spam", "kept": "answered"},
        "thread": {"old": "c1", "new": "c2", "by": "references", "kept": None},
        "defects": {},
    },
}
run = CliRunner(env={"COLUMNS": "260", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture
def api(monkeypatch):
    """A fake API: each answer may be a list, of which the last stays; remembers what was asked."""
    asked: list[tuple[str, str, Any]] = []
    answers: dict[tuple[str, str], Any] = {
        ("GET", "/v1/inboxes"): {"items": [BOX], "next": None},
        ("GET", "/v1/inboxes/b1/status"): {"folders": [{"id": "f1", "name": "INBOX"}]},
        ("GET", "/v1/reingests/preview"): {"parser_version": 2, "older": 12, "messages": 30, "size_bytes": 3_145_728, "quarantined": 4, "bounded": True},
        ("POST", "/v1/reingests"): RUN,
        ("GET", "/v1/reingests"): {"items": [PLANNED], "next": None},
        ("GET", f"/v1/reingests/{ID}"): [RUN, PLANNED],
        ("GET", f"/v1/reingests/{ID}/changes"): {"items": [CHANGE], "next": None},
        ("GET", f"/v1/reingests/{ID}/changes/l1"): CHANGE,
        ("POST", f"/v1/reingests/{ID}/apply"): PLANNED | {"state": "applying"},
        ("POST", f"/v1/reingests/{ID}/cancel"): PLANNED | {"state": "cancelled"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        asked.append((request.method, request.url.path, json.loads(request.content) if request.content else query))
        given = answers.get((request.method, request.url.path))
        if given is None:
            return httpx.Response(409, json={"title": "Conflict", "detail": "Only a run that is under way can be paused."})
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        return httpx.Response(200, json=given)

    client: Any = ApiClient("http://api", "key", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(reingest_commands, "connect", lambda _data: client)
    monkeypatch.setattr(reingest_commands, "POLL_SECONDS", 0)
    client.asked, client.answers = asked, answers
    return client


def test_a_plan_counts_asks_watches_and_tells(api) -> None:
    result = run.invoke(app, ["reingest", "plan", "--inbox", "Support", "--folder", "INBOX", "--older-parser", "--since", "2026-01-31"], input="y\n")
    assert result.exit_code == 0, result.output
    for part in (
        "30 mails (3.0 MB, 4 in quarantine)", "12 mails were read by a parser older than version 2", "30 of 30 compared",
        "text 9 → 12 characters", "files +1 −0 renamed 2", "message → spam (stays: answered)", "moves, by references", "1 parser error",
        f"mailroom reingest apply {ID}", "30/30",
    ):
        assert part in result.output, part
    selection = {"inbox": ["b1"], "folder": ["f1"], "since": "2026-01-31T00:00:00Z", "older_parser": True}
    assert ("POST", "/v1/reingests", selection) in api.asked
    assert "Pr?nter [bold][2J" in result.output  # no markup of ours, no command for the terminal


def test_a_plan_that_is_not_wanted_after_all_is_not_asked_for(api) -> None:
    assert run.invoke(app, ["reingest", "plan", "--older-parser"], input="n\n").exit_code == 1
    assert [call for call in api.asked if call[0] == "POST"] == []


def test_apply_asks_and_watches(api) -> None:
    api.answers["GET", f"/v1/reingests/{ID}"] = [PLANNED, PLANNED | {"state": "applied", "applied": 2, "failed": 2, "failures": {"changed_since": 1, "parser_error": 1}}]
    assert run.invoke(app, ["reingest", "apply", ID], input="n\n").exit_code == 1
    api.answers["GET", f"/v1/reingests/{ID}"] = [PLANNED, PLANNED | {"state": "applied", "applied": 2, "failed": 2, "failures": {"changed_since": 1, "parser_error": 1}}]
    result = run.invoke(app, ["reingest", "apply", ID, "--yes"])
    assert result.exit_code == 0, result.output
    assert "2 taken over, 2 failed" in result.output
    assert "1 changed since" in result.output


def test_the_text_is_shown_line_by_line(api) -> None:
    result = run.invoke(app, ["reingest", "show", "--diff", "--kind", "body"])
    assert result.exit_code == 0, result.output
    for part in ("-It b?rns.", "+It burns.", "subject: Printer"):
        assert part in result.output


def test_runs_are_listed_and_cancelled(api) -> None:
    assert ID in run.invoke(app, ["reingest", "list"]).output
    assert "is cancelled" in run.invoke(app, ["reingest", "cancel"]).output
    api.answers["GET", "/v1/reingests"] = {"items": [], "next": None}
    assert "No re-ingest yet" in run.invoke(app, ["reingest", "list"]).output
    result = run.invoke(app, ["reingest", "show"])
    assert result.exit_code == 1
    assert "reingest plan" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--folder", "INBOX"], "--folder: needs exactly one --inbox"),
        (["plan", "--inbox", "Support", "--folder", "Nope"], "'Nope' is not one of INBOX"),
        (["plan", "--inbox", "Sales"], "'Sales'"),
        (["plan", "--since", "yesterday"], "--since"),
        (["pause", ID], "Only a run that is under way"),
    ],
)
def test_what_cannot_be_is_said(api, arguments, said) -> None:
    result = run.invoke(app, ["reingest", *arguments])
    assert result.exit_code != 0
    assert said in result.output
