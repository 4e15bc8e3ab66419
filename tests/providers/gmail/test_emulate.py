"""The Gmail provider against `emulate`, a stand-in that others wrote: an outside opinion on wire formats.

Left to our own stand-in, because emulate has it not or otherwise than Google documents:
- no `users.getProfile`, so a listing here begins at the history id that a watch tells;
- no batches (a mail is fetched alone), no resumable upload (drafts stay below 3 MB), no search by `rfc822msgid:`;
- any token passes and no quota ends; `history.list` knows every start for ever, so nothing expires and nothing is throttled;
- `format=full` invents headers; only `raw` and `metadata` are used anyway;
- `drafts.send` and `messages.send` deliver to nobody, garbage and mails without a recipient are taken;
- a history id has 21 digits, more than the documented unsigned 64 bits: ours are text, so they hold;
- a watch lasts a day instead of seven, and announces nothing;
- a draft that is sent keeps its message's id, where Google's guide to drafts promises a new one; a second label of a name is
  400 instead of 409; SENT may be added to a mail, and a change of nothing is no error.
"""

import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.errors import NotThere
from providers.gmail.account import GmailAccount
from providers.gmail.aliases import list_aliases
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.mail_state import GmailMailState
from providers.gmail.sender import GmailSender
from providers.gmail.source import GmailSource
from providers.gmail.watch import GmailWatch
from providers.imap.values import Role
from providers.mail_api import CursorExpired
from providers.secret import Secret
from tests.servers.emulate import ADDRESS, Emulate, needs_emulate

pytestmark = [pytest.mark.emulate, needs_emulate]


def fresh(*, extra: str = "", body: str = "body") -> tuple[bytes, str]:
    """A mail and its Message-ID that no other test has: the mailbox is shared."""
    message_id = f"<{uuid.uuid4().hex}@example.org>"
    text = f"From: {ADDRESS}\r\nTo: ann@example.org\r\nSubject: Printer\r\nMessage-ID: {message_id}\r\n{extra}\r\n{body}\r\n"
    return text.encode(), message_id


@pytest_asyncio.fixture(loop_scope="session")
async def outside(emulated_google: Emulate, local_policy: EgressPolicy) -> AsyncIterator[GmailAccount]:
    async def access_token() -> Secret:
        return Secret("any")

    account = GmailAccount(access_token, endpoint=GmailEndpoint(emulated_google.url, local_policy))
    yield account
    await account.close()


async def now(account: GmailAccount) -> str:
    """Where the history is: emulate has no profile that would say so."""
    return (await GmailWatch(account, "projects/p/topics/t").start()).history_id


async def test_a_mail_goes_out_by_its_draft_and_is_read_back(outside: GmailAccount) -> None:
    source, sender = GmailSource(outside), GmailSender(outside)
    start = await now(outside)
    raw, message_id = fresh(extra="X-Odd: kept\r\nList-Id: <l.example.org>\r\n", body="=?bytes stay bytes?= \r\n.\r\n" + "x" * 3000)
    draft = await sender.prepare(raw)
    assert (await sender.trace(draft, message_id)).state == "draft"
    sent = await sender.submit(draft)
    assert sent.message_id_header == message_id
    trace = await sender.trace(draft, message_id)
    assert trace.state == "sent"
    assert trace.mail is not None
    assert (trace.mail.id, trace.mail.thread_id) == (sent.id, sent.thread_id)
    changes = await source.changes(None, start)
    assert sent.id in {one.id for one in changes.changed}
    (found,) = await source.fetch([sent.id])
    assert re.sub(rb"\r?\n", b"\n", found.raw or b"") == raw.replace(b"\r\n", b"\n")
    assert found.mail.labels is not None
    assert "SENT" in found.mail.labels
    assert "DRAFT" not in found.mail.labels


