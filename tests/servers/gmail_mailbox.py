"""One Gmail mailbox as its API shows it: mails with labels, threads, drafts and a history of what happened to them.

It keeps the rules that clients trip over: ids that change when a draft is edited or sent, history ids with gaps, labels
instead of flags, a search index that may lag, Message-IDs that may be rewritten.
"""

import base64
import email
import email.message
import email.policy
import email.utils
import random
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

SYSTEM_LABELS = (
    "INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "UNREAD", "STARRED", "IMPORTANT", "CHAT",
    "CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
)  # fmt: skip
HIDDEN = frozenset({"SPAM", "TRASH"})
WATCH_DAYS = 7


@dataclass(slots=True)
class StoredMail:
    id: str
    thread_id: str
    raw: bytes
    labels: set[str]
    arrived: float  # epoch seconds
    history_id: int
    serial: int
    indexed_at: float  # when `rfc822msgid:` begins to find it

    def header(self, name: str) -> str | None:
        return _headers(self.raw).get(name)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that the provider took to deliver: the measure of "sent once"."""

    id: str
    raw: bytes
    recipients: tuple[str, ...]


@dataclass(slots=True)
class SendAs:
    address: str
    name: str = ""
    primary: bool = False
    default: bool = False
    reply_to: str = ""
    verified: bool = True
    alias: bool = True


@dataclass(slots=True)
class Watch:
    topic: str
    labels: tuple[str, ...]
    expires: float


@dataclass(slots=True)
class GmailMailbox:
    """`clock` gives epoch seconds. `search_lag` is in seconds. `rewrite_message_id` gives sent mail another Message-ID."""

    address: str
    clock: Callable[[], float] = time.time
    search_lag: float = 0.0
    watch_days: float = WATCH_DAYS
    rewrite_message_id: bool = False
    mails: dict[str, StoredMail] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)  # draft id -> message id
    labels: dict[str, str] = field(default_factory=dict)  # user label id -> name
    history: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    send_as: list[SendAs] = field(default_factory=list)
    notifications: list[dict[str, str]] = field(default_factory=list)  # what Pub/Sub would have carried
    watch: Watch | None = None
    history_floor: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _serial: int = 0
    _history_id: int = 1000
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        if not self.send_as:
            self.send_as.append(SendAs(self.address, primary=True, default=True))

    # --- what tests do -----------------------------------------------------------------------------------------

    def deliver(
        self,
        raw: bytes,
        labels: Iterable[str] = ("INBOX", "UNREAD"),
        *,
        thread_id: str | None = None,
        at: float | None = None,
    ) -> str:
        """A mail arrives. Returns its id. Without `thread_id` it joins a thread that its References name."""
        with self.lock:
            thread = thread_id or self.thread_of(raw)
            return self._add(raw, set(labels), thread, at=at).id

    def add_label(self, name: str) -> str:
        with self.lock:
            self._serial += 1
            label = f"Label_{self._serial}"
            self.labels[label] = name
            return label

    def edit_draft(self, draft_id: str, raw: bytes) -> str:
        """Editing replaces the draft's message: another message id under the same draft id."""
        with self.lock:
            old = self.mails[self.drafts[draft_id]]
            new = self._add(raw, {"DRAFT"}, old.thread_id)
            self.drafts[draft_id] = new.id
            self.delete(old.id, keep_draft=True)
            return new.id

    def forget_history(self) -> None:
        """From now on every history id handed out so far is too old."""
        with self.lock:
            self._history_id += self._random.randint(1, 50)
            self.history_floor = self._history_id
            self.history.clear()

    @property
    def history_id(self) -> int:
        return self._history_id

    # --- changes, each leaving a history record -----------------------------------------------------------------

    def modify(self, message_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> StoredMail:
        with self.lock:
            mail = self.mails[message_id]
            added, removed = set(add) - mail.labels, set(remove) & mail.labels
            mail.labels |= added
            mail.labels -= removed
            if added:
                self._record(mail, "labelsAdded", labelIds=sorted(added))
            if removed:
                self._record(mail, "labelsRemoved", labelIds=sorted(removed))
            return mail

    def trash(self, message_id: str) -> StoredMail:
        return self.modify(message_id, add=["TRASH"], remove=["INBOX"])

    def delete(self, message_id: str, *, keep_draft: bool = False) -> None:
        """For good, as by "delete forever" or when Gmail empties the bin."""
        with self.lock:
            mail = self.mails.pop(message_id)
            self._record(mail, "messagesDeleted", bare=True)
            if not keep_draft:
                for draft in [d for d, m in self.drafts.items() if m == message_id]:
                    del self.drafts[draft]

    def create_draft(self, raw: bytes, thread_id: str | None) -> str:
        with self.lock:
            mail = self._add(raw, {"DRAFT"}, self.joined_thread(raw, thread_id))
            self._serial += 1
            draft_id = f"r-{self._random.getrandbits(60)}{self._serial}"
            self.drafts[draft_id] = mail.id
            return draft_id

    def send_draft(self, draft_id: str) -> StoredMail:
        """The draft goes; the sent mail is a new message in the same thread."""
        with self.lock:
            draft = self.mails[self.drafts[draft_id]]
            sent = self.send(draft.raw, draft.thread_id)
            del self.drafts[draft_id]
            self.delete(draft.id, keep_draft=True)
            return sent

    def send(self, raw: bytes, thread_id: str | None) -> StoredMail:
        with self.lock:
            kept = self._stamped(raw)
            sent = self._add(kept, {"SENT"}, thread_id or self.thread_of(kept))
            self.accepted.append(Accepted(sent.id, kept, recipients(kept)))
            return sent

    # --- reading ---------------------------------------------------------------------------------------------------

    def newest_first(self) -> list[StoredMail]:
        return sorted(self.mails.values(), key=lambda mail: (mail.arrived, mail.serial), reverse=True)

    def thread(self, thread_id: str) -> list[StoredMail]:
        return [mail for mail in reversed(self.newest_first()) if mail.thread_id == thread_id]

    def found_by_message_id(self, message_id: str) -> list[StoredMail]:
        wanted, now = message_id.strip("<>"), self.clock()
        return [
            mail
            for mail in self.newest_first()
            if mail.indexed_at <= now and (mail.header("Message-ID") or "").strip().strip("<>") == wanted
        ]

    def joined_thread(self, raw: bytes, thread_id: str | None) -> str | None:
        """A thread is joined only with References or In-Reply-To into it and the same subject; else it starts anew."""
        if thread_id is None:
            return None
        headers = _headers(raw)
        named = set(re.findall(r"<[^>]+>", f"{headers.get('References', '')} {headers.get('In-Reply-To', '')}"))
        for mail in self.thread(thread_id):
            same = _plain_subject(mail.header("Subject")) == _plain_subject(headers.get("Subject"))
            if same and (mail.header("Message-ID") or "").strip() in named:
                return thread_id
        return None

    def thread_of(self, raw: bytes) -> str | None:
        headers = _headers(raw)
        if not (headers.get("References") or headers.get("In-Reply-To")):
            return None
        for thread_id in dict.fromkeys(mail.thread_id for mail in self.newest_first()):
            if joined := self.joined_thread(raw, thread_id):
                return joined
        return None

    # --- inside ---------------------------------------------------------------------------------------------------

    def _add(self, raw: bytes, labels: set[str], thread_id: str | None, *, at: float | None = None) -> StoredMail:
        self._serial += 1
        now = self.clock()
        message_id = f"{int(now * 1000) << 16 | self._serial:x}"[-16:]
        mail = StoredMail(
            id=message_id,
            thread_id=thread_id or message_id,
            raw=raw,
            labels=labels,
            arrived=now if at is None else at,
            history_id=0,
            serial=self._serial,
            indexed_at=now + self.search_lag,
        )
        self.mails[message_id] = mail
        self._record(mail, "messagesAdded")
        return mail

    def _record(self, mail: StoredMail, kind: str, *, bare: bool = False, **extra: Any) -> None:
        self._history_id += self._random.randint(1, 40)  # ids increase with gaps
        mail.history_id = self._history_id
        stub: dict[str, Any] = {"id": mail.id, "threadId": mail.thread_id}
        shown = dict(stub)
        if mail.labels and not bare:
            shown["labelIds"] = sorted(mail.labels)  # left out when there is none, as every empty list is
        entry = {"message": shown, **extra}
        self.history.append({"id": str(self._history_id), "messages": [stub], kind: [entry]})
        if self.watch and self.clock() < self.watch.expires:
            self.notifications.append({"emailAddress": self.address, "historyId": str(self._history_id)})

    def _stamped(self, raw: bytes) -> bytes:
        """What Gmail does to a mail on its way out: a Message-ID where there is none, or another one."""
        original = _headers(raw).get("Message-ID")
        if original is not None and not self.rewrite_message_id:
            return raw
        own = f"<CA{self._random.getrandbits(80):x}@mail.gmail.com>"
        if original is None:
            return f"Message-ID: {own}\r\n".encode() + raw
        head, found, body = raw.partition(b"\r\n\r\n")
        renamed = re.sub(rb"(?im)^Message-ID:", b"X-Google-Original-Message-ID:", head, count=1)
        return f"Message-ID: {own}\r\n".encode() + renamed + found + body


def encode_raw(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def recipients(raw: bytes) -> tuple[str, ...]:
    headers = _headers(raw)
    fields = [str(v) for name in ("To", "Cc", "Bcc") for v in headers.get_all(name, [])]
    return tuple(address for _, address in email.utils.getaddresses(fields) if address)


def _headers(raw: bytes) -> email.message.Message:
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    return email.message_from_bytes(head + b"\r\n\r\n", policy=email.policy.compat32)


def _plain_subject(subject: str | None) -> str:
    return re.sub(r"(?i)^\s*((re|fwd?|aw|wg)\s*:\s*)+", "", subject or "").strip().lower()
