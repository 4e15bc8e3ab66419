"""Reading a mailbox through the Gmail API: listing, history, raw mails; one test for each rule of the protocol."""

from collections.abc import Callable

import pytest

from providers.errors import AuthFailed, Refused, Throttled, Unreachable
from providers.gmail import fetching
from providers.gmail.account import GmailAccount
from providers.gmail.quota import QuotaLimits
from providers.gmail.source import GmailSource
from providers.imap.values import Role
from providers.mail_api import CursorExpired, MailApiSource, RemoteMail
from tests.providers.gmail.conftest import ADDRESS, mail
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer


async def everything(source: GmailSource) -> tuple[list[RemoteMail], str]:
    mails: list[RemoteMail] = []
    after: str | None = None
    while True:
        page = await source.listing(None, after)
        mails += page.mails
        if page.after is None:
            assert page.cursor is not None
            return mails, page.cursor
        after = page.after


async def test_it_is_a_mail_api_source(source: GmailSource) -> None:
    held: MailApiSource = source  # checked by mypy where it is used; here it must at least be one at run time
    assert await held.addresses() == {ADDRESS}


async def test_listing_comes_newest_first_in_pages(
    mailbox: GmailMailbox, account: GmailAccount, google: GmailServer
) -> None:
    ids = [mailbox.deliver(mail(n), at=1_700_000_000 + n) for n in range(7)]
    found, cursor = await everything(GmailSource(account, page=3))
    assert [one.id for one in found] == ids[::-1]
    assert cursor == str(mailbox.history_id)
    assert google.calls("messages.list") == 3


async def test_history_id_is_taken_before_the_listing(mailbox: GmailMailbox, account: GmailAccount) -> None:
    """A mail that arrives between two pages, before the place of the next page, is missed by the listing, found by the history."""
    for n in range(4):
        mailbox.deliver(mail(n), at=1_700_000_000 + n)
    source = GmailSource(account, page=2)
    first = await source.listing(None)
    late = mailbox.deliver(mail(9))
    second = await source.listing(None, first.after)
    assert late not in {one.id for one in first.mails + second.mails}
    assert second.cursor is not None
    changes = await source.changes(None, second.cursor)
    assert [one.id for one in changes.changed] == [late]


async def test_the_total_of_a_listing_is_the_profiles(mailbox: GmailMailbox, source: GmailSource) -> None:
    for n in range(250):
        mailbox.deliver(mail(n))
    page = await source.listing(None)
    assert page.total == 250  # resultSizeEstimate would say 201


async def test_listing_again_asks_for_labels_only(
    mailbox: GmailMailbox, account: GmailAccount, google: GmailServer
) -> None:
    """FULL the first time, MINIMAL later: what is known needs its labels, not its octets."""
    one, two = mailbox.deliver(mail(1), ["INBOX"]), mailbox.deliver(mail(2), ["TRASH"])
    page = await GmailSource(account, with_states=True).listing(None)
    assert {m.id: (m.labels, m.flags) for m in page.mails} == {
        one: ({"INBOX"}, {"\\Seen"}),
        two: ({"TRASH"}, {"\\Seen"}),
    }
    asked = [seen for seen in google.seen if seen.operation == "messages.get"]
    assert [seen.query["format"] for seen in asked] == [["minimal"], ["minimal"]]


async def test_spam_and_trash_are_listed(mailbox: GmailMailbox, source: GmailSource) -> None:
    spam, trash = mailbox.deliver(mail(1), ["SPAM"]), mailbox.deliver(mail(2), ["TRASH"])
    found, _ = await everything(source)
    assert {one.id for one in found} == {spam, trash}