async def test_an_answer_stays_in_its_thread(outside: GmailAccount) -> None:
    sender = GmailSender(outside)
    raw, message_id = fresh()
    first = await sender.submit(await sender.prepare(raw))
    raw, second_id = fresh(extra=f"In-Reply-To: {message_id}\r\nReferences: {message_id}\r\n")
    draft = await sender.prepare(raw, thread_id=first.thread_id)
    second = await sender.submit(draft)
    assert second.thread_id == first.thread_id
    trace = await sender.trace(draft, second_id)  # two sent mails lie in the thread: ours is known by its Message-ID
    assert trace.mail is not None
    assert trace.mail.id == second.id


async def test_a_draft_that_was_thrown_away_is_nowhere(outside: GmailAccount) -> None:
    sender = GmailSender(outside)
    raw, message_id = fresh()
    draft = await sender.prepare(raw)
    await sender.discard(draft)
    await sender.discard(draft)
    assert (await sender.trace(draft, message_id)).state == "nowhere"


async def test_the_history_tells_labels_and_what_is_deleted_page_by_page(outside: GmailAccount) -> None:
    source, state, sender = GmailSource(outside, page=1), GmailMailState(outside), GmailSender(outside)
    start = await now(outside)
    sent = [await sender.submit(await sender.prepare(fresh()[0])) for _ in range(2)]
    await state.set_read(sent[0].id, read=False)
    await state.place(sent[1].id, Role.TRASH)
    changed, gone, cursor, more = {}, set(), start, True
    while more:
        page = await source.changes(None, cursor)
        changed |= {one.id: one for one in page.changed}
        gone |= set(page.gone)
        cursor, more = page.cursor, page.more
    assert {one.id for one in sent} <= set(changed)
    assert "UNREAD" in (changed[sent[0].id].labels or ())
    assert "TRASH" in (changed[sent[1].id].labels or ())
    assert cursor.isdigit()
    assert int(cursor) > int(start)
    again = await source.changes(None, cursor)
    assert (again.changed, again.gone, again.more) == ((), (), False)


async def test_the_listing_goes_on_from_a_page_and_has_everything_once(outside: GmailAccount) -> None:
    source, sender = GmailSource(outside, page=2), GmailSender(outside)
    sent = {(await sender.submit(await sender.prepare(fresh()[0]))).id for _ in range(3)}
    start = await now(outside)
    seen: list[str] = []
    after: str | None = f"{start}::0"  # emulate's page tokens are offsets
    while after is not None:
        page = await source.listing(None, after)
        assert page.cursor == start
        seen += [one.id for one in page.mails]
        after = page.after
    assert len(seen) == len(set(seen))
    assert sent <= set(seen)
    with pytest.raises(CursorExpired):
        await source.listing(None, "not:ours")


async def test_state_labels_folders_and_aliases(outside: GmailAccount) -> None:
    state, source = GmailMailState(outside), GmailSource(outside)
    sent = await GmailSender(outside).submit(await GmailSender(outside).prepare(fresh()[0]))
    billing = await state.ensure_label("Billing")
    assert await GmailMailState(outside).ensure_label("billing") == billing
    assert billing in ((await state.set_label(sent.id, "Billing", on=True)).mail.labels or ())
    assert billing not in ((await state.set_label(sent.id, "billing", on=False)).mail.labels or ())
    for role in (Role.INBOX, Role.JUNK, Role.INBOX, Role.TRASH, Role.ARCHIVE, Role.INBOX):
        assert (await state.place(sent.id, role)).role is role
        assert (await state.now(sent.id)).role is role
    after = await state.set_read(sent.id, read=False)
    assert after.mail.thread_id == sent.thread_id
    assert "UNREAD" in (after.mail.labels or ())
    with pytest.raises(NotThere):
        await state.set_read("0000000000000000", read=True)
    assert {Role.INBOX, Role.SENT, Role.JUNK, Role.TRASH} <= {folder.role for folder in await source.folders()}
    assert any(alias.primary and alias.address == ADDRESS for alias in await list_aliases(outside))
    (gone,) = await source.fetch(["0000000000000000"])
    assert gone.missing == "gone"
