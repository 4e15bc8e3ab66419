"""What a refused password costs: few logins, a notice after three days, and no mail when it is mended (integrity I-13)."""

from collections.abc import Callable

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.inbound import WakeReason, WatchOrder
from contracts.refs import FolderRef
from providers.errors import AuthFailed
from providers.imap.source import ImapSource
from store.inboxes import SealedCredentials, change_inbox
from store.visibility import Viewer
from tests.activities.mail_room import SEALER, MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


async def test_a_wrong_password_pauses_the_inbox_after_three_days(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    await room.pool.close()
    right, room.password = room.password, "wrong"
    await room.rows("update inboxes set credentials_sealed = :sealed", sealed=await _resealed(room))
    room.__post_init__()
    for refusals in (1, 2, 3):
        fetched = await room.fetch()
        assert (fetched.failure, fetched.health) == ("AuthFailed", "auth_failed")
        assert await room.one("select auth_failures from inboxes") == refusals
    (inbox,) = await room.rows("select * from inboxes")
    assert (inbox["connected_at"] is not None, inbox["paused_at"]) == (True, None), "three refusals prove nothing"
    await room.rows("update inboxes set refused_since = now() - interval '80 hours'")
    assert (await room.fetch()).health == "auth_failed", "off for three days is not refused for three days"
    await room.rows("update inboxes set auth_failures = 400")
    assert (await room.fetch()).health == "paused"
    (inbox,) = await room.rows("select * from inboxes")
    assert (inbox["health"], inbox["connected_at"], inbox["paused_at"] is not None) == ("paused", None, True)
    assert "for three days" in inbox["last_error"]
    assert "wrong" not in inbox["last_error"]
    with pytest.raises(ApplicationError, match="not connected"):
        await room.fetch()
    (notice,) = await room.rows("select payload from events where payload->>'reason' = 'refused'")
    assert notice["payload"] == {"health": "paused", "reason": "refused"}
    assert (await room.events()).count("inbox.health") == 3  # connected, refused, paused

    # A person enters the right password: what came meanwhile is fetched under a gap that closes with counts.
    deliver(letter(2))
    room.password = right
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await change_inbox(
            connection, Viewer(room.tenant_id, None, sees_all=True), room.inbox_id, {},
            credentials=SealedCredentials(await _resealed(room), "k1"), reconnect=True,
        )  # fmt: skip
    assert await room.one("select paused_at from inboxes") is None
    await room.connect()
    assert (await room.fetch()).stored == 1
    (gap,) = await room.rows("select * from gaps where missing > 0")
    assert (gap["cause"], gap["refilled"], gap["since"] == inbox["last_sync_at"], gap["closed_at"] is not None) == ("reauth", 1, True, True)


async def test_only_live_sync_asks_a_server_again_that_refused(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backfills, looking in Sent and the watch would otherwise each add their logins (integrity I-13)."""
    await room.connect()
    await room.rows("update inboxes set health = 'auth_failed', auth_failures = 1, refused_since = now()")
    logins: list[int] = []

    async def counted(_: ImapSource) -> None:
        logins.append(1)
        raise AuthFailed

    monkeypatch.setattr(ImapSource, "open", counted)
    await room.pool.close()
    room.__post_init__()
    folder = await room.folder()
    await room.rows("update folders set backfill_state = 'running' where role = 'inbox'")
    ref = FolderRef(room.ref.tenant_id, room.ref.inbox_id, str(folder["id"]))
    for step in (room.backfilling.plan, room.backfilling.step):
        assert (await ActivityEnvironment().run(step, ref)).failure == "AuthFailed"
    watched = await ActivityEnvironment().run(room.watching.watch, WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 1))
    assert (watched.reason, logins) == (WakeReason.CLOSED, [])
    assert (await room.fetch()).failure == "AuthFailed"
    assert logins == [1]


async def test_locked_out_for_long_and_let_in_again_is_a_gap(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    await room.rows("update inboxes set health = 'auth_failed', auth_failures = 9, refused_since = now() - interval '2 hours'")
    await room.rows("delete from ledger where uid = 1")
    assert (await room.fetch()).more is True
    assert (await room.fetch()).stored == 1
    gaps = await room.rows("select cause, closed_at is not null as closed from gaps")
    assert gaps == [{"cause": "reauth", "closed": True}] * 2


async def _resealed(room: MailRoom) -> bytes:
    values = {"imap": {"secret": room.password}, "smtp": {"secret": room.password}}
    return SEALER.seal(values, tenant_id=room.ref.tenant_id, inbox_id=room.ref.inbox_id, column="credentials_sealed")[0]