async def test_history_ids_have_gaps_and_the_last_page_gives_the_cursor(
    mailbox: GmailMailbox, account: GmailAccount
) -> None:
    start = str(mailbox.history_id)
    ids = [mailbox.deliver(mail(n)) for n in range(5)]
    source = GmailSource(account, page=2)
    cursor, seen, rounds = start, [], 0
    while True:
        changes = await source.changes(None, cursor)
        seen += [one.id for one in changes.changed]
        cursor, rounds = changes.cursor, rounds + 1
        if not changes.more:
            break
    assert (seen, rounds) == (ids, 3)
    assert cursor == str(mailbox.history_id)
    assert int(cursor) > int(start) + 5  # not contiguous
    again = await source.changes(None, cursor)
    assert (again.changed, again.gone, again.cursor, again.more) == ((), (), cursor, False)


async def test_a_page_in_the_middle_does_not_skip_what_follows(mailbox: GmailMailbox, account: GmailAccount) -> None:
    """Whoever dies after storing a middle page's cursor goes on behind that page, and with the mailbox as it is then."""
    start = str(mailbox.history_id)
    ids = [mailbox.deliver(mail(n)) for n in range(4)]
    middle = await GmailSource(account, page=2).changes(None, start)
    later = mailbox.deliver(mail(9))
    rest = await GmailSource(account, page=500).changes(None, middle.cursor)
    assert middle.more
    assert [one.id for one in middle.changed + rest.changed] == [*ids, later]


async def test_an_outdated_page_token_of_the_history_begins_again(mailbox: GmailMailbox, source: GmailSource) -> None:
    start = mailbox.history_id
    one = mailbox.deliver(mail(1))
    changes = await source.changes(None, f"{start}:no-such-page")
    assert [found.id for found in changes.changed] == [one]


async def test_start_history_id_too_old_is_cursor_expired(mailbox: GmailMailbox, source: GmailSource) -> None:
    cursor = str(mailbox.history_id)
    mailbox.deliver(mail(1))
    mailbox.forget_history()
    with pytest.raises(CursorExpired) as caught:
        await source.changes(None, cursor)
    assert not caught.value.transient


@pytest.mark.parametrize("status", [404, 410])
async def test_404_and_410_of_the_history_are_cursor_expired(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource, status: int
) -> None:
    google.faults.plan("history.list", status=status)
    with pytest.raises(CursorExpired):
        await source.changes(None, str(mailbox.history_id))


