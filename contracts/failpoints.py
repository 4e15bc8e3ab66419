"""Named places between two steps where a process can be made to die or to fall asleep, so that tests can prove it harmless.

`MAILROOM_FAILPOINT=name` kills the process with SIGKILL when it first comes by, `name:stop` stops it with SIGSTOP until
somebody sends SIGCONT; of several names (`a,b,c`) the first that is reached counts. Unset, passing a place costs one
comparison.
"""

import logging
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

log = logging.getLogger("mailroom.failpoints")


class Failpoint(StrEnum):
    """The places, each with what has happened and what has not. `process` is "api", "worker" or "api_mailbox": a worker
    that sends through a mailbox behind a web API, which the rig has none of.
    """

    place: str
    process: str

    def __new__(cls, name: str, place: str, process: str = "worker") -> Self:
        point = str.__new__(cls, name)
        point._value_ = name
        point.place = place
        point.process = process
        return point

    CONNECT_FOLDERS_SAVED = "connect.folders_saved", "the folders are known, no cursor is set"
    CONNECT_CURSOR_SET = "connect.cursor_set", "one folder has its first cursor, the inbox is not connected yet"
    CONNECT_RECORDED = "connect.recorded", "the inbox is connected, nothing syncs it yet"

    FETCH_LEASED = "fetch.leased", "the lease is taken, nothing was asked of the server"
    FETCH_BEFORE_PUT = "fetch.before_put", "a stretch is fetched, the bucket has nothing of it"
    FETCH_AFTER_PUT = "fetch.after_put", "the pack is in the bucket, no row names it"
    FETCH_BEFORE_COMMIT = "fetch.before_commit", "ledger rows and cursor are written, not committed"
    FETCH_AFTER_COMMIT = "fetch.after_commit", "ledger rows and cursor are committed, nothing is told"
    FETCH_FLAGS_MIRRORED = "fetch.flags_mirrored", "flags and deletions are committed"
    FETCH_RECORDED = "fetch.recorded", "the pass is recorded as well, Temporal does not know"
    WRITE_BACK_FOUND = "write_back.found", "what people chose is found, the mailbox was not told", "api_mailbox"
    WRITE_BACK_TOLD = "write_back.told", "the mailbox was told of one mail, no row says so", "api_mailbox"
    WRITE_BACK_RECORDED = "write_back.recorded", "one mail's rows and intents are committed", "api_mailbox"
    AT_ONCE_STORED = "at_once.stored", "the watch has stored a mail's bytes and row, the mail is not ingested"
    RESET_BEFORE_BEGIN = "reset.before_begin", "UIDVALIDITY changed, the folder is listed, nothing is written"
    RESET_BEGUN = "reset.begun", "the cursor of the new UIDVALIDITY is committed, nothing is matched again"
    RESET_MATCHED = "reset.matched", "a stretch of the new UIDVALIDITY is matched and committed"
    RESET_BEFORE_END = "reset.before_end", "all is matched, the folder is still marked as resetting"
    RESET_ENDED = "reset.ended", "the reset is closed, flags are not read"

    AUDIT_RECORDED = "audit.recorded", "a folder's balance sheet is committed, its gaps are open"
    GAP_OPENED = "gap.opened", "a gap for missing mails is committed, none of them is fetched"
    GAP_REFILLED = "gap.refilled", "every missing mail has its row, the gap is open"
    GAP_CLOSED = "gap.closed", "the gap is closed and proven so, the pass is not recorded"

    INGEST_CLAIMED = "ingest.claimed", "a batch is chosen and its bytes are here, no attempt is counted"
    INGEST_COUNTED = "ingest.counted", "the attempt is committed, nothing is read"
    INGEST_PARSED = "ingest.parsed", "the mails are read, no file is stored"
    INGEST_FILES_STORED = "ingest.files_stored", "files are in the bucket, no row names them"
    INGEST_BEFORE_COMMIT = "ingest.before_commit", "messages, events and ledger are written, not committed"
    INGEST_AFTER_COMMIT = "ingest.after_commit", "messages, events and ledger are committed, not searchable"
    INGEST_INDEXED = "ingest.indexed", "a batch is searchable, Temporal does not know"
    REACT_FOUND = "react.found", "conversations that await an answer are found, nobody was told"

    DESK_REACTED = "desk.reacted", "a batch of events is reacted to and the cursor moved, not committed"

    BACKFILL_PLANNED = "backfill.planned", "the total is committed, no step has begun"
    BACKFILL_LEASED = "backfill.leased", "the epoch is taken, nothing is fetched"
    BACKFILL_BEFORE_COMMIT = "backfill.before_commit", "a stretch's rows and cursor are written, not committed"
    BACKFILL_STRETCH_STORED = "backfill.stretch_stored", "a stretch is committed, not ingested"
    BACKFILL_STRETCH_INGESTED = "backfill.stretch_ingested", "stretches are ingested, the next ones are on their way"
    BACKFILL_WINDOW_PASSED = "backfill.window_passed", "the cursor stands below a whole window"
    BACKFILL_FINISHED = "backfill.finished", "the row says done, Temporal does not know"

    AUTO_RESPONSE_BEFORE_COMMIT = "auto_response.before_commit", "claim and mail are written, not committed"
    AUTO_RESPONSE_CLAIMED = "auto_response.claimed", "claim and queued mail are committed, nothing sends it"

    SNOOZE_WOKEN = "snooze.woken", "the conversation is open again, Temporal does not know"

    API_REPLY_QUEUED = "api.reply_queued", "the reply is committed, no workflow was started", "api"
    COMPOSE_BEFORE_PUT = "compose.before_put", "the mail is built, the bucket does not have it"
    COMPOSE_AFTER_PUT = "compose.after_put", "the frozen bytes are in the bucket, no row names them"
    COMPOSE_FROZEN = "compose.frozen", "the row names the frozen bytes, Temporal does not know"
    DELIVER_BEFORE_CLAIM = "deliver.before_claim", "bytes and credentials are here, the row is not claimed"
    DELIVER_CLAIMED = "deliver.claimed", "the attempt has its number, no word to the server"
    DELIVER_STAGE_CONNECT = "deliver.stage_connect", "about to connect"
    DELIVER_STAGE_AUTH = "deliver.stage_auth", "`auth` is committed, not entered"
    DELIVER_STAGE_MAIL = "deliver.stage_mail", "`mail` is committed, not entered"
    DELIVER_STAGE_RCPT = "deliver.stage_rcpt", "`rcpt` is committed, not entered"
    DELIVER_STAGE_BODY = "deliver.stage_body", "`body` is committed, not entered"
    DELIVER_BEFORE_DOT = "deliver.before_dot", "the body is out, `dot` is not committed"
    DELIVER_STAGE_DOT = "deliver.stage_dot", "`dot` is committed, the dot has not left"
    DELIVER_DOT_OUT = "deliver.dot_out", "the dot has left, its reply is not read"
    DELIVER_REPLIED = "deliver.replied", "the server took the mail, nothing is recorded"
    DELIVER_RECORDED = "deliver.recorded", "the outcome is committed, Temporal does not know"
    DELIVER_DRAFT_TRACED = "deliver.draft_traced", "an earlier draft is looked for, nothing was done", "api_mailbox"
    DELIVER_DRAFT_PREPARED = "deliver.draft_prepared", "the provider keeps a draft, no row names it", "api_mailbox"
    DELIVER_DRAFT_KEPT = "deliver.draft_kept", "the row names the draft, `dot` is not committed", "api_mailbox"
    VERIFY_TRACED = "verify.traced", "the draft was looked for, the finding is not written", "api_mailbox"
    VERIFY_UNSENT = "verify.unsent", "the message is queued again with its draft, Temporal does not know", "api_mailbox"
    VERIFY_LOOKED = "verify.looked", "Sent was searched for a doubtful mail, the finding is not told"
    SETTLE_BEFORE_COMMIT = "settle.before_commit", "an end is written, not committed"
    SETTLED = "settle.after_commit", "an end is committed, Temporal does not know"
    COPY_BEFORE_APPEND = "copy.before_append", "about to search Sent and append"
    COPY_APPENDED = "copy.appended", "the copy lies in Sent, no row says so"
    COPY_MARKED = "copy.marked", "the row says so, Temporal does not know"


