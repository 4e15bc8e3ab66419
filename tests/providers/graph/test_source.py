"""What reading a mailbox by delta must get right, one test for each rule of the protocol."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.errors import AuthFailed, FolderGone, ProtocolBroken, Throttled, Unreachable
from providers.graph.source import GraphSource
from providers.imap.values import Role
from providers.mail_api import CursorExpired, MailChanges
from tests.providers.graph.conftest import ADDRESS, mail
from tests.servers.graph_server import Seen


@pytest.fixture
def source(account):
    return GraphSource(account)


async def whole(source, folder):
    """All ids of a listing, and the cursor at its end."""
    ids, after = [], None
    while True:
        page = await source.listing(folder, after)
        ids += [one.id for one in page.mails]
        if page.cursor is not None:
            assert page.after is None
            return ids, page.cursor
        after = page.after


async def replay(source, folder, cursor):
    """Everything since: what a caller knows in the end, by id, None for what left; and the last cursor."""
    known, pages = {}, 0
    while True:
        changes: MailChanges = await source.changes(folder, cursor)
        known.update({one.id: one for one in changes.changed})
        known.update(dict.fromkeys(changes.gone))
        cursor, pages = changes.cursor, pages + 1
        if not changes.more:
            return known, cursor, pages


async def test_the_address_is_as_the_provider_writes_it(source):
    assert await source.addresses() == {ADDRESS}


async def test_folders_have_roles_and_nested_names(source, box):
    inner = box.add_folder("Clients", "inbox")
    deep = box.add_folder("A/B", inner)
    found = {one.path: one for one in await source.folders()}
    assert found[box.well_known["sentitems"]].role is Role.SENT
    assert found[box.well_known["deleteditems"]].role is Role.TRASH
    assert found[inner].name == "Inbox/Clients"
    assert found[deep].name == "Inbox/Clients/A∕B"
    assert found[inner].role is Role.OTHER


async def test_folder_names_may_contain_a_slash(source, box):
    folder = box.add_folder("Invoices 2025/2026")
    item = box.deliver(mail(), folder)
    [found] = [one for one in await source.folders() if one.path == folder]
    assert found.name.split(found.delimiter) == ["Invoices 2025∕2026"]
    assert (await whole(source, folder))[0] == [item.immutable_id]


async def test_a_mailbox_without_an_archive_has_all_its_other_roles(source, box):
    box.remove_folder("archive")
    roles = {one.role for one in await source.folders()}
    assert Role.ARCHIVE not in roles
    assert {Role.INBOX, Role.SENT, Role.DRAFTS, Role.JUNK, Role.TRASH} <= roles


async def test_a_batch_item_that_fails_is_not_taken_for_a_missing_role(source, graph, box):
    graph.faults.plan("folders.get", 500, item="sentitems")
    with pytest.raises(Unreachable):
        await source.folders()


async def test_items_of_a_batch_fail_singly_with_429(source, graph, box):
    graph.faults.plan("folders.get", 429, item="sentitems", headers={"Retry-After": "3"})
    assert Role.SENT in {one.role for one in await source.folders()}
    assert graph.count("folders.get") == 7


async def test_the_tree_of_folders_is_followed_by_delta(source, graph, box):
    await source.folders()
    added = box.add_folder("Later")
    box.rename_folder("archive", "Attic")
    names = {one.path: one.name for one in await source.folders()}
    assert names[added] == "Later"
    assert names[box.well_known["archive"]] == "Attic"
    box.remove_folder(added)
    assert added not in {one.path for one in await source.folders()}
    graph.deltas(box).expire()
    assert box.well_known["inbox"] in {one.path for one in await source.folders()}


async def test_delta_is_per_folder(source, box):
    box.deliver(mail(1))
    other = box.deliver(mail(2), "sentitems")
    ids, cursor = await whole(source, box.well_known["sentitems"])
    assert ids == [other.immutable_id]
    box.deliver(mail(3))
    assert (await replay(source, box.well_known["sentitems"], cursor))[0] == {}
    with pytest.raises(ValueError, match="one folder at a time"):
        await source.listing(None)


async def test_a_listing_is_newest_first_with_an_estimate(source, box):
    day = datetime(2026, 1, 1, tzinfo=UTC)
    old = box.deliver(mail(1), received_at=day, read=True, categories=["red"])
    new = box.deliver(mail(2), received_at=day + timedelta(days=1))
    page = await source.listing(box.well_known["inbox"])
    assert [one.id for one in page.mails] == [new.immutable_id, old.immutable_id]
    assert page.total == 2
    assert page.mails[1].flags == {"\\Seen"}
    assert page.mails[1].labels == {"red"}
    assert page.mails[1].received_at == day
    assert page.mails[1].thread_id


async def test_nothing_between_listing_and_replaying_is_missed(source, box):
    box.quirks.page_size = 3
    for number in range(7):
        box.deliver(mail(number))
    inbox = box.well_known["inbox"]
    first = await source.listing(inbox)
    late = box.deliver(mail(99))
    ids, after = [one.id for one in first.mails], first.after
    cursor = None
    while after:
        page = await source.listing(inbox, after)
        ids += [one.id for one in page.mails]
        after, cursor = page.after, page.cursor
    known, _, _ = await replay(source, inbox, cursor)
    assert late.immutable_id in set(ids) | set(known)
    assert len(set(ids)) == 7


async def test_an_expired_delta_token_with_410_is_an_expired_cursor(source, graph, box):
    _, cursor = await whole(source, box.well_known["inbox"])
    graph.deltas(box).expire("gone")
    with pytest.raises(CursorExpired):
        await source.changes(box.well_known["inbox"], cursor)


@pytest.mark.parametrize("word", ["syncStateNotFound", "SyncStateInvalid"])
async def test_sync_state_not_found_is_an_expired_cursor(source, graph, box, word):
    _, cursor = await whole(source, box.well_known["inbox"])
    graph.deltas(box).expire(word)
    with pytest.raises(CursorExpired):
        await source.changes(box.well_known["inbox"], cursor)
    assert (await whole(source, box.well_known["inbox"]))[0] == []


async def test_replays_order_and_duplicates_leave_the_last_state(source, box):
    box.quirks.page_size, box.quirks.duplicates, box.quirks.shuffled, box.quirks.replayed = 2, True, True, 3
    items = [box.deliver(mail(number)) for number in range(5)]
    inbox = box.well_known["inbox"]
    ids, cursor = await whole(source, inbox)
    assert set(ids) == {one.immutable_id for one in items}
    box.update(items[0].immutable_id, is_read=True)
    box.update(items[0].immutable_id, is_read=False, categories=["blue"])
    known, cursor, _ = await replay(source, inbox, cursor)
    assert known[items[0].immutable_id].labels == {"blue"}
    assert known[items[0].immutable_id].flags == frozenset()
    again, _, _ = await replay(source, inbox, cursor)
    assert set(again) <= {one.immutable_id for one in items}


async def test_empty_pages_are_paged_through_to_the_delta_link(source, box):
    box.quirks.empty_pages = 2
    box.deliver(mail(1))
    inbox = box.well_known["inbox"]
    ids, cursor = await whole(source, inbox)
    assert len(ids) == 1
    item = box.deliver(mail(2))
    known, _, pages = await replay(source, inbox, cursor)
    assert list(known) == [item.immutable_id]
    assert pages == 3


async def test_links_are_stored_whole_and_followed_unchanged(source, graph, box):
    box.quirks.page_size = 1
    box.deliver(mail(1))
    box.deliver(mail(2))
    page = await source.listing(box.well_known["inbox"])
    assert page.after.startswith(graph.root)
    assert "$skiptoken=" in page.after
    _, cursor = await whole(source, box.well_known["inbox"])
    assert "$deltatoken=" in cursor


async def test_a_link_to_another_host_gets_no_token(source, graph, box):
    box.quirks.links_elsewhere = "http://127.0.0.1:1/v1.0"
    box.deliver(mail(1))
    with pytest.raises(ProtocolBroken) as caught:
        await source.listing(box.well_known["inbox"])
    assert caught.value.reason == "link_elsewhere"
    before = len(graph.calls)
    with pytest.raises(ProtocolBroken):
        await source.changes(box.well_known["inbox"], "https://evil.example.com/v1.0/me/mailFolders/x/messages/delta")
    assert len(graph.calls) == before


async def test_a_change_that_replicates_late_comes_in_a_later_round(source, box):
    inbox = box.well_known["inbox"]
    _, cursor = await whole(source, inbox)
    item = box.deliver(mail(1))
    box.quirks.behind = 1
    known, cursor, _ = await replay(source, inbox, cursor)
    assert known == {}
    box.quirks.behind = 0
    known, _, _ = await replay(source, inbox, cursor)
    assert list(known) == [item.immutable_id]


async def test_removed_by_a_move_is_gone_here_and_there_in_the_other_folder(source, box):
    item = box.deliver(mail(1))
    inbox, archive = box.well_known["inbox"], box.well_known["archive"]
    _, here = await whole(source, inbox)
    _, there = await whole(source, archive)
    box.move(item.immutable_id, "archive")
    assert (await replay(source, inbox, here))[0] == {item.immutable_id: None}
    assert list((await replay(source, archive, there))[0]) == [item.immutable_id]
    assert (await source.fetch([item.immutable_id]))[0].raw == mail(1)


async def test_removed_by_a_deletion_is_gone_and_cannot_be_fetched(source, box):
    item = box.deliver(mail(1))
    _, cursor = await whole(source, box.well_known["inbox"])
    box.delete(item.immutable_id)
    assert (await replay(source, box.well_known["inbox"], cursor))[0] == {item.immutable_id: None}
    [answer] = await source.fetch([item.immutable_id])
    assert answer.missing == "gone"


async def test_a_backfill_uses_no_filter(source, graph, box, monkeypatch):
    targets = []
    handle = graph.handle
    monkeypatch.setattr(graph, "handle", lambda method, target, *rest, **more: targets.append(target) or handle(method, target, *rest, **more))
    await whole(source, box.well_known["inbox"])
    assert targets
    assert not any("filter" in one for one in targets)


async def test_immutable_ids_are_asked_for_on_every_call_and_survive_a_move(source, graph, box):
    item = box.deliver(mail(1))
    await source.folders()
    ids, _ = await whole(source, box.well_known["inbox"])
    box.move(item.immutable_id, "archive")
    assert (await whole(source, box.well_known["archive"]))[0] == ids
    await source.fetch(ids)
    assert all('idtype="immutableid"' in one.prefer for one in graph.calls)
    assert any(one.batched for one in graph.calls)
    assert isinstance(graph.calls[0], Seen)


async def test_a_folder_that_is_gone_is_said_so(source, box):
    folder = box.add_folder("Short-lived")
    _, cursor = await whole(source, folder)
    box.remove_folder(folder)
    with pytest.raises(FolderGone):
        await source.changes(folder, cursor)
    with pytest.raises(FolderGone):
        await source.listing(folder)


async def test_raw_mime_is_fetched_octet_for_octet(source, box):
    odd = b"From: x@example.org\nSubject: =?broken\nX-Odd: \xff\xfe\n\nbare lf \x00 and 8-bit \xe9\n"
    items = [box.deliver(odd), box.deliver(mail(2))]
    answers = await source.fetch([items[1].immutable_id, items[0].immutable_id, "AAkMissing"])
    assert [one.raw for one in answers] == [mail(2), odd, None]
    assert answers[2].missing == "gone"


async def test_at_most_four_mails_are_fetched_at_a_time(source, graph, box, opened):
    items = [box.deliver(mail(number)) for number in range(30)]
    for item in items[:8]:
        graph.faults.plan("messages.value", 429, item=item.immutable_id, hang=0.02, headers={"Retry-After": "0"})
    answers = await source.fetch([one.immutable_id for one in items])
    assert [one.raw for one in answers] == [one.raw for one in items]
    assert 1 < graph.peak <= 4


async def test_a_mail_over_the_limit_is_too_large(account, box):
    item = box.deliver(mail(1, body="x" * 5000))
    [answer] = await GraphSource(account, max_octets=4000).fetch([item.immutable_id])
    assert answer.missing == "too_large"


async def test_a_mail_that_graph_cannot_convert_stops_no_other(source, box):
    bad, good = box.deliver(mail(1)), box.deliver(mail(2))
    box.unreadable.add(bad.immutable_id)
    answers = await source.fetch([bad.immutable_id, good.immutable_id])
    assert [one.missing for one in answers] == ["unreadable", None]
    assert (await source.fetch([bad.immutable_id]))[0].missing == "unreadable"


async def test_a_server_that_fails_at_everything_makes_no_mail_unreadable(source, graph, box):
    item = box.deliver(mail(1))
    graph.faults.plan("*", 500, times=50)
    with pytest.raises(Unreachable):
        await source.fetch([item.immutable_id])


async def test_throttling_waits_as_long_as_retry_after_says(source, graph, box, opened):
    graph.faults.plan("messages.delta", 429, headers={"Retry-After": "7"})
    assert (await whole(source, box.well_known["inbox"]))[0] == []
    assert any(6 < one <= 7 for one in opened.slept)


async def test_throttling_for_long_is_handed_to_the_caller(source, graph, box):
    graph.faults.plan("messages.delta", 429, headers={"Retry-After": "600"})
    with pytest.raises(Throttled) as caught:
        await source.listing(box.well_known["inbox"])
    assert caught.value.retry_after == 600
    before = graph.count("messages.delta")
    with pytest.raises(Throttled):
        await source.listing(box.well_known["sentitems"])
    assert graph.count("messages.delta") == before


async def test_a_reset_while_reading_is_read_again(source, graph, box):
    box.deliver(mail(1))
    graph.faults.plan("messages.delta", reset=True)
    assert len((await whole(source, box.well_known["inbox"]))[0]) == 1


async def test_an_expired_access_token_is_replaced_once(graph, box, opened):
    old = graph.login.access_token(ADDRESS, seconds=-1)
    source = GraphSource(opened(tokens=[old, graph.login.access_token(ADDRESS)]))
    assert await source.addresses() == {ADDRESS}
    with pytest.raises(AuthFailed) as caught:
        await GraphSource(opened(tokens=[old])).addresses()
    assert caught.value.reason == "token_refused"


async def test_a_shared_mailbox_is_opened_by_its_address(graph, box, opened):
    shared = graph.mailbox("team@example.com")
    item = shared.deliver(mail(1))
    source = GraphSource(opened("team@example.com"))
    with pytest.raises(AuthFailed) as caught:
        await source.addresses()
    assert caught.value.reason == "access_denied"
    shared.delegates.add(ADDRESS)
    assert await source.addresses() == {"team@example.com"}
    assert (await whole(source, shared.well_known["inbox"]))[0] == [item.immutable_id]


async def test_application_permission_opens_any_mailbox_but_no_me(graph, box, opened):
    assert await GraphSource(opened(ADDRESS, user=None)).addresses() == {ADDRESS}
    with pytest.raises(AuthFailed) as caught:
        await GraphSource(opened("nobody@example.com", user=None)).addresses()
    assert caught.value.reason == "mailbox_unknown"


async def test_errors_hold_no_word_of_the_server(source, graph, box):
    graph.faults.plan("folders.get", 400, code="ErrorSomething", message="mailbox support@example.com is odd")
    with pytest.raises(Exception, match="refuses this request") as caught:
        await source.listing(box.well_known["inbox"])
    assert "support@" not in str(caught.value)
    assert caught.value.__cause__ is None
