"""What the server does to a reply's words before it is queued: no placeholder leaves unfilled, and the signature stands under it."""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access, Principal
from api.endpoint import Call, Empty, Endpoint
from api.problems import not_found
from api.schemas.messages import NewMessage
from api.schemas.templates import Signature
from mail.html_text import html_to_text
from mail.rich_nodes import rich_nodes
from rules import signatures
from rules.templates import unfilled
from store.conversations import get_conversation
from store.inboxes import get_inbox
from store.outbound import CannotSend
from store.reply_facts import own_signature, read_signatures


def refuse_unfilled(body: NewMessage) -> None:
    """Raises CannotSend naming the field and the placeholders: a customer must not read `{{customer.name}}`."""
    for field in ("subject", "text", "html"):
        value = getattr(body, field) or ""
        # Markup may part what a reader sees as one, so its words are looked at as well.
        left = unfilled(value) or (unfilled(html_to_text(value)) if field == "html" and "{{" in value else ())
        if left:
            names = ", ".join(f"{{{{{name}}}}}" for name in left)[:300]
            raise CannotSend(field, f"still holds {names}; write what belongs there, or remove it")


async def signed_words(
    connection: AsyncConnection, who: Principal, inbox_id: uuid.UUID, body: NewMessage
) -> tuple[str | None, str | None]:
    """Text and HTML as they are to be sent. A body without words stays so: a signature alone is no reply."""
    if not body.signature or not ((body.text or "").strip() or (body.html or "").strip()):
        return body.text, body.html
    signature = await _chosen(connection, who, inbox_id)
    text = None if body.text is None else signatures.signed_text(body.text, signature)
    return text, None if body.html is None else signatures.signed_html(body.html, signature)


async def read_signature(call: Call[Empty, None]) -> Signature:
    """What will stand under the caller's reply in this conversation; both empty: nothing."""
    viewer = call.who.viewer
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        row = await get_conversation(connection, viewer, call.id("conversation_id"))
        if row is None:
            raise not_found()
        signature = await _chosen(connection, call.who, row.inbox_id)
    return _shown(signature.html)


async def read_of_inbox(call: Call[Empty, None]) -> Signature:
    """The inbox's own, as it was written; `PATCH /v1/inboxes/{id}` changes it and says when it is used."""
    viewer = call.who.viewer
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        row = await get_inbox(connection, viewer, call.id("inbox_id"))
    if row is None:
        raise not_found()
    return _shown(row.signature_html or "")


async def read_own(call: Call[Empty, None]) -> Signature:
    """The caller's own, as it was written; `PATCH /v1/me` changes it. A key has none."""
    who = call.who
    if who.user_id is None:
        return _shown("")
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        html = await own_signature(connection, who.tenant_id, who.user_id) or ""
    return _shown(html)


def _shown(html: str) -> Signature:
    return Signature(html=html, text=html_to_text(html).strip(), nodes=rich_nodes(html))


async def _chosen(connection: AsyncConnection, who: Principal, inbox_id: uuid.UUID) -> signatures.Signature:
    row = await read_signatures(connection, who.tenant_id, inbox_id, user_id=who.user_id)
    return signatures.chosen_signature(row.settings, agent_html=row.agent_html, inbox_html=row.inbox_html)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}/signature",
        read_signature,
        Access.VIEWER,
        "What stands under the caller's replies in it",
        response=Signature,
    ),
    Endpoint("GET", "/v1/inboxes/{inbox_id}/signature", read_of_inbox, Access.VIEWER, "The inbox's signature", response=Signature),
    Endpoint("GET", "/v1/me/signature", read_own, Access.VIEWER, "The caller's own signature", response=Signature),
)