@dataclass(frozen=True, slots=True)
class Armed:
    points: frozenset[Failpoint]
    number: signal.Signals


_armed: Armed | None = None


def parse(text: str) -> Armed:
    """Read `name`, `name,name` or either with `:stop`. Raises ValueError that lists the names."""
    names, _, action = text.partition(":")
    if action not in ("", "kill", "stop"):
        raise ValueError(f"{action!r} is no action; give `{names}` to be killed or `{names}:stop` to be stopped")
    known = {point.value: point for point in Failpoint}
    for name in names.split(","):
        if name not in known:
            raise ValueError(f"{name!r} is no failpoint; there are {', '.join(known)}")
    points = frozenset(known[name] for name in names.split(","))
    return Armed(points, signal.SIGSTOP if action == "stop" else signal.SIGKILL)


def arm(armed: Armed | None) -> None:
    """Make this process fall at the first of those places, once; None disarms. Called by the roof at the start of a process only."""
    global _armed  # noqa: PLW0603 - the one switch of a process; passing it through every constructor would not be free
    _armed = armed
    if armed is not None:
        log.warning("this process falls at %s", ", ".join(sorted(armed.points)))


def reached(point: Failpoint) -> None:
    """Say that the work has come to `point`. Returns at once unless it is armed."""
    if _armed is not None and point in _armed.points:
        _fall(_armed.number, point)


def _fall(number: signal.Signals, point: Failpoint) -> None:
    arm(None)  # after a stop the process goes on as if nothing had been
    log.error("failpoint %s reached", point)
    os.kill(os.getpid(), number)
