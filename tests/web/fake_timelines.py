"""Timelines as the server tells them: a reply that was put off once and bounced, and a customer's mail that was answered."""

from typing import Any

from tests.web.fake_data import ago

RUN = "http://127.0.0.1:8233/namespaces/default/workflows/send%2Fx/run"


def step(minutes: float, name: str, kind: str, detail: str = "", **more: Any) -> dict[str, Any]:
    plain = {"attempt": 0, "code": None, "next_at": None, "about": None, "actor": "system", "link": None}
    return {"at": ago(minutes=minutes), "step": name, "kind": kind, "detail": detail, **plain, **more}


def outbound(bounce: str) -> list[dict[str, Any]]:
    return [
        step(200, "queued", "send", link=RUN, next_at=ago(minutes=199.9)),
        step(199.9, "composed", "send", "18204 bytes, sha256 9f2c41aa07be31d0", link=RUN),
        step(199.8, "attempt", "send", attempt=1, link=RUN),
        step(199.7, "deferred", "send", "rcpt: The mail server put it off; it is tried again by itself. 451 greylisted, try later",
             attempt=1, code=451, next_at=ago(minutes=198), link=RUN),
        step(198, "attempt", "send", attempt=2, link=RUN),
        step(197.95, "dot", "send", attempt=2, link=RUN),
        step(197.9, "accepted", "send", "dot", attempt=2, code=250, link=RUN),
        step(197.9, "answered", "send", attempt=2),
        step(197.8, "copy_in_sent", "send", "filed", link=RUN),
        step(12, "report: bounced", "report", "anna@customer.example.org hard 5.1.1", about=bounce),
        step(12, "suppressed", "rule", "anna@customer.example.org bounce", next_at=ago(days=-60)),
    ]  # fmt: skip


def inbound(answer: str) -> list[dict[str, Any]]:
    run = RUN.replace("send%2Fx", "inbox-sync%2Fx")
    return [
        step(1500, "received by the mail server", "mail", "in INBOX"),
        step(1499.8, "stored", "mail", "in INBOX, UID 1852, 40412 bytes in pack 5b0f1c22d9aa from 8192, sha256 77ab10cf2be0d1f3", link=run),
        step(1499.7, "read", "mail", "by parser 1", attempt=1, link=run),
        step(1499.7, "classified", "rule", "message: ordinary", link=run),
        step(1499.7, "threaded", "rule", "by new", link=run),
        step(1499.7, "suggested", "rule", "#1017: same-ticket-number"),
        step(1499.7, "message.received", "event"),
        step(1499.5, "automatic answer", "rule", about=answer, link=run.replace("inbox-sync", "auto-response")),
        step(1499.4, "webhook delivered", "webhook", "“Ticket board”", attempt=1, code=200),
        step(1499.3, "webhook put off", "webhook", "“Telephone system”: server_error", attempt=1, code=503, next_at=ago(minutes=-2)),
        step(30, "message.updated", "event"),
    ]
