"""What was removed stays removed: a mail whose octets have a tombstone gets its ledger row, and nothing more.

The row says `skipped` with the tombstone's reason, so balance sheets still add up; the octets, which lie in the bucket by
then, are dropped like those of a removed mail.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import LedgerState

# A probe of the primary key for each mail of a batch; for most tenants the table is empty.
BURIED = text(
    """
    select raw_sha256, reason, place from tombstones
    where tenant_id = :tenant and raw_sha256 = any(cast(:hashes as text[]))
    """
)
DROP_STRETCHES = text(
    """
    insert into dropped_objects (tenant_id, storage_key, raw_offset, raw_length, raw_sha256)
    select :tenant, v.* from unnest(cast(:keys as text[]), cast(:offsets as bigint[]), cast(:lengths as bigint[]),
      cast(:hashes as text[])) as v
    on conflict (tenant_id, storage_key, raw_offset) do update set dropped_at = now(), refusal = null
    """
)


async def leave_out_the_removed(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID | None, records: Sequence[dict[str, Any]]
) -> None:
    """Change those of a batch of ledger records, about to be written, whose octets have a tombstone here. In the transaction
    that writes them.
    """
    stored = [r for r in records if r["state"] == LedgerState.STORED and r["raw_sha256"]]
    if not stored:
        return
    hashes = sorted({str(r["raw_sha256"]) for r in stored})
    reasons: dict[tuple[str, str], str] = {
        (row.raw_sha256, row.place): row.reason
        for row in await connection.execute(BURIED, {"tenant": tenant_id, "hashes": hashes})
    }
    if not reasons:
        return
    dropped = []
    for record in stored:
        sha256, place = str(record["raw_sha256"]), str(record.get("folder_id") or folder_id or "")
        reason = reasons.get((sha256, "")) or reasons.get((sha256, place))
        if reason is None:
            continue
        dropped.append((record["raw_key"], record["raw_offset"], record["raw_length"], sha256))
        record.update(state=LedgerState.SKIPPED.value, reason=reason, raw_key=None)
    if dropped:
        keys, offsets, lengths, sums = (list(column) for column in zip(*dropped, strict=True))
        bound = {"tenant": tenant_id, "keys": keys, "offsets": offsets, "lengths": lengths, "hashes": sums}
        await connection.execute(DROP_STRETCHES, bound)
