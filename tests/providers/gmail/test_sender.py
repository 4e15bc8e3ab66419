"""Sending in two calls so that the outcome can be decided: every fault ends in one accepted mail, or in doubt, never in two."""

from collections.abc import Callable

import pytest

from providers.errors import (
    AuthFailed,
    ProtocolBroken,
    ProviderError,
    Refused,
    Throttled,
    TooLarge,
    Unreachable,
)
from providers.gmail.account import GmailAccount
from providers.gmail.sender import MAX_OCTETS, GmailSender
from providers.mail_api import MailApiSender
from tests.providers.gmail.conftest import ADDRESS, mail
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer

OUR_ID = "<m1@example.org>"


async def test_draft_then_send_keeps_octets_and_message_id(mailbox: GmailMailbox, sender: GmailSender) -> None:
    held: MailApiSender = sender
    draft = await held.prepare(mail(1))
    assert mailbox.accepted == []
    sent = await held.submit(draft)
    (accepted,) = mailbox.accepted
    assert accepted.raw == mail(1)
    assert (sent.id, sent.message_id_header) == (accepted.id, OUR_ID)
    assert mailbox.drafts == {}


async def test_a_reply_stays_in_its_thread(mailbox: GmailMailbox, sender: GmailSender) -> None:
    """threadId, References into the thread and the same subject: all three, or Gmail begins another thread."""
    asked = mailbox.deliver(mail(7, subject="A question"))
    thread = mailbox.mails[asked].thread_id
    reply = mail(1, subject="Re: A question", extra="In-Reply-To: <m7@example.org>\r\nReferences: <m7@example.org>\r\n")
    sent = await sender.submit(await sender.prepare(reply, thread_id=thread))
    assert sent.thread_id == thread


@pytest.mark.parametrize("octets", [b"plain text ", "Grüße \N{GRINNING FACE} ".encode(), b"\xe9\xff 8-bit "])
async def test_large_mail_goes_by_upload_and_keeps_its_thread(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount, octets: bytes
) -> None:
    asked = mailbox.deliver(mail(7, subject="Big"))
    thread = mailbox.mails[asked].thread_id
    head = mail(1, subject="Re: Big", extra="References: <m7@example.org>\r\n")
    raw = head + octets * 20_000
    sender = GmailSender(account, upload_from=100_000)
    sent = await sender.submit(await sender.prepare(raw, thread_id=thread))
    assert mailbox.accepted[0].raw == raw
    assert sent.thread_id == thread
    assert google.calls("drafts.create.upload") == 1


async def test_an_upload_that_breaks_off_leaves_nothing_that_goes_out(
    mailbox: GmailMailbox, google: GmailServer, account: GmailAccount
) -> None:
    sender = GmailSender(account, upload_from=1000)
    google.faults.plan("drafts.create", reset=True, after_accept=True)
    with pytest.raises(Unreachable):
        await sender.prepare(mail(1) + b"x" * 5000)
    assert mailbox.accepted == []
    assert len(mailbox.drafts) == 1  # unsent, and nobody knows it: the next try makes its own


async def test_a_thread_that_is_gone_does_not_hold_the_mail_up(mailbox: GmailMailbox, sender: GmailSender) -> None:
    sent = await sender.submit(await sender.prepare(mail(1), thread_id="deadbeef"))
    assert sent.thread_id == mailbox.mails[sent.id].thread_id


async def test_too_large_is_said_before_anything_is_sent(google: GmailServer, sender: GmailSender) -> None:
    with pytest.raises(TooLarge):
        await sender.prepare(b"x" * (MAX_OCTETS + 1))
    assert google.seen == []


async def test_message_id_is_read_back_after_send(mailbox: GmailMailbox, sender: GmailSender) -> None:
    mailbox.rewrite_message_id = True
    sent = await sender.submit(await sender.prepare(mail(1)))
    assert sent.message_id_header == mailbox.mails[sent.id].header("Message-ID") != OUR_ID


async def test_a_failed_read_back_does_not_unsend(
    mailbox: GmailMailbox, google: GmailServer, sender: GmailSender
) -> None:
    draft = await sender.prepare(mail(1))
    google.faults.plan("messages.get", status=500, times=99)
    sent = await sender.submit(draft)
    assert (len(mailbox.accepted), sent.message_id_header) == (1, None)


AMBIGUOUS = [
    {"status": 500, "after_accept": True},
    {"status": 503, "after_accept": True},
    {"reset": True, "after_accept": True},
    {"status": 500},
    {"reset": True},
]


@pytest.mark.parametrize("lag", [0, 45])
@pytest.mark.parametrize("rewritten", [False, True])
@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda f: "-".join(f"{k}={v}" for k, v in f.items()))
async def test_an_ambiguous_answer_is_decided_by_the_trace(
    mailbox: GmailMailbox, google: GmailServer, sender: GmailSender, fault: dict[str, object], rewritten: bool, lag: int
) -> None:
    """Also while the search lags and with a rewritten Message-ID: the thread tells, at once."""
    mailbox.search_lag, mailbox.rewrite_message_id = lag, rewritten
    asked = mailbox.deliver(mail(7, subject="Q"))
    raw = mail(1, subject="Re: Q", extra="References: <m7@example.org>\r\n")
    draft = await sender.prepare(raw, thread_id=mailbox.mails[asked].thread_id)
    google.faults.plan("drafts.send", **fault)
    with pytest.raises(ProviderError) as caught:
        await sender.submit(draft)
    assert caught.value.transient
    assert google.calls("drafts.send") == 1  # never repeated by itself
    trace = await sender.trace(draft, OUR_ID)
    if fault.get("after_accept"):
        assert trace.state == "sent"
        assert trace.mail is not None
        assert trace.mail.id == mailbox.accepted[0].id
        assert (trace.mail.message_id_header != OUR_ID) is rewritten
    else:
        assert trace.state == "draft"
        await sender.submit(draft)
    assert len(mailbox.accepted) == 1


