"""Which people may see an inbox: asked before somebody is named in a note there, or made to follow a conversation of it."""

import uuid
from collections.abc import Sequence

from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import User
from models.enums import Role
from store.visibility import Viewer, may_see

SEES_ALL = frozenset({Role.OWNER.value, Role.ADMIN.value})


async def who_sees(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, people: Sequence[uuid.UUID]
) -> dict[uuid.UUID, bool]:
    """For each of them that works here, whether they may see the inbox; who does not is left out. One question for each: few are named."""
    rows = await connection.execute(
        select(User.id, User.role).where(User.tenant_id == tenant_id, User.id.in_(people), User.deleted_at.is_(None))
    )
    found: dict[uuid.UUID, bool] = {}
    for row in rows.all():
        viewer = Viewer(tenant_id, row.id, row.role in SEES_ALL)
        seen = await connection.execute(select(may_see(viewer, literal(inbox_id))))
        found[row.id] = bool(seen.scalar_one())
    return found
