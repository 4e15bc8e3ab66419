"""The header lines that routing rules ask about, read from the bucket before the desk's transaction begins.

A transaction that waits for the bucket would hold back the readers of everybody's events, and its tenant's desk with them.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence

from activities.desk_reactor import NotPrepared
from providers.errors import Refused
from providers.s3.blobs import BlobMissing
from rules.routing_facts import HEAD_OCTETS, header_lines
from store.rule_facts import MailFacts

READS = 8  # of the bucket, side by side

# (key, offset, length) → octets of a raw mail.
ReadRaw = Callable[[str, int, int], Awaitable[bytes]]
Lines = dict[str, list[str]]


class DeskHeads:
    """By tenant. What is not known here is never read inside a transaction: the batch is rolled back and prepared again."""

    def __init__(self, read_raw: ReadRaw) -> None:
        self._read_raw = read_raw
        self._asked: set[uuid.UUID] = set()
        self._known: dict[uuid.UUID, dict[uuid.UUID, Lines | None]] = {}

    def are_asked(self, tenant_id: uuid.UUID) -> bool:
        """Whether the tenant's rules asked when they were last looked at."""
        return tenant_id in self._asked

    def ask(self, tenant_id: uuid.UUID, asked: bool) -> None:
        """Note whether rules ask at present."""
        if asked:
            self._asked.add(tenant_id)
        else:
            self._asked.discard(tenant_id)
            self._known.pop(tenant_id, None)

    async def read(self, tenant_id: uuid.UUID, mails: Sequence[tuple[uuid.UUID, str, int, int]]) -> None:
        """Of mails as (id, key, offset, length); what was known before is forgotten. Raises what the bucket raises when it is away."""
        seats = asyncio.Semaphore(READS)
        self._known.pop(tenant_id, None)
        lines = await asyncio.gather(*(self._lines(seats, key, offset, length) for _, key, offset, length in mails))
        self._known[tenant_id] = {mail: found for (mail, *_), found in zip(mails, lines, strict=True)}

    def of(self, tenant_id: uuid.UUID, mail: MailFacts) -> Lines | None:
        """None where the raw mail is gone. Raises NotPrepared."""
        if mail.raw_key is None:
            return None
        known = self._known.get(tenant_id, {})
        if mail.id not in known:
            raise NotPrepared
        return known[mail.id]

    async def _lines(self, seats: asyncio.Semaphore, key: str, offset: int, length: int) -> Lines | None:
        try:
            async with seats:
                return header_lines(await self._read_raw(key, offset, min(length, HEAD_OCTETS)))
        except (BlobMissing, Refused):
            return None
