"""Canned replies: everybody writes their own, administrators those of an inbox and of all; filling one for a conversation."""

import dataclasses
import uuid
from html import escape
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access, Principal
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.messages import Uploaded
from api.schemas.templates import (
    ChangeTemplate,
    FilledTemplate,
    FillTemplate,
    NewTemplate,
    Template,
)
from mail.html_text import html_to_text
from mail.rich_nodes import rich_nodes
from rules.reply_values import ReplyFacts, reply_values
from rules.signatures import clean_own_html
from rules.templates import fill, fill_html, fill_line, placeholders_in
from store.conversations import get_conversation
from store.inboxes import list_inboxes
from store.reply_facts import reply_facts
from store.teams import list_teams
from store.templates import (
    NoSuchUpload,
    ShortcutTaken,
    TemplateRow,
    TemplateText,
    TooManyTemplates,
    add_template,
    change_template,
    files_of_uploads,
    get_template,
    lend_files,
    list_templates,
    remove_template,
)


async def list_all(call: Call[Empty, None]) -> PageOf[Template]:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        rows = await list_templates(connection, who.viewer)
        names = await _names(connection, who)
    return PageOf[Template](items=[_shown(row, who, names) for row in rows])


async def read_one(call: Call[Empty, None]) -> Template:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await _whole(connection, call, call.id("template_id"))


async def add(call: Call[Empty, NewTemplate]) -> Template:
    """Dying after the commit leaves the template; a second try with its shortcut is refused and says so."""
    who, body = call.who, call.body
    if body.personal and who.user_id is None:
        raise not_valid(FieldError("personal", "is for people; a key has no templates of its own"))
    if not body.personal:
        _admins_only(who)
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if body.inbox_id is not None and body.inbox_id not in await _inbox_names(connection, who):
            raise not_valid(FieldError("inbox_id", "is no inbox that you may see"))
        if body.team_id is not None and body.team_id not in await _team_names(connection, who):
            raise not_valid(FieldError("team_id", "is no team of yours"))
        html, text = _bodies(body.html, body.text)
        said = TemplateText(
            name=body.name.strip(),
            shortcut=body.shortcut,
            subject=body.subject,
            html=html,
            text=text,
            inbox_id=body.inbox_id,
            team_id=body.team_id,
            user_id=who.user_id if body.personal else None,
            files=await _files(connection, who, body.attachments),
        )
        try:
            template_id = await add_template(connection, who.tenant_id, said)
        except ShortcutTaken:
            raise _taken() from None
        except TooManyTemplates:
            raise Problem(409, "There are as many templates as a list can show. Remove one first.") from None
        return await _whole(connection, call, template_id)


async def change(call: Call[Empty, ChangeTemplate]) -> Template:
    who, body, template_id = call.who, call.body, call.id("template_id")
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        said = (await _changeable(connection, call)).said
        new: dict[str, Any] = {}
        if body.name is not None:
            new["name"] = body.name.strip()
        if body.subject is not None:
            new["subject"] = body.subject
        if body.shortcut is not None:
            new["shortcut"] = _shortcut(body.shortcut)
        if body.html is not None or body.text is not None:
            new["html"], new["text"] = _bodies(body.html, body.text)
        if body.attachments is not None:
            new["files"] = await _files(connection, who, body.attachments)
        try:
            await change_template(connection, who.tenant_id, template_id, dataclasses.replace(said, **new))
        except ShortcutTaken:
            raise _taken() from None
        return await _whole(connection, call, template_id)