async def test_submitting_twice_is_not_sending_twice(mailbox: GmailMailbox, sender: GmailSender) -> None:
    draft = await sender.prepare(mail(1))
    await sender.submit(draft)
    with pytest.raises(ProtocolBroken) as caught:
        await sender.submit(draft)
    assert (caught.value.reason, caught.value.transient) == ("draft_gone", True)
    assert (await sender.trace(draft, OUR_ID)).state == "sent"
    assert len(mailbox.accepted) == 1


async def test_a_vanished_draft_proves_nothing(mailbox: GmailMailbox, sender: GmailSender) -> None:
    draft = await sender.prepare(mail(1))
    mailbox.delete(next(iter(mailbox.drafts.values())))
    with pytest.raises(ProtocolBroken):
        await sender.submit(draft)
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"


async def test_rfc822msgid_index_lags_and_then_finds_it(
    mailbox: GmailMailbox, google: GmailServer, sender: GmailSender
) -> None:
    """Where even the thread is another one, only the search is left, and it is 45 seconds late."""
    mailbox.search_lag = 45
    draft = await sender.prepare(mail(1))
    sent = await sender.submit(draft)
    mailbox.mails[sent.id].thread_id = "split-off-by-gmail"
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"
    google.advance(46)
    trace = await sender.trace(draft, OUR_ID)
    assert trace.state == "sent"
    assert trace.mail is not None
    assert trace.mail.id == sent.id


async def test_another_sent_mail_of_the_thread_is_not_ours(mailbox: GmailMailbox, sender: GmailSender) -> None:
    asked = mailbox.deliver(mail(7, subject="Q"))
    thread = mailbox.mails[asked].thread_id
    extra = "References: <m7@example.org>\r\n"
    draft = await sender.prepare(mail(1, subject="Re: Q", extra=extra), thread_id=thread)
    mailbox.send(mail(2, subject="Re: Q", extra=extra), thread)
    mailbox.delete(next(iter(mailbox.drafts.values())))
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"


async def test_an_edited_draft_is_still_found(mailbox: GmailMailbox, sender: GmailSender) -> None:
    """Editing gives the draft another message id; its own id stays."""
    draft = await sender.prepare(mail(1))
    mailbox.edit_draft(next(iter(mailbox.drafts)), mail(1, body="edited"))
    assert (await sender.trace(draft, OUR_ID)).state == "draft"


@pytest.mark.parametrize(
    "header", ['<a"b@example.org>', "<a b@example.org>", "no-brackets@example.org", "<x> in:inbox", "<a)b@example.org>"]
)
async def test_a_message_id_that_could_end_the_search_is_not_searched_for(
    mailbox: GmailMailbox, google: GmailServer, sender: GmailSender, header: str
) -> None:
    draft = await sender.prepare(mail(1))
    mailbox.delete(next(iter(mailbox.drafts.values())))
    assert (await sender.trace(draft, header)).state == "nowhere"
    assert google.calls("messages.list") == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 429, "retry_after": 7}, Throttled),
        ({"status": 403, "reason": "userRateLimitExceeded"}, Throttled),
        ({"status": 403, "reason": "dailyLimitExceeded"}, Throttled),
        ({"status": 400}, Refused),
        ({"status": 403, "reason": "insufficientPermissions"}, AuthFailed),
        ({"status": 413}, TooLarge),
    ],
)
async def test_a_clear_refusal_is_not_accepted_and_the_draft_stays(
    mailbox: GmailMailbox, google: GmailServer, sender: GmailSender, fault: dict[str, object], error: type[ProviderError]
) -> None:
    draft = await sender.prepare(mail(1))
    google.faults.plan("drafts.send", **fault)
    with pytest.raises(error) as caught:
        await sender.submit(draft)
    if "retry_after" in fault:
        assert caught.value.retry_after == 7
    assert "secret words" not in f"{caught.value!r} {caught.value}"
    assert mailbox.accepted == []
    assert (await sender.trace(draft, OUR_ID)).state == "draft"


async def test_a_mail_without_a_recipient_is_refused_for_good(sender: GmailSender) -> None:
    draft = await sender.prepare(b"From: team@example.com\r\nMessage-ID: <m1@example.org>\r\n\r\nhello\r\n")
    with pytest.raises(Refused) as caught:
        await sender.submit(draft)
    assert caught.value.reason == "message_refused"


async def test_an_expired_token_is_renewed_and_the_mail_sent_once(
    google: GmailServer, mailbox: GmailMailbox, new_account: Callable[..., GmailAccount]
) -> None:
    account = new_account()
    sender = GmailSender(account)
    draft = await sender.prepare(mail(1))
    google.oauth.expire_access(ADDRESS)
    with pytest.raises(AuthFailed) as caught:
        await sender.submit(draft)
    assert caught.value.reason == "token_refused"
    assert mailbox.accepted == []
    await GmailSender(new_account()).submit(draft)
    assert len(mailbox.accepted) == 1


async def test_discard_removes_the_draft_and_may_come_twice(mailbox: GmailMailbox, sender: GmailSender) -> None:
    draft = await sender.prepare(mail(1))
    await sender.discard(draft)
    await sender.discard(draft)
    assert mailbox.drafts == {}


async def test_an_id_that_is_no_draft_of_ours_is_refused(google: GmailServer, sender: GmailSender) -> None:
    with pytest.raises(Refused):
        await sender.submit("r-123")
    assert google.seen == []
