"""UIDVALIDITY that changes in either direction, and in the middle of a session: every mail once, nobody told twice (I-7)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from providers.imap.source import ImapSource
from providers.imap.values import FetchBatch
from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


@pytest.mark.parametrize("step", [1, -1], ids=["up", "down"])
async def test_it_changes_in_either_direction(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    await room.connect()
    for n in range(4):
        deliver(letter(n))
    await room.sync()
    told = (await room.events()).count("message.received")
    old = (await room.folder())["uidvalidity"]
    real = ImapSource.examine

    async def renumbered(self: ImapSource, path: str) -> Any:
        state = await real(self, path)
        if path != "INBOX":
            return state
        return replace(state, uidvalidity=old + step)

    monkeypatch.setattr(ImapSource, "examine", renumbered)
    deliver(letter(9))
    assert (await room.sync()).ingested == 1
    folder = await room.folder()
    assert (folder["uidvalidity"], folder["state"], folder["last_uid"]) == (old + step, "active", 5)
    assert await room.one("select count(*) from messages") == 5
    assert (await room.events()).count("message.received") == told + 1
    (gap,) = await room.rows("select * from gaps")
    assert (gap["cause"], gap["missing"], gap["refilled"], gap["closed_at"] is not None) == ("uidvalidity", 1, 1, True)


async def test_it_changes_in_the_middle_of_a_session(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the fetch: by the old numbers other mails come than those that bore them."""
    await room.connect()
    for n in range(3):
        deliver(letter(n))
    await room.sync()
    old = (await room.folder())["uidvalidity"]
    for n in range(3, 6):
        deliver(letter(n))
    real_fetch, real_examine, changed = ImapSource.fetch, ImapSource.examine, []

    async def of_another_numbering(self: ImapSource, uids: Any) -> FetchBatch:
        batch = await real_fetch(self, uids)
        if changed or len(batch.mails) < 3:
            return batch
        changed.append(1)
        bytes_of = [m.raw for m in batch.mails]
        swapped = [replace(m, raw=raw, size=len(raw)) for m, raw in zip(batch.mails, bytes_of[1:] + bytes_of[:1], strict=True)]
        return FetchBatch(swapped, batch.vanished, batch.broken)

    async def renumbered(self: ImapSource, path: str) -> Any:
        state = await real_examine(self, path)
        return replace(state, uidvalidity=old + 7) if changed and path == "INBOX" else state

    monkeypatch.setattr(ImapSource, "fetch", of_another_numbering)
    monkeypatch.setattr(ImapSource, "examine", renumbered)
    assert (await room.sync()).ingested == 3
    assert (await room.folder())["uidvalidity"] == old, "this pass could not know"
    assert (await room.sync()).ingested == 0
    folder = await room.folder()
    assert (folder["uidvalidity"], folder["state"]) == (old + 7, "active")
    assert await room.one("select count(*) from messages") == 6
    assert (await room.events()).count("message.received") == 6
    known = await room.rows(
        "select l.uid, m.message_id_header as id from ledger l join messages m on m.id = l.message_id where l.uidvalidity = :v order by l.uid",
        v=folder["uidvalidity"],
    )
    assert [(r["uid"], r["id"].partition("@")[0]) for r in known] == [(n + 1, f"<m{n}") for n in range(6)]
    assert await room.rows("select 1 from gaps where closed_at is null") == []