@pytest.mark.parametrize("cursor", ["nonsense", "-1x", ""])
async def test_a_cursor_that_never_was_one_is_expired(mailbox: GmailMailbox, source: GmailSource, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        await source.changes(None, cursor)


async def test_an_account_without_gmail_is_not_an_expired_cursor(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource
) -> None:
    google.mailboxes.clear()
    with pytest.raises(Refused) as caught:
        await source.changes(None, "1")
    assert caught.value.reason == "mail_service_off"


async def test_refused_items_of_a_batch_make_the_waits_longer(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource, nap
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(3)]
    google.faults.plan("messages.get", status=429, times=999)
    with pytest.raises(Throttled) as caught:
        await source.fetch(ids)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 5  # 1, 2, 4, 8, 16 seconds with jitter: not five times the first


@pytest.mark.parametrize("after", ["1000:5:not-a-token", "nonsense", "1000:5:"])
async def test_a_listing_place_that_is_not_understood_is_expired(
    mailbox: GmailMailbox, source: GmailSource, after: str
) -> None:
    with pytest.raises(CursorExpired):
        await source.listing(None, after)


async def test_a_history_entry_of_a_deleted_mail_is_gone(mailbox: GmailMailbox, source: GmailSource) -> None:
    cursor = str(mailbox.history_id)
    kept, lost = mailbox.deliver(mail(1)), mailbox.deliver(mail(2))
    mailbox.delete(lost)
    changes = await source.changes(None, cursor)
    assert [one.id for one in changes.changed] == [kept]
    assert changes.gone == (lost,)


async def test_a_mail_deleted_before_it_is_read_is_gone(mailbox: GmailMailbox, source: GmailSource) -> None:
    first, second = mailbox.deliver(mail(1)), mailbox.deliver(mail(2))
    mailbox.delete(first)
    answers = await source.fetch([first, second])
    assert [(a.mail.id, a.missing) for a in answers] == [(first, "gone"), (second, None)]


async def test_unread_is_the_inverse_of_seen(mailbox: GmailMailbox, source: GmailSource) -> None:
    unread, read = mailbox.deliver(mail(1)), mailbox.deliver(mail(2), ["INBOX", "STARRED"])
    answers = await source.fetch([unread, read])
    assert [a.mail.flags for a in answers] == [frozenset(), frozenset({"\\Seen", "\\Flagged"})]
    assert answers[1].mail.labels == {"INBOX", "STARRED"}


async def test_label_changes_replay_to_the_last_state(mailbox: GmailMailbox, source: GmailSource) -> None:
    one = mailbox.deliver(mail(1))
    cursor = str(mailbox.history_id)
    label = mailbox.add_label("billing")
    mailbox.modify(one, add=[label])
    mailbox.modify(one, remove=["UNREAD"])
    mailbox.modify(one, add=["STARRED"], remove=["INBOX"])
    (changed,) = (await source.changes(None, cursor)).changed
    assert changed.labels == {label, "STARRED"}
    assert changed.flags == {"\\Seen", "\\Flagged"}


async def test_a_mail_read_and_archived_has_no_label_left(mailbox: GmailMailbox, source: GmailSource) -> None:
    """On the wire the empty list is left out, which must not read as "nothing was said"."""
    one = mailbox.deliver(mail(1))
    cursor = str(mailbox.history_id)
    mailbox.modify(one, remove=["INBOX", "UNREAD"])
    (changed,) = (await source.changes(None, cursor)).changed
    assert (changed.labels, changed.flags) == (frozenset(), frozenset({"\\Seen"}))


async def test_an_edited_draft_is_another_mail(mailbox: GmailMailbox, source: GmailSource) -> None:
    draft = mailbox.create_draft(mail(1), None)
    old, cursor = mailbox.drafts[draft], str(mailbox.history_id)
    new = mailbox.edit_draft(draft, mail(2))
    changes = await source.changes(None, cursor)
    assert changes.gone == (old,)
    assert [(m.id, m.flags) for m in changes.changed] == [(new, frozenset({"\\Draft", "\\Seen"}))]


async def test_whole_mailbox_history_sees_a_reply_without_the_threads_labels(
    mailbox: GmailMailbox, source: GmailSource
) -> None:
    label = mailbox.add_label("support")
    first = mailbox.deliver(mail(1), ["INBOX", label])
    cursor = str(mailbox.history_id)
    reply = mailbox.deliver(mail(2, extra="In-Reply-To: <m1@example.org>\r\n"))
    assert mailbox.mails[reply].thread_id == mailbox.mails[first].thread_id
    assert [m.id for m in (await source.changes(None, cursor)).changed] == [reply]
    assert (await source.changes(label, cursor)).changed == ()  # what a filter would have shown


async def test_labels_are_folders_by_id_with_their_roles(mailbox: GmailMailbox, source: GmailSource) -> None:
    label = mailbox.add_label("Kunden/Straße")
    folders = {folder.path: folder for folder in await source.folders()}
    assert folders[label].name == "Kunden/Straße"
    assert {path: folder.role for path, folder in folders.items() if folder.role is not Role.OTHER} == {
        "INBOX": Role.INBOX,
        "SENT": Role.SENT,
        "DRAFT": Role.DRAFTS,
        "SPAM": Role.JUNK,
        "TRASH": Role.TRASH,
    }
    assert "UNREAD" not in folders
    mailbox.labels[label] = "renamed"
    assert {f.path: f.name for f in await source.folders()}[label] == "renamed"


async def test_raw_octets_come_unchanged_with_date_and_thread(mailbox: GmailMailbox, source: GmailSource) -> None:
    raw = bytes(range(256)) * 20 + b"\r\n\r\n\x00\xff\n"
    one = mailbox.deliver(raw, at=1_700_000_000.5)
    (answer,) = await source.fetch([one])
    assert answer.raw == raw
    assert answer.mail.thread_id == mailbox.mails[one].thread_id
    assert answer.mail.received_at is not None
    assert answer.mail.received_at.timestamp() == 1_700_000_000.5


async def test_answers_come_in_the_order_asked_even_for_the_same_id_twice(
    mailbox: GmailMailbox, source: GmailSource
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(60)]
    asked = [*ids[::-1], ids[3]]
    answers = await source.fetch(asked)
    assert [a.mail.id for a in answers] == asked
    assert [a.raw for a in answers] == [mailbox.mails[one].raw for one in asked]


async def test_batches_stay_below_the_cap(mailbox: GmailMailbox, google: GmailServer, source: GmailSource) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(150)]
    assert all(a.raw for a in await source.fetch(ids))
    assert google.calls("batch") >= 3  # never more than fifty together
    assert google.calls("messages.get") == 150


