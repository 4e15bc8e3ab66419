"""Contacts: the list, one with everything that is known, their conversations, and that two are one person."""

from api import rendering
from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_found, not_valid
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.contacts import (
    ChangeContact,
    Contact,
    ContactQuery,
    Identity,
    MergeContact,
    ShownField,
)
from api.schemas.conversations import ConversationItem
from store.contact_book import ContactRow, get_contact, list_contacts
from store.contact_changes import (
    CannotMergeContacts,
    TooManyFields,
    change_contact,
    merge_contacts,
    unmerge_contact,
)
from store.conversation_keys import ListFilter
from store.conversation_list import list_conversations
from store.view_conditions import Group, Leaf


async def list_all(call: Call[ContactQuery, None]) -> PageOf[Contact]:
    query = call.query
    if query.search.strip():
        call.deps.limits.search(call.who.caller)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        page = await list_contacts(
            connection, call.who.viewer, words=query.search, vip=query.vip, after=query.after, limit=query.limit
        )
    return PageOf[Contact](items=[_shown(row) for row in page.items], next=page.next)


async def one(call: Call[Empty, None]) -> Contact:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _or_404(await get_contact(connection, call.who.viewer, call.id("contact_id")))


async def change(call: Call[Empty, ChangeContact]) -> Contact:
    body = call.body
    custom = {k: f.model_dump(mode="json") if f else None for k, f in (body.custom or {}).items()}
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            row = await change_contact(
                connection,
                call.who.viewer,
                call.id("contact_id"),
                name=body.name,
                company=body.company,
                vip=body.vip,
                custom=custom,
            )
            return _or_404(row)
    except TooManyFields:
        raise not_valid(FieldError("custom", "would make more than fifty fields; remove some")) from None


async def conversations(call: Call[PageQuery, None]) -> PageOf[ConversationItem]:
    """Of all its names, the newest first."""
    viewer, query = call.who.viewer, call.query
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        row = await get_contact(connection, viewer, call.id("contact_id"))
        if row is None:
            raise not_found()
        names = [str(row.id), *(name for name, _ in row.merged)]
        wanted = ListFilter(conditions=Group("all", (Leaf("contact", "in", names),)))
        page = await list_conversations(connection, viewer, wanted, after=query.after, limit=query.limit)
    return PageOf[ConversationItem](items=[rendering.conversation_item(r) for r in page.items], next=page.next)


async def merge(call: Call[Empty, MergeContact]) -> Contact:
    """Answers with the survivor."""
    try:
        async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
            viewer, contact_id = call.who.viewer, call.id("contact_id")
            return _or_404(await merge_contacts(connection, viewer, contact_id, call.body.into))
    except CannotMergeContacts as wrong:
        raise not_valid(FieldError("into", wrong.reason)) from None


async def unmerge(call: Call[Empty, None]) -> Contact:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _or_404(await unmerge_contact(connection, call.who.viewer, call.id("contact_id")))


def _or_404(row: ContactRow | None) -> Contact:
    if row is None:
        raise not_found()
    return _shown(row)


def _shown(row: ContactRow) -> Contact:
    return Contact(
        id=str(row.id),
        name=row.name,
        company=row.company,
        vip=row.vip,
        custom={key: ShownField.model_validate(field) for key, field in row.custom.items()},
        identities=[Identity.model_validate({"channel": c, "identifier": i}) for c, i in row.identities],
        merged=[Named(id=i, name=name) for i, name in row.merged],
        merged_into=str(row.merged_into) if row.merged_into else None,
        open=row.open,
        last_message_at=row.last_message_at,
        created_at=row.created_at,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/contacts",
        list_all,
        Access.VIEWER,
        "Who writes to us",
        response=PageOf[Contact],
        query=ContactQuery,
    ),
    Endpoint("GET", "/v1/contacts/{contact_id}", one, Access.VIEWER, "One contact", response=Contact),
    Endpoint(
        "PATCH",
        "/v1/contacts/{contact_id}",
        change,
        Access.AGENT,
        "Change a contact",
        response=Contact,
        body=ChangeContact,
    ),
    Endpoint(
        "GET",
        "/v1/contacts/{contact_id}/conversations",
        conversations,
        Access.VIEWER,
        "A contact's conversations, newest first",
        response=PageOf[ConversationItem],
        query=PageQuery,
    ),
    Endpoint(
        "POST",
        "/v1/contacts/{contact_id}/merge",
        merge,
        Access.AGENT,
        "Say that two contacts are one person",
        response=Contact,
        body=MergeContact,
    ),
    Endpoint(
        "POST",
        "/v1/contacts/{contact_id}/unmerge",
        unmerge,
        Access.AGENT,
        "Take a contact out of another again",
        response=Contact,
    ),
)
