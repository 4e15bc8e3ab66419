"""`mailroom inbox audit` and `gaps` show sheets and counts, and say by the exit code that mail is missing."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from commands import balance
from commands.api_client import ApiClient

INBOX = {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "Support", "email_address": "support@example.com"}
FIGURES = dict.fromkeys(
    ("ahead", "history_waiting", "beyond_horizon", "not_asked_for", "deleted", "stored", "skipped", "quarantined", "seen", "missing", "extra"), 0
)
run = CliRunner(env={"COLUMNS": "220", "NO_COLOR": "1", "TERM": "dumb"})


def line(audit: str | None, *, asked: bool = False, missing: int = 0) -> dict[str, Any]:
    sheet = None
    if audit is not None:
        sheet = {**FIGURES, "id": audit, "at": "2026-05-01T02:13:00Z", "at_provider": 120, "in_ledger": 100, "ingested": 100, "history_waiting": 20 - missing, "missing": missing}
    folders = [{"id": "f1", "name": "INBOX", "audit": sheet}]
    return {"items": [{"inbox": INBOX, "audit_asked": asked, "missing": missing, "folders": folders}]}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the balance says, one after the other; which orders were given."""
    told: dict[str, Any] = {"balance": [], "orders": [], "gaps": []}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            told["orders"].append(request.url.path)
            return httpx.Response(202, json={"workflow_id": "inbox-sync/x"})
        body: Any = {"/v1/inboxes": {"items": [INBOX], "next": None}, f"/v1/inboxes/{INBOX['id']}/gaps": {"items": told["gaps"], "next": None}}.get(request.url.path)
        if body is None:
            body = told["balance"].pop(0) if len(told["balance"]) > 1 else told["balance"][0]
        return httpx.Response(200, content=json.dumps(body))

    client = ApiClient("http://api", "key", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(balance, "connect", lambda _data: client)
    monkeypatch.setattr(balance, "LOOK_EVERY", 0.01)
    return told


def test_an_audit_waits_for_its_sheets(answers: dict[str, Any]) -> None:
    answers["balance"] = [line("old"), line("old"), line("old", asked=True), line("new")]
    result = run.invoke(app, ["inbox", "audit", "Support"])
    assert result.exit_code == 0, result.output
    for part in ("INBOX", "120", "100 ingested", "20 history to be read", "Nothing is missing"):
        assert part in result.output
    assert answers["orders"] == [f"/v1/inboxes/{INBOX['id']}/audit"]


def test_missing_mail_is_an_exit_code(answers: dict[str, Any]) -> None:
    answers["balance"] = [line("last", missing=3)]
    result = run.invoke(app, ["inbox", "audit", "Support", "--last"])
    assert result.exit_code == 2
    assert "3 missing" in result.output
    assert answers["orders"] == []


def test_sheets_that_do_not_come_are_told(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "WITHIN", 0.0)
    answers["balance"] = [line(None, asked=True)]
    result = run.invoke(app, ["inbox", "audit", "Support"])
    assert result.exit_code == 1
    assert "the order stands" in result.output


def test_gaps_are_listed_with_their_counts(answers: dict[str, Any]) -> None:
    assert "never a gap" in run.invoke(app, ["inbox", "gaps", "Support"]).output
    answers["gaps"] = [
        {"cause": "reauth", "folder": "INBOX", "since": "2026-05-01T09:10:00Z", "opened_at": "2026-05-01T11:40:00Z", "closed_at": "2026-05-01T11:41:00Z", "listed": 900, "missing": 37, "refilled": 36, "quarantined": 1}
    ]
    result = run.invoke(app, ["inbox", "gaps", "Support"])
    assert result.exit_code == 0, result.output
    for part in ("signed in again", "09:10", "900", "37", "36"):
        assert part in result.output
