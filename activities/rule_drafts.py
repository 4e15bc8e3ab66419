"""A rule's template as a draft for whoever has the conversation: filled, and never over something that they are writing.

In the desk's transaction: repeated, it finds the hit that was recorded with it. The agent's client shows the draft like any
other that was begun at another desk.
"""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.reply_values import ReplyFacts, reply_values
from rules.templates import fill_html, fill_line
from store.drafts import DraftChanged, save_draft
from store.reply_facts import assignee_of, reply_facts
from store.templates import lend_files, shared_template


async def draft_for_assignee(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, template_id: uuid.UUID
) -> str | None:
    """None once it stands; else why it does not."""
    author_id = await assignee_of(connection, tenant_id, conversation_id)
    if author_id is None:
        return "nobody to draft for"
    template = await shared_template(connection, tenant_id, template_id)
    if template is None:
        return "no such template"
    facts = await reply_facts(connection, tenant_id, conversation_id, user_id=author_id)
    values = reply_values(ReplyFacts(**facts))
    subject = fill_line(template.said.subject, values).text
    try:
        async with connection.begin_nested():
            files = await lend_files(connection, tenant_id, template, user_id=author_id)
            await save_draft(
                connection,
                tenant_id,
                conversation_id,
                author_id,
                html=fill_html(template.said.html, values).text,
                subject=subject or None,
                recipients={},
                attachments=[{"id": str(f.id), "filename": f.filename, "size_bytes": f.size_bytes} for f in files],
                checked=True,
                based_on=None,
            )
    except DraftChanged:
        return "they are writing already"
    return None
