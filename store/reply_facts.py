"""What a reply's placeholders and its signature are made of: the conversation, its customer, its inbox and who writes."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FACTS = text(
    """
    select c.number, c.subject, coalesce(nullif(k.name, ''), c.customer_name) as customer_name,
      c.customer_identifier as customer_email, coalesce(k.company, '') as customer_company, i.name as inbox_name,
      i.email_address as inbox_email, t.name as org_name, coalesce(u.name, '') as agent_name, coalesce(u.email, '') as agent_email
    from conversations c
    join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    join tenants t on t.id = c.tenant_id
    left join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    left join users u on u.tenant_id = c.tenant_id and u.id = cast(:user as uuid)
    where c.tenant_id = :tenant and c.id = :id
    """
)
SIGNATURES = text(
    """
    select i.settings, i.signature_html as inbox_html, u.signature_html as agent_html from inboxes i
    left join users u on u.tenant_id = i.tenant_id and u.id = cast(:user as uuid)
    where i.tenant_id = :tenant and i.id = :inbox
    """
)
ASSIGNEE = text("select assigned_to from conversations where tenant_id = :tenant and id = :id")
SET_OWN = text("update users set signature_html = :html where tenant_id = :tenant and id = :user returning id")
OWN = text("select signature_html from users where tenant_id = :tenant and id = :user")


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """Both signatures as they stand, and the inbox's settings, which choose."""

    settings: dict[str, Any]
    inbox_html: str | None
    agent_html: str | None


async def reply_facts(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, *, user_id: uuid.UUID | None
) -> dict[str, Any]:
    """By the names of `rules.reply_values.ReplyFacts`. The caller has found the conversation."""
    bound = {"tenant": tenant_id, "id": conversation_id, "user": user_id}
    return dict((await connection.execute(FACTS, bound)).mappings().one())


async def read_signatures(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, user_id: uuid.UUID | None
) -> SignatureRow:
    bound = {"tenant": tenant_id, "inbox": inbox_id, "user": user_id}
    row = (await connection.execute(SIGNATURES, bound)).one()
    return SignatureRow(row.settings, row.inbox_html, row.agent_html)


async def assignee_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    found = await connection.execute(ASSIGNEE, {"tenant": tenant_id, "id": conversation_id})
    agent: uuid.UUID | None = found.scalar_one_or_none()
    return agent


async def own_signature(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> str | None:
    found: str | None = (await connection.execute(OWN, {"tenant": tenant_id, "user": user_id})).scalar_one_or_none()
    return found


async def set_own_signature(
    connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID, html: str | None
) -> None:
    await connection.execute(SET_OWN, {"tenant": tenant_id, "user": user_id, "html": html})
