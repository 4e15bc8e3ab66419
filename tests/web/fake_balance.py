"""The fake API's mailbox balance: made-up sheets and gaps that balance."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import INBOX_SUPPORT, Row, ident, stamp
from tests.web.fake_state import Fake

FIGURES = (
    "stored", "ingested", "skipped", "quarantined", "seen", "gone", "vanished", "deleted", "ahead", "history_waiting", "beyond_horizon",
    "not_asked_for", "missing", "extra",
)  # fmt: skip
STATES = ("stored", "ingested", "skipped", "quarantined", "seen")
EXPLAINED = ("deleted", "ahead", "history_waiting", "beyond_horizon", "not_asked_for", "missing")


def later(seconds: float) -> str:
    """An instant as the API writes it; before now when negative."""
    return stamp(datetime.now(UTC) + timedelta(seconds=seconds))


def folder(name: str, *, history: str = "done", closed: int = 0, sheet: bool = True, reason: str = "nightly", **figures: int) -> Row:
    """One folder; the sums follow from `figures`."""
    counts = {**dict.fromkeys(FIGURES, 0), **figures}
    ledger = sum(counts[s] for s in STATES)
    there = ledger - counts["extra"] + sum(counts[e] for e in EXPLAINED)
    row: dict[str, Any] = {"id": ident(f"folder {name}"), "name": name, "role": name.lower(), "state": "active", "history": history, "gaps_closed": closed}
    audit = {"id": ident(f"audit {name}"), "folder_id": row["id"], "folder": name, "at": later(-3 * 3600), "reason": reason, "uidvalidity": 7, "at_provider": there, "in_ledger": ledger, **counts}
    return {**row, "audit": audit if sheet else None}


def gap(cause: str, *, name: str = "INBOX", is_open: bool = False, **values: Any) -> Row:
    return {
        "id": ident(f"gap {cause}"), "cause": cause, "folder_id": ident(f"folder {name}"), "folder": name, "since": None, "opened_at": later(-7200),
        "closed_at": None if is_open else later(-7000), "listed": 0, "missing": 0, "refilled": 0, "quarantined": 0, **values,
    }  # fmt: skip


def line(folders: list[Row], *, id_: str = INBOX_SUPPORT, name: str = "Support", gaps: list[Row] | None = None, **values: Any) -> Row:
    sheets = [f["audit"] for f in folders if f["audit"]]
    return {
        "inbox": {"id": id_, "name": name}, "email_address": f"{name.lower()}@desk.example.com", "health": "ok", "connected": True,
        "audit_due_at": later(9 * 3600), "audit_asked": False, "missing": sum(s["missing"] for s in sheets), "extra": sum(s["extra"] for s in sheets),
        "folders": folders, "open_gaps": gaps or [], **values,
    }  # fmt: skip


def balance_routes(fake: Fake) -> list[Route]:
    async def balance(_request: Request) -> Response:
        return JSONResponse({"items": fake.balance})

    async def gaps(_request: Request) -> Response:
        return JSONResponse({"items": fake.gaps, "next": None})

    async def ask(request: Request) -> Response:
        for one in fake.balance:
            if one["inbox"]["id"] == request.path_params["id"]:
                one["audit_asked"] = True
        return JSONResponse({"workflow_id": "inbox-sync/x"}, 202)

    return [
        Route("/v1/balance", balance),
        Route("/v1/inboxes/{id}/gaps", gaps),
        Route("/v1/inboxes/{id}/audit", ask, methods=["POST"]),
    ]
