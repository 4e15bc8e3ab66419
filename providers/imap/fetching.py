"""Fetches whole mails in bulk and checks each answer (integrity I-11): asked equals got, nothing short, nothing NIL.

A mail that fails is asked for once more and then reported as broken, never dropped and never blocking the others.
Nothing is marked as read: only BODY.PEEK is used.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from imapclient.exceptions import ProtocolError

from providers.errors import ProtocolBroken, Unreachable
from providers.imap.arguments import uid_sets
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import Response
from providers.imap.fetch_response import FetchItem, is_fetch, read_fetch
from providers.imap.search import search_uids
from providers.imap.values import BrokenFetch, FetchBatch, FetchedMail, MailMeta

log = logging.getLogger(__name__)

_MAIL = b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
_FALLBACK = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]"]
# Servers estimate (Exchange without "exact size") or count line ends differently; a mail cut in half is far below.
_SHORT_SHARE = 0.05
_SHORT_OCTETS = 64


class _Harvest:
    """Collects the FETCH responses of one command that carry a mail."""

    def __init__(self, asked: Iterable[int]) -> None:
        self.asked = frozenset(asked)
        self.items: dict[int, FetchItem] = {}
        self.flags: dict[int, frozenset[str]] = {}
        self.unreadable = 0

    def take(self, response: Response) -> bool:
        if not is_fetch(response):
            return False
        item = read_fetch(response)
        if item is None:
            self.unreadable += 1
            return True
        if item.uid is None and len(self.asked) == 1 and (item.body is not None or item.body_nil):
            item.uid = next(
                iter(self.asked)
            )  # Seen in practice: no UID; with one mail asked for there is no doubt
        if item.uid is None or item.uid not in self.asked:
            return True  # unsolicited flags of another mail, or a mail nobody asked for
        if item.flags is not None:
            self.flags[item.uid] = item.flags
        if item.body is not None or item.body_nil:
            self.items[item.uid] = item
        return True


def fetch_mails(connection: ImapConnection, uids: Sequence[int]) -> FetchBatch:
    """Fetch `uids` of the examined folder. Every one ends in exactly one of mails, vanished, broken. Blocks.

    Raises Unreachable or ProtocolBroken if the connection fails: then nothing of this call counts and the whole call
    may be repeated, since nothing was changed on the server.
    """
    wanted = sorted(set(uids))
    good: dict[int, FetchedMail] = {}
    faults: dict[int, str] = {}
    for set_text, members in uid_sets(wanted):
        _collect(connection, set_text, members, good, faults)
    again = [uid for uid in wanted if uid not in good]
    vanished: list[int] = []
    if again:
        present = set(search_uids(connection, again))
        vanished = [uid for uid in again if uid not in present]
        for uid in again:
            if uid in present:
                _collect(connection, str(uid).encode(), [uid], good, faults)
    mails = [good[uid] for uid in wanted if uid in good]
    gone = set(vanished)
    broken = [
        BrokenFetch(uid, faults.get(uid, "not_returned"))
        for uid in wanted
        if uid not in good and uid not in gone
    ]
    return FetchBatch(_with_flags(connection, mails), vanished, broken)


def _collect(
    connection: ImapConnection,
    set_text: bytes,
    members: Sequence[int],
    good: dict[int, FetchedMail],
    faults: dict[int, str],
) -> None:
    harvest = _Harvest(members)
    # A server may answer NO after most mails (one of them was just expunged): keep what came, ask again for the rest.
    connection.dialogue.run("UID FETCH", set_text, _MAIL, on_response=harvest.take, check=False)
    if harvest.unreadable:
        log.info("fetch responses of unexpected form", extra={"count": harvest.unreadable})
        _fall_back(connection, [uid for uid in members if uid not in harvest.items], harvest)
    for uid, item in harvest.items.items():
        fault = _fault(item)
        if fault is not None:
            faults[uid] = fault
            continue
        raw = item.body or b""
        flags = harvest.flags.get(uid)
        good[uid] = FetchedMail(uid, raw, item.internal_date, _UNTOLD if flags is None else flags, len(raw))


_UNTOLD: frozenset[str] = frozenset({"\0untold"})  # NUL cannot occur in a flag on the wire


def _fault(item: FetchItem) -> str | None:
    """Why this answer is no whole mail, or None."""
    if item.body is None:
        return "nil"
    if not item.body:
        return "empty"
    if item.size is None or len(item.body) >= item.size:
        return None
    lone_feeds = item.body.count(b"\n") - item.body.count(b"\r\n")
    # Seen in practice: pymap and other maildir servers send bare LF but count CRLF.
    if len(item.body) + lone_feeds >= item.size:
        return None
    allowance = max(_SHORT_OCTETS, item.size * _SHORT_SHARE)
    return "short" if item.size - len(item.body) - lone_feeds > allowance else None


def _fall_back(connection: ImapConnection, uids: Sequence[int], harvest: _Harvest) -> None:
    """IMAPClient's full parser for responses that the fast reader does not know. Slow, but knows the whole grammar."""
    try:
        answers = connection.client.fetch(list(uids), _FALLBACK)
    except (ProtocolError, ValueError):
        return  # unreadable to both: the mails are reported as broken
    except connection.client.AbortError:
        raise Unreachable("connection_lost") from None
    except connection.client.Error:
        return
    except OSError:
        raise Unreachable("connection_lost") from None
    for uid, told in answers.items():
        item = FetchItem(uid=uid, size=told.get(b"RFC822.SIZE"), body=told.get(b"BODY[]"))
        item.body_nil = item.body is None
        at = told.get(b"INTERNALDATE")
        item.internal_date = at.astimezone(UTC) if isinstance(at, datetime) and at.tzinfo else None
        if b"FLAGS" in told:
            harvest.flags[uid] = frozenset(flag.decode("utf-8", "replace") for flag in told[b"FLAGS"]) - {
                "\\Recent"
            }
        harvest.items[uid] = item


