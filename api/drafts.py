"""The reply that one has not sent yet, kept for its author alone. The send of the same conversation takes it away."""

import uuid
from typing import Any

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import AskedAddr
from api.schemas.conversation_life import Draft, KeptDraft, SaveDraft
from store.drafts import DraftChanged, DraftRow, drop_draft, read_draft, save_draft
from store.notes import visible_place


async def read(call: Call[Empty, None]) -> KeptDraft:
    viewer, author, conversation_id = call.who.viewer, _author(call), call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await visible_place(connection, viewer, conversation_id) is None:
            raise not_found()
        row = await read_draft(connection, viewer.tenant_id, conversation_id, author)
    return KeptDraft(draft=_shown(row) if row else None)


async def save(call: Call[Empty, SaveDraft]) -> Draft:
    viewer, author, conversation_id, body = call.who.viewer, _author(call), call.id("conversation_id"), call.body
    recipients = {kind: _typed(given) for kind, given in (("to", body.to), ("cc", body.cc), ("bcc", body.bcc))}
    files = [{"id": str(f.id), "filename": f.filename, "size_bytes": f.size_bytes} for f in body.attachments]
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            if await visible_place(connection, viewer, conversation_id) is None:
                raise not_found()
            at = await save_draft(
                connection,
                viewer.tenant_id,
                conversation_id,
                author,
                html=body.html,
                subject=body.subject,
                recipients=recipients,
                attachments=files,
                checked="updated_at" in body.model_fields_set,
                based_on=body.updated_at,
            )
    except DraftChanged as changed:
        current = _shown(changed.current).model_dump(mode="json") if changed.current else None
        raise Problem(
            409,
            "This draft was changed, sent or discarded in another window. Look at what stands, then save again with its `updated_at`.",
            name="draft-changed",
            extra={"draft": current},
        ) from None
    return _shown(DraftRow(body.html, body.subject, recipients, files, at))


async def drop(call: Call[Empty, None]) -> None:
    viewer, author, conversation_id = call.who.viewer, _author(call), call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await visible_place(connection, viewer, conversation_id) is None:
            raise not_found()
        await drop_draft(connection, viewer.tenant_id, author, conversation_id)


def _author(call: Call[Any, Any]) -> uuid.UUID:
    if call.who.user_id is None:
        raise not_valid(FieldError("Authorization", "is a key's; a draft belongs to a person, who signs in"))
    return call.who.user_id


def _typed(given: list[AskedAddr] | None) -> list[dict[str, str]] | None:
    return None if given is None else [{"address": one.address, "name": one.name} for one in given]


def _shown(row: DraftRow) -> Draft:
    return Draft.model_validate(
        {
            "html": row.html,
            "subject": row.subject,
            **{kind: row.recipients.get(kind) for kind in ("to", "cc", "bcc")},
            "attachments": list(row.attachments),
            "updated_at": row.updated_at,
        }
    )


OF = "/v1/conversations/{conversation_id}/draft"
ENDPOINTS = (
    Endpoint("GET", OF, read, Access.AGENT, "One's own draft of a reply", response=KeptDraft),
    Endpoint("PUT", OF, save, Access.AGENT, "Keep one's draft", response=Draft, body=SaveDraft, conflicts=("draft-changed",)),
    Endpoint("DELETE", OF, drop, Access.AGENT, "Discard one's draft", status=204),
)
