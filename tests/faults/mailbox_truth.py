"""What really lies in a mailbox, read over IMAP with the standard library, against the ledger."""

import contextlib
import hashlib
import imaplib
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from tests.faults.findings import Findings

AT_ONCE = 100
MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>]*>)", re.IGNORECASE | re.MULTILINE)
UID = re.compile(rb"UID (\d+)")


@dataclass(frozen=True, slots=True)
class FolderTruth:
    """The folder's UIDVALIDITY and the SHA-256 of each mail's bytes by UID, with how often each Message-ID stands in it."""

    uidvalidity: int
    mails: Mapping[int, str]
    message_ids: Counter[str] = field(default_factory=Counter)


@contextlib.contextmanager
def signed_in(host: str, port: int, user: str, password: str) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(host, port, timeout=60)
    try:
        client.login(user, password)
        yield client
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.logout()


def read_folder(client: imaplib.IMAP4, path: str) -> FolderTruth | None:
    """None when there is no such folder."""
    answer, _ = client.select(f'"{path}"', readonly=True)
    if answer != "OK":
        return None
    uidvalidity = int(client.response("UIDVALIDITY")[1][0])
    _, listed = client.uid("SEARCH", "ALL")
    uids = [int(uid) for uid in (listed[0] or b"").split()]
    mails: dict[int, str] = {}
    ids: Counter[str] = Counter()
    for start in range(0, len(uids), AT_ONCE):
        wanted = ",".join(str(uid) for uid in uids[start : start + AT_ONCE])
        _, parts = client.uid("FETCH", wanted, "(UID BODY.PEEK[])")
        for part, after in zip(parts, [*parts[1:], b""], strict=True):
            if not isinstance(part, tuple):
                continue
            head, raw = part
            match = UID.search(head) or UID.search(after if isinstance(after, bytes) else b"")
            assert match is not None, head
            mails[int(match[1])] = hashlib.sha256(raw).hexdigest()
            header = MESSAGE_ID.search(raw.split(b"\r\n\r\n", 1)[0] + b"\r\n")
            if header:
                ids[header[1].decode("ascii", "replace")] += 1
    return FolderTruth(uidvalidity, mails, ids)


def check_mailbox(
    connection: Connection, inbox_id: str | uuid.UUID, truth: Mapping[str, FolderTruth], found: Findings
) -> None:
    """Each mail of a synced folder has exactly one row of these bytes, with a fate; our copies stand in Sent once."""
    for path, folder in truth.items():
        row = connection.execute(
            text("select id, uidvalidity, role from folders where inbox_id = :inbox and path = :path"), {"inbox": inbox_id, "path": path}
        ).first()
        if row is None:
            found.add_all("lost", f"folder {path} is not known, nor its mail", folder.mails)
            continue
        if row.uidvalidity != folder.uidvalidity:
            found.add("limbo", f"folder {path} is known under UIDVALIDITY {row.uidvalidity}, it has {folder.uidvalidity}")
        rows = connection.execute(
            text("select uid, state, raw_sha256 from ledger where folder_id = :folder and uidvalidity = :validity"),
            {"folder": row.id, "validity": folder.uidvalidity},
        )
        known = {one.uid: one for one in rows}
        for uid, sha256 in folder.mails.items():
            entry = known.get(uid)
            if entry is None:
                found.add("lost", f"{path} UID {uid} has no row")
            elif entry.state == "vanished":
                found.add("lost", f"{path} UID {uid} counts as vanished and lies in the mailbox")
            elif entry.raw_sha256 is not None and entry.raw_sha256 != sha256:
                found.add("lost", f"{path} UID {uid} was stored with other bytes")
            elif entry.raw_sha256 is None and entry.state != "quarantined":
                found.add("lost", f"{path} UID {uid} has no bytes")
        if row.role == "sent":
            for message_id, times in folder.message_ids.items():
                if times > 1:
                    found.add("duplicate", f"{times} copies of {message_id} lie in {path}")
