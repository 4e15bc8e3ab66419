"""Balance sheets of mailboxes behind a web API: ids that the provider lists, against the ledger's rows by the same ids."""

import datetime as dt
import uuid
from collections.abc import Set as AbstractSet

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import AuditReason, LedgerState
from store.api_ledger import ApiPlace
from store.audits import BalanceFigures, record_audit
from store.ledger import Place

WINDOW = 5_000
NO_UIDVALIDITY = 0  # of a place whose mails have ids instead (RFC 3501 §9: a UIDVALIDITY is never zero)

# Rows below the horizon are left out on both sides: the listing need not have come so far.
ROWS = text(
    """
    select provider_message_id as id, state, gone_at is not null as gone,
      raw_sha256 is null and state = 'skipped' as empty, updated_at >= :since as later from ledger
    where tenant_id = :tenant and inbox_id = :inbox and provider_message_id > :after
      and (cast(:folder as uuid) is null or folder_id = :folder)
      and (internal_date is null or internal_date >= :horizon)
    order by provider_message_id limit :limit
    """
)


async def time_of(connection: AsyncConnection) -> dt.datetime:
    """The database's time, by which rows tell when they changed."""
    now: dt.datetime = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
    return now


async def api_figures(
    connection: AsyncConnection,
    place: ApiPlace,
    listed: AbstractSet[str],
    *,
    since: dt.datetime,
    horizon: dt.datetime,
    missing: AbstractSet[str],
    unasked: AbstractSet[str],
    ahead: AbstractSet[str],
) -> tuple[BalanceFigures, list[str]]:
    """The sheet, and the ids of rows whose mail is not listed. Of the `listed` ids without a row, `missing` should have one,
    `unasked` are drafts or thrown away, and `ahead` is told by the next changes; the others are older than the `horizon`. Rows
    that changed after `since`, when the listing began, and are not on it came meanwhile: they are the next sheet's.
    """
    states = dict.fromkeys(LedgerState, 0)
    vanished = gone = deleted = extra = not_wanted = matched = 0
    extras: list[str] = []
    after = ""
    while True:
        answer = await connection.execute(
            ROWS, {**place.bound(), "after": after, "since": since, "horizon": horizon, "limit": WINDOW}
        )
        rows = answer.all()
        for row in rows:
            there = row.id in listed
            if row.id in missing:
                continue  # its row is empty and is counted as none
            if row.state == LedgerState.VANISHED:
                vanished += not there
            elif row.gone:
                deleted += there
                gone += not there
                matched += there
            elif row.empty and there:
                not_wanted += 1
                matched += 1
            elif row.empty:
                gone += 1
            elif there or not row.later:
                states[LedgerState(row.state)] += 1
                matched += there
                if not there:
                    extra += 1
                    extras.append(row.id)
        if len(rows) < WINDOW:
            break
        after = rows[-1].id
    figures = BalanceFigures(
        at_provider=len(listed),
        in_ledger=sum(states.values()),
        stored=states[LedgerState.STORED],
        ingested=states[LedgerState.INGESTED],
        skipped=states[LedgerState.SKIPPED],
        quarantined=states[LedgerState.QUARANTINED],
        seen=states[LedgerState.SEEN],
        vanished=vanished,
        gone=gone,
        deleted=deleted,
        beyond_horizon=len(listed) - matched - len(missing) - len(unasked) - len(ahead),
        not_asked_for=len(unasked) + not_wanted,
        ahead=len(ahead),
        missing=len(missing),
        extra=extra,
    )
    return figures, extras


async def record_api_audit(
    connection: AsyncConnection,
    place: ApiPlace,
    folder_id: uuid.UUID,
    figures: BalanceFigures,
    reason: AuditReason,
) -> None:
    """Keep a sheet and tell that there is one. The database refuses one that does not balance."""
    where = Place(place.tenant_id, place.inbox_id, folder_id, NO_UIDVALIDITY)
    await record_audit(connection, where, figures, reason)
