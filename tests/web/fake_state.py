"""The in-memory desk behind the fake API: rows, the event log, and the levers a test pulls (outcomes, failures, arrivals).

Faithful to docs/api.md in shapes and rules; leaves HTTP to fake_api.py. Every change writes an event like the real server.
"""

import asyncio
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.web import fake_data as data
from tests.web.fake_crowd import Crowd
from tests.web.fake_data import Row, ago, ident, stamp


def now() -> str:
    return stamp(datetime.now(UTC))


class Fake:
    """One desk. `reset()` brings it back to the start; tests call methods from their own thread via `do()`."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.origin = ""
        self.s3_origin = ""
        self.watchers: set[asyncio.Queue[Row | None]] = set()
        self.reset()

    def reset(self) -> None:
        for task in getattr(self, "_tasks", ()):  # a send of the test before must not speak up in this one
            task.cancel()
        self.sessions: dict[str, Row] = {}
        self.wrong_passwords = 0
        self.users = [dict(user) for user in data.USERS]
        self.keys: list[Row] = []
        self.inboxes = {row["id"]: row for row in data.inboxes()}
        self.extras = data.extras()
        self.quarantine = data.quarantine_rows()
        self.ledger = data.ledger_rows()
        self.reingests: list[Row] = []
        self.balance: list[Row] = []
        self.shapes: dict[str, Row] = {}
        self.bulks: dict[str, Row] = {}
        self.contacts: list[Row] = []
        self.suppressions: list[Row] = []
        self.told: Any = None  # what fake_notices.py keeps
        self.rules: list[Row] = []
        self.rule_versions: dict[str, list[Row]] = {}
        self.explained: Row = {"messages": [], "changes": []}
        self.templates: list[Row] = []
        self.webhooks: list[Row] = []
        self.deliveries: list[Row] = []
        self.signature = ""
        self.analytics: list[tuple[str, dict[str, str]]] = []
        self.no_figures = False
        self.domains: dict[str, Row] = {}
        self.gaps: list[Row] = []
        self.access: dict[str, Row] = {}
        self.choices: Row = {"providers": [], "redirect_uri": f"{self.origin}/oauth/callback", "application": False}
        self.oauth_error: str | None = None
        self.uploads: dict[str, Row] = {}
        self.blobs: dict[str, bytes] = {}
        self.conversations: dict[str, Row] = {}
        self.messages: dict[str, Row] = {}
        self.documents: dict[str, str] = {}
        self.answers: dict[str, tuple[Any, Row]] = {}
        self.notes: list[Row] = []
        self.drafts: dict[tuple[str, str], Row] = {}
        self.present: dict[tuple[str, str], Row] = {}
        self.tags: list[Row] = []
        self.teams: list[Row] = []
        self.stays: dict[str, list[Row]] = {}  # who has had a conversation, newest first
        self.members: dict[str, Row] = {}
        self.policies: dict[str, Row] = {}
        self.patience = 10
        self.links: list[str] = []
        self.audit: list[Row] = []
        self.views: list[Row] = []
        self.changes: list[Row] = []  # what a reply that missed it is refused with
        self.events: list[Row] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.resumed: list[str | None] = []  # the cursor with which each stream was asked for
        self.failures: list[tuple[str, re.Pattern[str], int, Row, dict[str, str]]] = []
        self.undo_seconds = 0.0
        self.outcome = "sent"
        self.stream_down = False
        self.crowd: Crowd | None = None
        self.away: list[str] = []
        self.oldest_cursor = 0
        for row in reversed(data.CONVERSATIONS):
            self._conversation(row)
        for conversation in self.conversations.values():
            for hint in conversation["suggestions"]:
                hint["conversation_id"] = ident(f"conversation {hint['number']}")

    # --- levers -----------------------------------------------------------------------------------------------

    def do(self, action: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a method on the server's loop and answers its result; for tests, which live in another thread."""
        assert self.loop is not None

        async def run() -> Any:
            return action(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def fail(self, method: str, path: str, status: int, headers: dict[str, str] | None = None, **problem: Any) -> None:
        """The next call that matches gets this problem instead of an answer."""
        body = {"type": "/problems/injected", "title": "Injected", "status": status, **problem}
        self.failures.append((method, re.compile(path), status, body, headers or {}))

    def open_session(self, email: str) -> str:
        token = uuid.uuid4().hex
        self.sessions[token] = next(user for user in self.users if user["email"] == email)
        return token

    def drop_streams(self) -> None:
        for queue in self.watchers:
            queue.put_nowait(None)

    def deafen(self) -> None:
        """The open streams hear nothing any more, and nothing tells them so: a network that went to sleep."""
        self.watchers.clear()

    def set_away(self, *parts: str) -> None:
        """These parts of the server do not answer: `/readyz` says so, and every open stream."""
        self.away = list(parts)
        for queue in self.watchers:
            queue.put_nowait({"id": None, "type": "parts", "away": self.away})

    def called(self, method: str, path: str) -> list[Any]:
        return [body for verb, where, body in self.calls if verb == method and re.fullmatch(path, where)]

    def number(self, number: int) -> Row:
        return next(row for row in self.conversations.values() if row["number"] == number)

    def thread(self, conversation: str) -> list[Row]:
        rows = [row for row in self.messages.values() if row["conversation_id"] == conversation]
        return sorted(rows, key=lambda row: row["sent_at"])

    def arrive(self, text: str, *, number: int | None = None, subject: str = "", customer: Row | None = None, html: str | None = None, written: str | None = None) -> Row:
        """A mail comes in: into conversation `number`, or as a new one; `written` just now, or then."""
        if number is None:
            top = max(row["number"] for row in self.conversations.values()) + 1
            conversation = self._conversation({"number": top, "subject": subject, "customer": customer or data.ANNA, "mails": []})
            kind = "conversation.created"
        else:
            conversation, kind = self.number(number), "conversation.updated"
        message = self._message(conversation, data.mail(text, minutes=0, unread=True, html=html))
        message["sent_at"] = written or message["sent_at"]
        self._touch(conversation, message)
        message["arrived_version"] = conversation["version"]
        self.emit("message.received", conversation, message)
        self.emit(kind, conversation)
        return message

    def set_send(self, message: Row, status: str, error: str | None = None) -> None:
        cans = {"queued": ["cancel"], "scheduled": ["cancel"], "failed": ["retry"], "unknown": ["resolve"]}
        message["send"] |= {"status": status, "error": error, "can": cans.get(status, [])}
        if status in {"sent", "failed", "cancelled"}:
            message["send"]["undo_until"] = None
        conversation = self.conversations[message["conversation_id"]]
        rows = [row["send"]["status"] for row in self.thread(conversation["id"]) if row["send"]]
        conversation["has_failed_send"] = "failed" in rows
        conversation["has_unknown_send"] = "unknown" in rows
        self.emit(f"message.{status}" if status != "sending" else "message.updated", conversation, message)

    def progress(self, inbox: str, done: int, *, state: str = "running") -> None:
        self.extras[inbox]["backfills"][0] |= {"done": done, "state": state}
        self.emit("backfill.progress", None, None, inbox)

    # --- events -----------------------------------------------------------------------------------------------

    def emit(self, kind: str, conversation: Row | None = None, message: Row | None = None, inbox: str | None = None, payload: Row | None = None) -> None:
        event = {"id": len(self.events) + 1, "type": kind, "at": now(), "conversation_id": conversation and conversation["id"],
                 "message_id": message and message["id"], "inbox_id": inbox or (conversation and conversation["inbox"]["id"]), "payload": payload or {}}
        self.events.append(event)
        for queue in self.watchers:
            queue.put_nowait(event)

    # --- rows -------------------------------------------------------------------------------------------------

    def _conversation(self, row: Row) -> Row:
        box = self.inboxes[row.get("inbox", data.INBOX_SUPPORT)]
        owner = next((user for user in self.users if user["id"] == row.get("assigned_to")), None)
        conversation = {
            "id": ident(f"conversation {row['number']}"), "number": row["number"], "subject": row["subject"], "snippet": "", "status": row.get("status", "open"),
            "priority": row.get("priority", "normal"), "category": row.get("category"), "channel": "email", "inbox": {"id": box["id"], "name": box["name"]},
            "customer": row["customer"], "assigned_to": owner and {"id": owner["id"], "name": owner["name"]}, "tags": [], "unread_count": 0, "message_count": 0,
            "last_message_at": now(), "last_message_direction": "inbound", "has_failed_send": False, "has_unknown_send": False, "version": 1,
            "created_at": now(), "updated_at": now(), "merged_into": None, "snoozed_until": None, "followers": [],
            "participants": [row["customer"], *row.get("participants", [])],
            "suggestions": [dict(hint) for hint in row.get("suggestions", [])],
            "reply": {"to": [row["customer"]], "cc": [], "from": {"address": box["email_address"], "name": box["display_name"]}, "subject": f"Re: {row['subject']}"},
        }
        self.conversations[conversation["id"]] = conversation
        for mail in row["mails"]:
            self._touch(conversation, self._message(conversation, mail))
        return conversation

    def _touch(self, conversation: Row, message: Row) -> None:
        inbound = message["direction"] == "inbound"
        conversation["snippet"] = " ".join(message["body_visible"].split())[:200]
        conversation["message_count"] += 1
        conversation["unread_count"] += int(inbound and not message["is_read"])
        conversation["last_message_at"] = message["created_at"]
        conversation["last_message_direction"] = message["direction"]
        conversation["has_failed_send"] |= bool(message["send"] and message["send"]["status"] == "failed")
        conversation["has_unknown_send"] |= bool(message["send"] and message["send"]["status"] == "unknown")
        conversation["version"] += 1

    def _message(self, conversation: Row, mail: Row) -> Row:
        own = conversation["reply"]["from"]
        author = next((user for user in self.users if user["id"] == mail.get("by")), None)
        inbound = author is None
        id_ = str(uuid.uuid4())
        at = ago(minutes=mail["minutes"])
        status = mail.get("status")
        can = {"failed": ["retry"], "unknown": ["resolve"]}.get(status or "", [])
        message = {
            "id": id_, "conversation_id": conversation["id"], "direction": "inbound" if inbound else "outbound", "kind": "email", "sender_type": "customer" if inbound else "agent",
            "author": author and {"id": author["id"], "name": author["name"]}, "from": conversation["customer"] if inbound else own,
            "to": [own] if inbound else [conversation["customer"]], "cc": [], "bcc": [], "subject": conversation["subject"], "message_id_header": f"<{id_}@example.com>",
            "in_reply_to": None, "references": [], "sent_at": at, "received_at": at if inbound else None, "created_at": at, "is_read": not mail.get("unread", False),
            "is_auto": mail.get("auto"), "spam": False, "body_text": mail["text"], "body_visible": mail["text"], "body_quoted": mail.get("quoted", ""),
            "has_html": mail.get("html") is not None, "attachments": [self._file(name, kind, size, how) for name, kind, size, how in mail.get("files", [])],
            "flags": [], "defects": [], "duplicate_of_id": mail.get("duplicate", False), "bounce_received_at": None, "quarantine": None,
            "send": None if inbound else {
                "status": status, "stage": None, "error": mail.get("error"), "attempts": 1, "undo_until": None, "scheduled_at": None, "can": can,
                "recipients": [{"address": conversation["customer"]["address"], "type": "to", "status": "delivered" if mail.get("delivered") else "sent", "detail": None}]},
        }
        message["remote_blocked"] = mail.get("remote", 0)
        if mail.get("html") is not None:
            self.documents[id_] = mail["html"]
        self.messages[id_] = message
        return message

    def _file(self, name: str, kind: str, size: int, how: str) -> Row:
        id_ = str(uuid.uuid4())
        self.blobs[id_] = b"x" * min(size, 2_000)
        return {"id": id_, "filename": name, "content_type": kind, "size_bytes": size, "disposition": how, "content_id": None, "url": f"/v1/attachments/{id_}/download"}

    # --- sending ----------------------------------------------------------------------------------------------

    def queue(self, conversation: Row, body: Row, user: Row) -> Row:
        message = self._message(conversation, data.mail(body.get("text") or "", minutes=0, by=user["id"], status="queued"))
        files = [self.uploads[one] for one in body.get("attachments", [])]
        message["attachments"] = [self._file(file["filename"], file["content_type"], file["size_bytes"], "attachment") for file in files]
        for kind in ("to", "cc", "bcc"):
            if kind in body:
                message[kind] = body[kind]
        later = body.get("send_at")
        message["send"] |= {"status": "scheduled" if later else "queued", "scheduled_at": later, "can": ["cancel"], "attempts": 0,
                            "undo_until": None if later else stamp(datetime.now(UTC) + timedelta(seconds=self.undo_seconds))}
        self._touch(conversation, message)
        self.emit("message.queued", conversation, message)
        if not later:
            self.leave(message, self.undo_seconds)
        return message

    def leave(self, message: Row, wait: float) -> None:
        """The life of a send after the click: undo window, on the way, outcome."""
        outcome = self.outcome

        async def run() -> None:
            await asyncio.sleep(wait)
            if message["send"]["status"] != "queued":
                return
            message["send"]["attempts"] += 1
            self.set_send(message, "sending")
            await asyncio.sleep(0.15)
            self.set_send(message, outcome, "550 5.1.1 No such user here." if outcome == "failed" else None)

        assert self.loop is not None
        task = self.loop.create_task(run())
        self._tasks = {one for one in getattr(self, "_tasks", set()) if not one.done()} | {task}
