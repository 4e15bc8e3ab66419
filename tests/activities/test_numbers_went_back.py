"""A mail server restored from a backup counts from lower than we have read, and gives numbers out again."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from contracts.inbound import WakeReason, WatchOrder
from tests.activities.mail_room import MailRoom, letter
from tests.servers.dovecot import DovecotAccount

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]
LATER = datetime.now(UTC) + timedelta(seconds=90)  # INTERNALDATE counts whole seconds


async def restore(room: MailRoom, account: DovecotAccount, backup: Path) -> None:
    """Bring the mailbox back as it was, numbers and UIDVALIDITY included."""
    await room.pool.close()
    owner = account.maildir.stat()
    shutil.rmtree(account.maildir)
    shutil.copytree(backup, account.maildir)
    for path in (account.maildir, *account.maildir.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    room.__post_init__()


async def test_numbers_that_are_given_out_again_are_other_mails(
    room: MailRoom, deliver: Deliver, account: DovecotAccount, tmp_path: Path
) -> None:
    await room.connect()
    for n in range(4):
        deliver(letter(n))
    await room.sync()
    backup = tmp_path / "backup"
    shutil.copytree(account.maildir, backup)
    for n in range(4, 9):
        deliver(letter(n))
    await room.sync()
    before = await room.folder()
    assert before["last_uid"] == 9
    await restore(room, account, backup)
    for n in (20, 21):  # these get 5 and 6, which the ledger knows as other mails
        deliver(letter(n), received=LATER)
    watched = await ActivityEnvironment().run(room.watching.watch, WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 5))
    assert watched.reason is WakeReason.NEW
    await room.sync()
    after = await room.folder()
    assert (after["uidvalidity"], after["last_uid"], after["resets"]) == (before["uidvalidity"], 6, 1)
    known = await room.rows(
        "select l.uid, m.message_id_header as id from ledger l join messages m on m.id = l.message_id where l.uidvalidity = :v order by l.uid",
        v=after["uidvalidity"],
    )
    assert [(r["uid"], r["id"].partition("@")[0]) for r in known] == [(1, "<m0"), (2, "<m1"), (3, "<m2"), (4, "<m3"), (5, "<m20"), (6, "<m21")]
    assert await room.one("select count(*) from messages") == 11, "what the server lost is kept here"
    assert await room.one("select count(*) from ledger where uidvalidity < 0 and gone_at is not null") == 5
    (gap,) = await room.rows("select * from gaps")
    assert (gap["cause"], gap["listed"], gap["closed_at"] is not None) == ("lost_state", 6, True)
    assert (gap["missing"], gap["refilled"]) == (2, 2)
    deliver(letter(30))
    assert (await room.sync()).ingested == 1
    watched = await ActivityEnvironment().run(room.watching.watch, WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 1))
    assert watched.reason is WakeReason.TIMEOUT


async def test_a_mail_that_comes_back_under_another_number_is_not_told_twice(
    room: MailRoom, deliver: Deliver, account: DovecotAccount, tmp_path: Path
) -> None:
    await room.connect()
    deliver(letter(0))
    await room.sync()
    shutil.copytree(account.maildir, tmp_path / "backup")
    mails = [letter(n) for n in (1, 2)]
    for raw in mails:
        deliver(raw)
    await room.sync()
    told = (await room.events()).count("message.received")
    await restore(room, account, tmp_path / "backup")
    deliver(mails[1], received=LATER)  # the administrator puts the newest one back by hand
    await room.sync()
    assert await room.one("select count(*) from messages") == 3
    assert (await room.events()).count("message.received") == told
    assert await room.one("select reason from ledger where uid = 2 and uidvalidity > 0") == "rematched"


async def test_a_folder_that_reappears_is_compared_whole(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    for n in range(3):
        deliver(letter(n))
    await room.sync()
    await room.rows("update folders set state = 'parked', state_reason = 'gone' where role = 'inbox'")
    await room.rows("delete from ledger where uid = 2")
    room.fetching._imap_pass._listed_at.clear()
    assert (await room.fetch()).stored == 1
    assert (await room.folder())["state"] == "active"
    (gap,) = await room.rows("select cause, missing, refilled, closed_at is not null as closed from gaps")
    assert gap == {"cause": "lost_state", "missing": 1, "refilled": 1, "closed": True}