def _with_flags(connection: ImapConnection, mails: list[FetchedMail]) -> list[FetchedMail]:
    """Ask once more for the flags of mails that came without; a server that never tells them has none."""
    untold = [mail.uid for mail in mails if mail.flags is _UNTOLD]
    if not untold:
        return mails
    flags = fetch_flags(connection, untold)
    return [
        FetchedMail(mail.uid, mail.raw, mail.internal_date, flags.get(mail.uid, frozenset()), mail.size)
        if mail.flags is _UNTOLD
        else mail
        for mail in mails
    ]


def fetch_flags(connection: ImapConnection, uids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Flags of `uids`; what has none told is absent. Blocks."""
    flags: dict[int, frozenset[str]] = {}
    for set_text, _members in uid_sets(uids):
        flags |= {item.uid: item.flags for item in run_fetch(connection, set_text, b"(UID FLAGS)")
                  if item.uid is not None and item.flags is not None}  # fmt: skip
    return flags


def fetch_meta(connection: ImapConnection, uids: Sequence[int]) -> dict[int, MailMeta]:
    """Size, date, flags and lasting id of `uids`, without bodies. A mail that vanished is absent. Blocks."""
    extra = b""
    if "OBJECTID" in connection.capabilities:
        extra = b" EMAILID"
    elif "X-GM-EXT-1" in connection.capabilities:
        extra = b" X-GM-MSGID"
    meta: dict[int, MailMeta] = {}
    for set_text, members in uid_sets(uids, at_most=5000):
        asked = frozenset(members)
        for item in run_fetch(connection, set_text, b"(UID FLAGS INTERNALDATE RFC822.SIZE" + extra + b")"):
            if item.uid in asked and item.uid is not None and item.size is not None:
                flags = item.flags or frozenset()
                meta[item.uid] = MailMeta(item.uid, item.size, item.internal_date, flags, item.email_id)
    return meta


def fetch_header(connection: ImapConnection, uid: int, limit: int = 256 * 1024) -> bytes | None:
    """The header of a mail that is too large to be fetched whole, at most `limit` octets; None if it vanished."""
    items = run_fetch(connection, str(uid).encode(), b"(UID BODY.PEEK[HEADER]<0.%d>)" % limit)
    bodies = [item.body for item in items if item.body is not None and item.uid in (uid, None)]
    return bodies[0] if bodies else None


def run_fetch(connection: ImapConnection, set_text: bytes, what: bytes, *modifiers: bytes) -> list[FetchItem]:
    """One UID FETCH whose answers are all readable. Raises ProtocolBroken for an answer that is not."""
    items: list[FetchItem] = []

    def take(response: Response) -> bool:
        if not is_fetch(response):
            return False
        item = read_fetch(response)
        if item is None:
            raise ProtocolBroken("fetch_unreadable")
        items.append(item)
        return True

    connection.dialogue.run("UID FETCH", set_text, what, *modifiers, on_response=take)
    return items
