"""Settles a doubt about a mail that left through a web API by looking for its draft: gone out, still there, or nowhere.

Gone out and nowhere are told to the flow. Still there is proof that it was not sent, once no request of the attempt can be
running any more: the row is queued again, and its next attempt sends that same draft. Dies between looking and writing: the
next look finds the same. Runs twice or late: the move is fenced by the attempt's number.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from activities.deliver_api import SUBMIT_SECONDS
from activities.outbound_compose import run_id
from contracts.failpoints import Failpoint, reached
from contracts.outbound import VerifyOutcome, VerifyReport
from contracts.timing import DEFERRED_FIRST, DEFERRED_LAST, GIVE_UP_AFTER
from providers.mail_api import MailApiSender
from rules.send_retry import next_wait
from store.api_drafts import ApiDraft, note_sent, read_draft
from store.outbound_outcomes import End, settle_unsent
from store.unit_of_work import Database

# After the attempt said that it does not know, its request has ended here; this long it may still be worked on over there.
AFTER_ITS_END = dt.timedelta(seconds=30)
# An attempt that said nothing may be alive and cut off: its request ends by itself.
AFTER_ITS_DOT = dt.timedelta(seconds=SUBMIT_SECONDS + 10)
UNSENT = "The provider did not send it: it lies among the drafts. It is sent again from there by itself."
GIVEN_UP = "Given up after two days. The provider did not send it: it lies among the drafts."


async def look_for_draft(
    database: Database,
    sender: MailApiSender,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    now: dt.datetime,
    chance: Callable[[], float],
) -> VerifyReport:
    """One look. An automatic mail is never sent again out of doubt (integrity S-5), so of it only `found` is told."""
    async with database.unit_of_work(tenant_id) as connection:
        draft = await read_draft(connection, tenant_id=tenant_id, message_id=message_id)
    if draft is None or draft.draft_id is None or draft.message_id_header is None:
        return VerifyReport(VerifyOutcome.CANNOT_LOOK)
    trace = await sender.trace(draft.draft_id, draft.message_id_header)
    reached(Failpoint.VERIFY_TRACED)
    if trace.state == "sent":
        if trace.mail is not None:
            async with database.unit_of_work(tenant_id) as connection:
                await note_sent(
                    connection,
                    tenant_id=tenant_id,
                    message_id=message_id,
                    provider_id=trace.mail.id,
                    thread_id=trace.mail.thread_id,
                    message_id_header=trace.mail.message_id_header,
                )
        return VerifyReport(VerifyOutcome.FOUND)
    if trace.state == "nowhere" or not _may_go_again(draft, now):
        return VerifyReport(VerifyOutcome.NOT_FOUND)
    wait = next_wait(
        waited=(now - (draft.first_attempt_at or now)).total_seconds(),
        chance=chance(),
        first=DEFERRED_FIRST.total_seconds(),
        last=DEFERRED_LAST.total_seconds(),
        give_up_after=GIVE_UP_AFTER.total_seconds(),
    )
    async with database.unit_of_work(tenant_id) as connection:
        end = await settle_unsent(
            connection,
            tenant_id=tenant_id,
            message_id=message_id,
            attempt=draft.attempt,
            sentence=GIVEN_UP if wait is None else UNSENT,
            now=now,
            next_at=None if wait is None else now + dt.timedelta(seconds=wait),
            workflow_run=run_id(),
        )
    reached(Failpoint.VERIFY_UNSENT)
    if end is End.STALE:
        return VerifyReport(VerifyOutcome.NOT_FOUND)
    return VerifyReport(VerifyOutcome.UNSENT, wait)


def _may_go_again(draft: ApiDraft, now: dt.datetime) -> bool:
    """Whether the draft may be sent again by ourselves: an agent's, at its dot, with no request that can still run."""
    if (
        draft.kind != "message"
        or draft.status != "sending"
        or draft.stage != "dot"
        or draft.submitted_at is None
    ):
        return False
    return now - draft.submitted_at >= (AFTER_ITS_END if draft.attempt_ended else AFTER_ITS_DOT)
