"""Canned replies: everybody's, one inbox's, one team's, or one person's own. Personal ones are nobody else's to see."""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.visibility import Viewer, seen_inboxes

MOST = 1000  # of a tenant; more would be no help in a picker
COLUMNS = """
    t.id, t.name, t.shortcut, t.subject, t.body_html, t.body_text, t.inbox_id, t.team_id, t.user_id, t.files, t.uses, t.updated_at
"""
VISIBLE = f"""
    select {COLUMNS} from templates t
    where t.tenant_id = :tenant and t.deleted_at is null and (t.user_id is null or t.user_id = :user)
      and (t.team_id is null or :all or exists (select from team_members m
        where m.tenant_id = t.tenant_id and m.team_id = t.team_id and m.user_id = :user))
      and (t.inbox_id is null or cast(:inboxes as uuid[]) is null or t.inbox_id = any(cast(:inboxes as uuid[])))
"""
ALL = text(f"{VISIBLE} order by lower(t.name), t.id limit {MOST}")
ONE = text(f"{VISIBLE} and t.id = :id")
# What an automatic answer or a rule's draft is made of belongs to nobody alone.
SHARED = text(
    f"select {COLUMNS} from templates t where t.tenant_id = :tenant and t.id = :id and t.user_id is null and t.deleted_at is null"
)
COUNT = text("select count(*) from (select from templates where tenant_id = :tenant and deleted_at is null limit :most) t")
INSERT = text(
    """
    insert into templates (tenant_id, name, shortcut, subject, body_html, body_text, inbox_id, team_id, user_id, files)
    values (:tenant, :name, :shortcut, :subject, :html, :text, :inbox, :team, :user, cast(:files as jsonb)) returning id
    """
)
UPDATE = text(
    """
    update templates set name = :name, shortcut = :shortcut, subject = :subject, body_html = :html, body_text = :text,
      inbox_id = :inbox, team_id = :team, user_id = :user, files = cast(:files as jsonb), updated_at = now()
    where tenant_id = :tenant and id = :id and deleted_at is null
    """
)
REMOVE = text("update templates set deleted_at = now() where tenant_id = :tenant and id = :id and deleted_at is null")
USED = text("update templates set uses = uses + 1 where tenant_id = :tenant and id = :id")
UPLOADS = text(
    """
    select id, filename, content_type, size_bytes, sha256, storage_key from uploads
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and completed_at is not null and storage_key is not null
    """
)
# The object is the same, stored once by its hash; the row is the composer's, as if it had been uploaded just now.
LEND = text(
    """
    insert into uploads (tenant_id, user_id, filename, content_type, size_bytes, sha256, upload_key, storage_key, completed_at)
    values (:tenant, :user, :filename, :content_type, :size_bytes, :sha256, '', :storage_key, now()) returning id
    """
)


class ShortcutTaken(Exception):
    """Another template in the same place has this shortcut."""


class TooManyTemplates(Exception):
    """The tenant has as many as a picker can show."""


class NoSuchUpload(Exception):
    """`position` counts the files from 0: that one is unknown here, or not complete."""

    def __init__(self, position: int) -> None:
        super().__init__("no such upload")
        self.position = position


@dataclass(frozen=True, slots=True)
class TemplateText:
    """What a template says. `files` are rows of uploads as they were when the template took them."""

    name: str
    shortcut: str | None
    subject: str
    html: str
    text: str
    inbox_id: uuid.UUID | None
    user_id: uuid.UUID | None
    files: Sequence[dict[str, Any]] = ()
    team_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class TemplateRow:
    id: uuid.UUID
    said: TemplateText
    uses: int
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LentFile:
    """An upload that a reply may name, with the bytes of a template's file."""

    id: uuid.UUID
    filename: str
    size_bytes: int


async def list_templates(connection: AsyncConnection, viewer: Viewer) -> list[TemplateRow]:
    """Those the viewer may use, by name."""
    return [_row(r) for r in await connection.execute(ALL, await _bound(connection, viewer))]