async def remove(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _changeable(connection, call)
        await remove_template(connection, call.who.tenant_id, row.id)


async def fill_one(call: Call[Empty, FillTemplate]) -> FilledTemplate:
    """The template in one conversation's words. Its files are lent as uploads, which expire unless a reply names them."""
    who, conversation_id = call.who, call.body.conversation_id
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        row = await get_template(connection, who.viewer, call.id("template_id"))
        if row is None:
            raise not_found()
        if await get_conversation(connection, who.viewer, conversation_id) is None:
            raise not_valid(FieldError("conversation_id", "is no conversation that you may see"))
        facts = await reply_facts(connection, who.tenant_id, conversation_id, user_id=who.user_id)
        files = await lend_files(connection, who.tenant_id, row, user_id=who.user_id)
    values = reply_values(ReplyFacts(**facts))
    parts = (fill_line(row.said.subject, values), fill_html(row.said.html, values), fill(row.said.text, values))
    return FilledTemplate(
        subject=parts[0].text,
        html=parts[1].text,
        text=parts[2].text,
        nodes=rich_nodes(parts[1].text),
        missing=list(dict.fromkeys(name for part in parts for name in part.missing)),
        attachments=[Uploaded(id=str(f.id), filename=f.filename, size_bytes=f.size_bytes) for f in files],
    )


def _admins_only(who: Principal) -> None:
    if who.access < Access.ADMIN:
        raise Problem(403, "Templates for others are kept by administrators. Make a personal one, or ask one of them.")


async def _changeable(connection: AsyncConnection, call: Call[Any, Any]) -> TemplateRow:
    row = await get_template(connection, call.who.viewer, call.id("template_id"))
    if row is None:
        raise not_found()
    if row.said.user_id is None:
        _admins_only(call.who)
    return row


def _bodies(html: str | None, text: str | None) -> tuple[str, str]:
    """Both forms, the HTML fit to be kept; a form that was left out is made from the other."""
    clean = clean_own_html(html if html is not None else _lines(text or ""))
    return clean, text if text is not None else html_to_text(clean).strip()


def _lines(text: str) -> str:
    return "".join(f"<div>{escape(line) or '<br>'}</div>" for line in text.splitlines())


def _shortcut(value: str) -> str | None:
    word = value.strip().removeprefix("/").lower()
    if not word:
        return None
    if not all(c.isalnum() or c in "-_" for c in word):
        raise not_valid(FieldError("shortcut", "is one word of letters, digits, - and _, such as thanks"))
    return word


async def _files(connection: AsyncConnection, who: Principal, ids: tuple[uuid.UUID, ...]) -> list[dict[str, Any]]:
    try:
        return await files_of_uploads(connection, who.tenant_id, ids)
    except NoSuchUpload as wrong:
        raise not_valid(
            FieldError(f"attachments[{wrong.position}]", "is no complete upload; upload the file again")
        ) from None


def _taken() -> Problem:
    return Problem(409, "Another template in the same place has this shortcut. Choose another one.", name="shortcut-taken")


async def _inbox_names(connection: AsyncConnection, who: Principal) -> dict[uuid.UUID, str]:
    return {row.id: row.name for row in await list_inboxes(connection, who.viewer)}


async def _team_names(connection: AsyncConnection, who: Principal) -> dict[uuid.UUID, str]:
    return {team.id: team.name for team in await list_teams(connection, who.tenant_id)}


async def _names(connection: AsyncConnection, who: Principal) -> dict[uuid.UUID, str]:
    return {**await _inbox_names(connection, who), **await _team_names(connection, who)}


async def _whole(connection: AsyncConnection, call: Call[Any, Any], template_id: uuid.UUID) -> Template:
    row = await get_template(connection, call.who.viewer, template_id)
    if row is None:
        raise not_found()
    return _shown(row, call.who, await _names(connection, call.who))


def _shown(row: TemplateRow, who: Principal, names: dict[uuid.UUID, str]) -> Template:
    said = row.said
    inbox, team = said.inbox_id, said.team_id
    return Template.model_validate(
        {
            "id": str(row.id),
            "name": said.name,
            "shortcut": said.shortcut,
            "subject": said.subject,
            "html": said.html,
            "text": said.text,
            "nodes": rich_nodes(said.html),
            "inbox": {"id": str(inbox), "name": names.get(inbox, "")} if inbox is not None else None,
            "team": {"id": str(team), "name": names.get(team, "")} if team is not None else None,
            "personal": said.user_id is not None,
            "placeholders": placeholders_in(f"{said.subject}\n{said.text}"),
            "attachments": [{"filename": f["filename"], "size_bytes": f["size_bytes"]} for f in said.files],
            "uses": row.uses,
            "can_change": said.user_id is not None or who.access >= Access.ADMIN,
            "updated_at": row.updated_at,
        }
    )


AT = "/v1/templates/{template_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/templates", list_all, Access.VIEWER, "Canned replies", response=PageOf[Template]),
    Endpoint(
        "POST",
        "/v1/templates",
        add,
        Access.AGENT,
        "Add a template",
        response=Template,
        status=201,
        body=NewTemplate,
        conflicts=("shortcut-taken",),
    ),
    Endpoint("GET", AT, read_one, Access.VIEWER, "One template", response=Template),
    Endpoint(
        "PATCH", AT, change, Access.AGENT, "Change a template", response=Template, body=ChangeTemplate, conflicts=("shortcut-taken",)
    ),
    Endpoint("DELETE", AT, remove, Access.AGENT, "Remove a template", status=204),
    Endpoint("POST", f"{AT}/fill", fill_one, Access.AGENT, "Fill it for a conversation", response=FilledTemplate, body=FillTemplate),
)