async def test_one_mail_that_google_cannot_give_is_unreadable_and_stops_no_other(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(5)]
    google.faults.plan("messages.get", status=500, item=ids[2], times=99)
    answers = await source.fetch(ids)
    assert [a.missing for a in answers] == [None, None, "unreadable", None, None]


async def test_a_lone_mail_that_google_cannot_give_is_unreadable_while_google_works(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource
) -> None:
    one = mailbox.deliver(mail(1))
    google.faults.plan("messages.get", status=500, item=one, times=99)
    (answer,) = await source.fetch([one])
    assert answer.missing == "unreadable"


async def test_an_outage_is_not_the_mails_fault(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(3)]
    google.faults.plan("*", status=503, times=999)
    with pytest.raises(Unreachable):
        await source.fetch(ids)


async def test_items_of_a_batch_fail_singly_and_are_asked_again(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, source: GmailSource
) -> None:
    ids = [mailbox.deliver(mail(n)) for n in range(6)]
    google.faults.plan("messages.get", status=429, reason="rateLimitExceeded", item=ids[1])
    google.faults.plan("messages.get", status=403, reason="userRateLimitExceeded", item=ids[4])
    answers = await source.fetch(ids)
    assert all(a.raw for a in answers)
    assert account.budget.rate < account.budget.limits.units_per_second


async def test_a_tight_quota_is_met_without_giving_up(
    mailbox: GmailMailbox, google: GmailServer, new_account: Callable[..., GmailAccount], nap: object
) -> None:
    """Google allows 100 units a minute where we believed in 250 a second: the rate sinks until it fits, all mails come."""
    ids = [mailbox.deliver(mail(n)) for n in range(40)]
    quota = google.quotas[ADDRESS]
    quota.clock = nap.clock  # type: ignore[attr-defined]
    quota.limit, quota.window = 100, 1.0
    source = GmailSource(new_account(limits=QuotaLimits(units_per_second=1000.0)))
    assert all(a.raw for a in await source.fetch(ids))
    assert quota.refused > 0
    assert quota.refused < 200


async def test_a_mail_too_large_for_us_is_told_apart(mailbox: GmailMailbox, account: GmailAccount) -> None:
    small, large = mailbox.deliver(mail(1)), mailbox.deliver(mail(2, body="x" * 300_000))
    answers = await GmailSource(account, max_octets=100_000).fetch([small, large])
    assert [a.missing for a in answers] == [None, "too_large"]


async def test_a_batch_with_too_many_octets_is_halved_until_it_fits(
    mailbox: GmailMailbox, google: GmailServer, source: GmailSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BATCH_OCTETS", 100_000)
    ids = [mailbox.deliver(mail(n, body="x" * 60_000)) for n in range(9)]
    answers = await source.fetch(ids)
    assert [len(a.raw or b"") > 60_000 for a in answers] == [True] * 9
    assert google.calls("messages.get") < 60


async def test_metadata_scope_alone_is_named(
    mailbox: GmailMailbox, google: GmailServer, new_account: Callable[..., GmailAccount]
) -> None:
    token = google.oauth.access_token(ADDRESS, ("https://www.googleapis.com/auth/gmail.labels",))
    with pytest.raises(AuthFailed) as caught:
        await GmailSource(new_account(token)).changes(None, "1")
    assert caught.value.reason == "scope_missing"
