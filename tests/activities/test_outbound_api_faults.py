"""Every way in which sending through Gmail and Graph gets lost, crossed with everything that makes looking for it hard.

Rows: 500 or a reset connection, before or after the mail was accepted. Columns: the search lags 45 s, the Message-ID is rewritten,
both, the draft vanished, the copy in Sent vanished. In each cell one mail at most is accepted, and where that cannot be seen
people are shown *unknown*. Time is turned, not waited for.
"""

from typing import Any

import pytest

from tests.activities.api_send_room import ADDRESS, SEND, ApiSendRoom, Provider
from tests.activities.mail_room import letter
from tests.servers.graph_items import conversation

LAG = 45.0
LOST: dict[str, dict[str, Any]] = {"500": {"status": 500}, "reset": {"reset": True}}
AFTERWARDS = ("nothing", "lag", "rewritten", "lag+rewritten", "draft-vanished", "copy-vanished")
CELLS = [  # of what was not accepted there is no copy that could vanish
    pytest.param(accepted, named, id=f"{'after' if accepted else 'before'}-accept-{named}")
    for accepted in (True, False)
    for named in (AFTERWARDS if accepted else AFTERWARDS[:-1])
]


def trouble(room: ApiSendRoom, provider: Provider, named: str) -> None:
    """What is arranged before the mail is sent."""
    if provider.name == "gmail":
        provider.box.clock = lambda: room.clock().timestamp()
        provider.box.search_lag = LAG if "lag" in named else 0.0
        provider.box.rewrite_message_id = "rewritten" in named
        return
    quirks = provider.box.quirks
    # Four looks in vain: those at 0, 5 and 15 seconds, and the one that the sender itself takes.
    quirks.sent_looks, quirks.sent_absent = (4, True) if "lag" in named else (0, False)
    quirks.rewrite_message_id = "rewritten" in named
    quirks.sent_vanishes = named == "copy-vanished"


async def in_a_thread(room: ApiSendRoom, provider: Provider) -> str | None:
    """The customer's mail lies in the mailbox too, as the sync left it. Its thread, where the provider has such."""
    (first,) = await room.desk.rows(
        "select id, message_id_header from messages where id = :id", id=room.desk.first_message_id
    )
    raw = letter(1, subject="Printer on fire", message_id=first["message_id_header"], to=ADDRESS)
    told = provider.box.deliver(raw)
    mail_id, thread = (told, provider.box.mails[told].thread_id) if provider.name == "gmail" else (told.immutable_id, None)
    await room.desk.rows(
        "insert into ledger (tenant_id, inbox_id, provider_message_id, provider_thread, state, raw_key, message_id)"
        " values (:t, :i, :mail, :thread, 'ingested', 'raw', :m)",
        t=room.desk.tenant_id, i=room.desk.inbox_id, mail=mail_id, thread=thread, m=first["id"],
    )  # fmt: skip
    return thread


@pytest.mark.parametrize(("accepted", "named"), CELLS)
@pytest.mark.parametrize("lost", LOST)
async def test_one_mail_at_most_or_unknown(
    api_send_room: ApiSendRoom, provider: Provider, lost: str, accepted: bool, named: str
) -> None:
    room = api_send_room
    trouble(room, provider, named)
    await in_a_thread(room, provider)
    provider.fail(SEND, after_accept=accepted, **LOST[lost])
    ref = await room.composed()
    await room.deliver(ref)
    assert len(provider.accepted) == accepted
    if named == "draft-vanished":
        provider.lose_drafts()
    if named == "copy-vanished" and provider.name == "gmail":
        provider.box.delete(provider.accepted[0].id)

    end = await room.flow(ref)

    lost_for_good = named == "copy-vanished" or (named == "draft-vanished" and not accepted)
    assert end == ("unknown" if lost_for_good else "sent")
    assert len(provider.accepted) == (0 if lost_for_good and not accepted else 1)
    row = await room.message(ref)
    assert row["send_status"] == end
    assert bool(row["send_error"]) is (end == "unknown")
    # Whatever else asks again afterwards: not a second one.
    await room.deliver(ref)
    assert len(provider.accepted) == (0 if lost_for_good and not accepted else 1)


async def test_a_reply_goes_into_the_thread_of_the_mail_that_it_answers(
    api_send_room: ApiSendRoom, provider: Provider
) -> None:
    room = api_send_room
    thread = await in_a_thread(room, provider)
    ref = await room.composed()
    assert await room.flow(ref) == "sent"
    row = await room.message(ref)
    if provider.name == "gmail":
        assert row["subject"] == "Re: Printer on fire"
        assert [mail.thread_id for mail in provider.box.mails.values()] == [thread, thread]
        assert len(provider.box.mails) == 2
    else:
        assert row["subject"] == "Re: Printer on fire [#42]"
        assert [one.is_draft for one in provider.box.items.values()] == [False, False]
        assert len({conversation(one.raw) for one in provider.box.items.values()}) == 1