async def get_template(connection: AsyncConnection, viewer: Viewer, template_id: uuid.UUID) -> TemplateRow | None:
    row = (await connection.execute(ONE, {**await _bound(connection, viewer), "id": template_id})).first()
    return None if row is None else _row(row)


async def shared_template(
    connection: AsyncConnection, tenant_id: uuid.UUID, template_id: uuid.UUID
) -> TemplateRow | None:
    """One that is not a person's own, for what the desk does by itself."""
    row = (await connection.execute(SHARED, {"tenant": tenant_id, "id": template_id})).first()
    return None if row is None else _row(row)


async def add_template(connection: AsyncConnection, tenant_id: uuid.UUID, said: TemplateText) -> uuid.UUID:
    """Raises ShortcutTaken, TooManyTemplates."""
    if (await connection.execute(COUNT, {"tenant": tenant_id, "most": MOST})).scalar_one() >= MOST:
        raise TooManyTemplates
    try:
        async with connection.begin_nested():
            made: uuid.UUID = (await connection.execute(INSERT, _said(tenant_id, said))).scalar_one()
    except IntegrityError as wrong:
        raise _taken(wrong) from None
    return made


async def change_template(
    connection: AsyncConnection, tenant_id: uuid.UUID, template_id: uuid.UUID, said: TemplateText
) -> None:
    """The caller has found that the viewer may change it. Raises ShortcutTaken."""
    try:
        async with connection.begin_nested():
            await connection.execute(UPDATE, {**_said(tenant_id, said), "id": template_id})
    except IntegrityError as wrong:
        raise _taken(wrong) from None


async def remove_template(connection: AsyncConnection, tenant_id: uuid.UUID, template_id: uuid.UUID) -> None:
    """Replies made from it stay as they are; a rule that uses it says that it is gone. Twice is once."""
    await connection.execute(REMOVE, {"tenant": tenant_id, "id": template_id})


async def files_of_uploads(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """What a template keeps of uploads, in their order. Raises NoSuchUpload."""
    rows = await connection.execute(UPLOADS, {"tenant": tenant_id, "ids": list(ids)})
    found = {r["id"]: {**r, "id": str(r["id"])} for r in rows.mappings()}
    kept: list[dict[str, Any]] = []
    for position, upload_id in enumerate(ids):
        if upload_id not in found:
            raise NoSuchUpload(position)
        kept.append(found[upload_id])
    return kept


async def lend_files(
    connection: AsyncConnection, tenant_id: uuid.UUID, template: TemplateRow, *, user_id: uuid.UUID | None
) -> list[LentFile]:
    """Uploads for the template's files, to be named by a reply. Asked for again, others are made; unused ones expire."""
    await connection.execute(USED, {"tenant": tenant_id, "id": template.id})
    lent: list[LentFile] = []
    for file in template.said.files:
        values = {name: file[name] for name in ("filename", "content_type", "size_bytes", "sha256", "storage_key")}
        made = await connection.execute(LEND, {"tenant": tenant_id, "user": user_id, **values})
        lent.append(LentFile(made.scalar_one(), file["filename"], file["size_bytes"]))
    return lent


async def _bound(connection: AsyncConnection, viewer: Viewer) -> dict[str, Any]:
    return {"tenant": viewer.tenant_id, "user": viewer.user_id, "all": viewer.sees_all, "inboxes": await seen_inboxes(connection, viewer)}


def _said(tenant_id: uuid.UUID, said: TemplateText) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "name": said.name,
        "shortcut": said.shortcut,
        "subject": said.subject,
        "html": said.html,
        "text": said.text,
        "inbox": said.inbox_id,
        "team": said.team_id,
        "user": said.user_id,
        "files": json.dumps(list(said.files)),
    }


def _taken(wrong: IntegrityError) -> Exception:
    return ShortcutTaken() if "uq_templates_shortcut" in str(wrong.orig) else wrong


def _row(r: Any) -> TemplateRow:
    said = TemplateText(r.name, r.shortcut, r.subject, r.body_html, r.body_text, r.inbox_id, r.user_id, tuple(r.files), r.team_id)
    return TemplateRow(r.id, said, r.uses, r.updated_at)
