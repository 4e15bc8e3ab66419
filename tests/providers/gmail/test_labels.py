"""Labels written back, watches and aliases, each named for its rule."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from providers.errors import NotThere, Refused
from providers.gmail.account import GmailAccount
from providers.gmail.aliases import list_aliases
from providers.gmail.mail_state import GmailMailState
from providers.gmail.source import GmailSource
from providers.gmail.watch import GmailWatch
from providers.imap.values import Role
from tests.providers.gmail.conftest import ADDRESS, mail
from tests.servers.gmail_mailbox import GmailMailbox, SendAs
from tests.servers.gmail_server import GmailServer

TOPIC = "projects/mailroom-test/topics/gmail"


@pytest.fixture
def labels(account: GmailAccount) -> GmailMailState:
    return GmailMailState(account)


async def test_same_label_in_add_and_remove_is_refused_before_asking(
    mailbox: GmailMailbox, google: GmailServer, labels: GmailMailState
) -> None:
    one = mailbox.deliver(mail())
    with pytest.raises(Refused) as caught:
        await labels.modify(one, add=["INBOX", "STARRED"], remove=["STARRED"])
    assert caught.value.reason == "label_in_both"
    assert google.seen == []


async def test_what_gmail_keeps_itself_is_not_asked_for(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail())
    for label in ("SENT", "DRAFT"):
        with pytest.raises(Refused):
            await labels.modify(one, add=[label])
    with pytest.raises(Refused):
        await labels.modify(one)


async def test_seen_removes_unread_and_back(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail())
    assert (await labels.set_read(one, read=True)).mail.flags == {"\\Seen"}
    assert (await labels.set_read(one, read=False)).mail.labels == {"INBOX", "UNREAD"}


async def test_archive_spam_trash_and_back(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail(), ["INBOX"])
    held = mailbox.mails[one].labels
    for role, left in (
        (Role.ARCHIVE, set()), (Role.JUNK, {"SPAM"}), (Role.INBOX, {"INBOX"}), (Role.TRASH, {"TRASH"}), (Role.INBOX, {"INBOX"})
    ):  # fmt: skip
        assert (await labels.place(one, role)).role is role
        assert held == left
        assert (await labels.now(one)).role is role
    with pytest.raises(Refused):
        await labels.place(one, Role.SENT)
    assert (await labels.set_flagged(one, flagged=True)).mail.flags == {"\\Seen", "\\Flagged"}


async def test_delete_is_trash_only(mailbox: GmailMailbox, labels: GmailMailState, source: GmailSource) -> None:
    one = mailbox.deliver(mail())
    await labels.place(one, Role.TRASH)
    assert one in mailbox.mails
    assert [m.id for m in (await source.listing(None)).mails] == [one]  # hidden from those who do not ask for the bin


async def test_writing_twice_is_writing_once(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail())
    await labels.place(one, Role.ARCHIVE)
    cursor = mailbox.history_id
    await labels.place(one, Role.ARCHIVE)
    assert mailbox.history_id == cursor


async def test_a_mail_that_is_gone_is_said_so(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail())
    mailbox.delete(one)
    for role in (Role.ARCHIVE, Role.TRASH):
        with pytest.raises(NotThere):
            await labels.place(one, role)
    with pytest.raises(NotThere):
        await labels.now(one)


async def test_our_own_change_comes_back_as_an_echo(
    mailbox: GmailMailbox, labels: GmailMailState, source: GmailSource
) -> None:
    """The history shows it like anybody's change; the answer to the write tells the state to compare it with."""
    one = mailbox.deliver(mail())
    cursor = str(mailbox.history_id)
    written = (await labels.set_read(one, read=True)).mail
    (echo,) = (await source.changes(None, cursor)).changed
    assert (echo.id, echo.labels) == (written.id, written.labels)


async def test_a_label_is_made_once_and_found_by_name(
    mailbox: GmailMailbox, google: GmailServer, labels: GmailMailState
) -> None:
    first = await labels.ensure_label("Billing")
    assert await labels.ensure_label("billing") == first
    google.faults.plan("labels.create", status=500, after_accept=True)  # made, but the answer is lost
    second = await labels.ensure_label("Returns")
    assert mailbox.labels == {first: "Billing", second: "Returns"}


async def test_labels_are_put_on_and_taken_off_by_name(mailbox: GmailMailbox, labels: GmailMailState) -> None:
    one = mailbox.deliver(mail(), ["INBOX"])
    for _ in range(2):
        on = (await labels.set_label(one, "Billing", on=True)).mail.labels or frozenset()
        assert {mailbox.labels[i] for i in on - {"INBOX"}} == {"Billing"}
    for name in ("BILLING", "never made"):
        assert (await labels.set_label(one, name, on=False)).mail.labels == {"INBOX"}
    assert list(mailbox.labels.values()) == ["Billing"]


async def test_a_watch_is_granted_for_the_whole_mailbox_until_the_given_end(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount
) -> None:
    mailbox.deliver(mail())
    watch = GmailWatch(account, TOPIC)
    grant = await watch.start()
    assert grant.history_id == str(mailbox.history_id)
    now = datetime.fromtimestamp(google.now(), UTC)
    assert timedelta(days=6, hours=23) < grant.expires_at - now <= timedelta(days=7)
    assert mailbox.watch is not None
    assert mailbox.watch.labels == ()
    mailbox.deliver(mail(2))
    assert mailbox.notifications == [{"emailAddress": ADDRESS, "historyId": str(mailbox.history_id)}]


async def test_a_watch_is_renewed_before_its_end_and_lapses_without(
    mailbox: GmailMailbox, google: GmailServer, new_account: Callable[..., GmailAccount]
) -> None:
    watch = GmailWatch(new_account(google.oauth.access_token(ADDRESS, lifetime=30 * 86_400)), TOPIC)
    first = await watch.start()
    google.advance(86_400)
    second = await watch.start()
    assert second.expires_at - first.expires_at >= timedelta(days=1)
    google.advance(8 * 86_400)
    mailbox.deliver(mail())
    assert mailbox.notifications == []


async def test_stop_ends_the_watch_and_may_come_twice(mailbox: GmailMailbox, account: GmailAccount) -> None:
    watch = GmailWatch(account, TOPIC)
    await watch.start()
    await watch.stop()
    await watch.stop()
    assert mailbox.watch is None


@pytest.mark.parametrize(("topic", "status"), [("not-a-topic", None), (TOPIC, 403), (TOPIC, 404)])
async def test_a_topic_that_google_may_not_publish_to_names_the_remedy(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, topic: str, status: int | None
) -> None:
    if status:
        google.faults.plan("watch", status=status)
    with pytest.raises(Refused) as caught:
        await GmailWatch(account, topic).start()
    assert caught.value.reason == "topic_refused"
    assert "gmail-api-push@system.gserviceaccount.com" in caught.value.sentence


async def test_aliases_are_listed_with_what_may_be_used(mailbox: GmailMailbox, account: GmailAccount) -> None:
    mailbox.send_as += [
        SendAs("sales@example.com", "Sales", reply_to="team@example.com"),
        SendAs("new@example.com", verified=False),
    ]
    found = {alias.address: alias for alias in await list_aliases(account)}
    assert (found[ADDRESS].primary, found[ADDRESS].default, found[ADDRESS].usable) == (True, True, True)
    sales = found["sales@example.com"]
    assert (sales.name, sales.reply_to, sales.primary, sales.usable) == ("Sales", "team@example.com", False, True)
    assert not found["new@example.com"].usable
