"""What Amazon SES publishes over SNS, taken at once and applied after it is safe (integrity X-40).

First the signature, then a row that makes the same message count once, then the answer's work in a transaction of its own. Dying
before the row: SNS tells it again. Dying after it, or failing: the sweep applies it. A replay finds the row and does nothing.
"""

import logging
import uuid

from starlette.responses import PlainTextResponse, Response

from api.auth import Access
from api.bodies import read_bytes
from api.deps import Deps
from api.endpoint import Call, Empty, Endpoint
from api.problems import Problem, away
from api.push_pokes import Woken
from api.sns import NotBelieved, Notice, SnsAway
from store.ses_receipts import ready_receipts, route_receipt
from store.sns_notices import ProvenNotice, apply_notice, notice_known, write_notice

log = logging.getLogger("mailroom.api.webhooks")
MOST_OCTETS = 1024 * 1024
AT_ONCE = 20  # mails given to their inboxes for one notice; the sweep does the rest


async def take(call: Call[Empty, None]) -> Response:
    """Public: what may come in is decided by the signature alone, and nobody is told why something may not."""
    client = call.request.client
    call.deps.limits.hook(f"ses:{client.host if client else ''}")
    raw = await read_bytes(call.request, MOST_OCTETS)
    try:
        notice = await call.deps.sns.read(raw)
        if notice.confirm is not None and not await _known(call.deps, notice):
            await notice.confirm()
            log.info("a subscription to an expected SNS topic was confirmed")
    except NotBelieved as error:
        log.warning("a message at the SNS webhook was not believed (%s)", error)
        raise Problem(401, "Not accepted.") from None
    except SnsAway as error:
        log.warning("SNS could not be asked about a message (%s)", error)
        raise away("Amazon SNS", "Send the message again.") from None
    if notice.kind == "UnsubscribeConfirmation":
        log.warning("an expected SNS topic was unsubscribed: delivery events stop until it is subscribed again")
    new = await _written(call, notice)
    if new is not None and notice.kind == "Notification":
        await _apply(call, new)
    return PlainTextResponse("")


async def _known(deps: Deps, notice: Notice) -> bool:
    async with deps.database.system_unit_of_work() as connection:
        return await notice_known(connection, notice.id)


async def _written(call: Call[Empty, None], notice: Notice) -> uuid.UUID | None:
    proven = ProvenNotice(notice.id, notice.topic, notice.kind, notice.body, waits=notice.kind == "Notification")
    async with call.deps.database.system_unit_of_work() as connection:
        return await write_notice(connection, proven, now=call.now())


async def _apply(call: Call[Empty, None], notice_id: uuid.UUID) -> None:
    """SNS has been served once the row stands: whatever fails here is the sweep's to repeat, and to count."""
    try:
        async with call.deps.database.system_unit_of_work() as connection:
            await apply_notice(connection, notice_id, now=call.now())
        await _route(call)
    except Exception as error:  # told by its type; the row waits
        log.warning("an SNS message could not be applied yet (%s)", type(error).__name__)


async def _route(call: Call[Empty, None]) -> None:
    """A notice may tell of a mail in the receipt bucket: its inboxes are found and woken. It is in rows before that."""
    async with call.deps.database.system_unit_of_work() as connection:
        ready = await ready_receipts(connection, limit=AT_ONCE)
    for receipt_id in ready:
        async with call.deps.database.system_unit_of_work() as connection:
            found = await route_receipt(connection, receipt_id, now=call.now())
        for inbox in found:
            call.deps.pokes.wake(Woken(str(inbox.tenant_id), str(inbox.inbox_id), inbox.provider))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/webhooks/ses",
        take,
        Access.PUBLIC,
        "Messages of Amazon SNS about mail sent through SES",
        raw_body=True,
        media_type="text/plain",
    ),
)
