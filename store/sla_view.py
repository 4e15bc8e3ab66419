"""What is shown of service levels: the clocks of one conversation, and heads of conversations for a preview."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

HEADS = text(
    "select id, number, subject from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"
)
RESPONSES = text(
    """
    select first_response_seconds, avg_response_seconds, first_response_business_seconds, avg_response_business_seconds, sla_policy_id
    from conversations where tenant_id = :tenant and id = :id
    """
)


async def heads_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, dict[str, Any]]:
    """`number` and `subject` of each."""
    if not ids:
        return {}
    found = await connection.execute(HEADS, {"tenant": tenant_id, "ids": list(ids)})
    return {r.id: {"number": r.number, "subject": r.subject} for r in found}


async def responses_of(connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID) -> Mapping[str, Any]:
    """How long customers waited there, and the policy that applies."""
    found = await connection.execute(RESPONSES, {"tenant": tenant_id, "id": conversation_id})
    return dict(found.mappings().one())
