"""Facts of stored mails for rules that are tried or explained: rows, business hours, and header lines from the bucket."""

import asyncio
import uuid
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from api.blobs import BlobMissing
from api.deps import Deps
from rules.routing import Facts, Rule
from rules.routing_conditions import asks_language, calendars, reads_headers
from rules.routing_facts import HEAD_OCTETS, facts_of, header_lines, hours_at
from store.rule_facts import MailFacts
from store.sla_settings import list_hours

READS = 8  # of the bucket, side by side


async def facts_for(
    connection: AsyncConnection,
    deps: Deps,
    tenant_id: uuid.UUID,
    rules: Sequence[Rule],
    mails: Sequence[MailFacts],
) -> list[Facts]:
    """One for each mail, with what these rules ask about. Raises BlobsAway."""
    headers: Sequence[dict[str, list[str]] | None] = [None] * len(mails)
    if any(reads_headers(rule.condition) for rule in rules):
        seats = asyncio.Semaphore(READS)
        headers = await asyncio.gather(*(_headers(deps, mail, seats) for mail in mails))
    wanted = {name for rule in rules for name in calendars(rule.condition)}
    rows = await list_hours(connection, tenant_id) if wanted else []
    language = any(asks_language(rule.condition) for rule in rules)
    return [
        facts_of(mail, headers=lines, hours=hours_at(rows, wanted, mail.received_at), language=language)
        for mail, lines in zip(mails, headers, strict=True)
    ]


async def _headers(deps: Deps, mail: MailFacts, seats: asyncio.Semaphore) -> dict[str, list[str]] | None:
    if mail.raw_key is None:
        return None
    try:
        async with seats:
            return header_lines(
                await deps.blobs.get(mail.raw_key, offset=mail.raw_offset, length=min(mail.raw_length, HEAD_OCTETS))
            )
    except BlobMissing:
        return None
