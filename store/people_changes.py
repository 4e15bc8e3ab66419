"""What becomes of people: changed, removed, invited, given a password. Each writes its event in the same transaction.

Whoever may not work in an inbox any more hands back what they had there: a conversation whose agent cannot open it is lost.
"""

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import ApiKey, InboxMember, Invitation, Session, TeamMember, User
from store.assignment_moves import Move, move_conversations
from store.event_log import NewEvent, append_events
from store.visibility import Viewer

INVITATION_DAYS = 3
TOKEN_BYTES = 32
# Under one lock for all who are asked at once: of two owners who leave at the same time the second finds the first gone.
OWNERS = text("select id from users where tenant_id = :tenant and role = 'owner' and deleted_at is null order by id for no key update")
# In any state but an end: what is done stays with whoever did it.
HELD_BY = text(
    """
    select c.id, c.team_id, c.assigned_to from conversations c
    where c.tenant_id = :tenant and c.assigned_to = any(cast(:users as uuid[])) and c.status in ('open', 'pending', 'snoozed')
      and c.merged_into is null and c.deleted_at is null
    order by c.id for no key update
    """
)
UNSEEN = text(
    """
    select c.id, c.team_id, c.assigned_to from conversations c join users u on u.tenant_id = c.tenant_id and u.id = c.assigned_to
    where c.tenant_id = :tenant and c.assigned_to is not null and c.status in ('open', 'pending', 'snoozed')
      and c.merged_into is null and c.deleted_at is null and u.role not in ('owner', 'admin')
      and c.inbox_id in (select i.id from inboxes i where i.tenant_id = :tenant
        and (exists (select from inbox_members m where m.tenant_id = :tenant and m.inbox_id = i.id)
          or exists (select from inbox_teams t where t.tenant_id = :tenant and t.inbox_id = i.id)))
      and not exists (select from inbox_members m
        where m.tenant_id = :tenant and m.inbox_id = c.inbox_id and m.user_id = c.assigned_to)
      and not exists (select from inbox_teams t join team_members m on m.tenant_id = t.tenant_id and m.team_id = t.team_id
        where t.tenant_id = :tenant and t.inbox_id = c.inbox_id and m.user_id = c.assigned_to)
    order by c.id for no key update of c
    """
)


class OnlyOwners(Exception):
    """Only an owner may do this to an owner, or make one."""


class LastOwner(Exception):
    """The organisation would have no owner left."""


@dataclass(frozen=True, slots=True)
class Removed:
    """`handed_back` conversations wait again; of the keys that the person made, `api_keys` still work, the others were revoked."""

    handed_back: int
    api_keys: int
    api_keys_revoked: int


async def change_person(
    connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, changes: Mapping[str, Any], *, by_owner: bool
) -> bool:
    """Set `name`, `role`, `capacity`, `skills`, `languages` or `seniority`; False when there is nobody of that id.

    Raises OnlyOwners, LastOwner. Values that stand already tell nobody.
    """
    owners = await _owners(connection, viewer.tenant_id)
    row = (
        await connection.execute(
            select(User.name, User.role, User.capacity, User.skills, User.languages, User.seniority)
            .where(User.tenant_id == viewer.tenant_id, User.id == user_id, User.deleted_at.is_(None))
            .with_for_update(key_share=True)
        )
    ).first()
    if row is None:
        return False
    role = changes.get("role", row.role)
    if not by_owner and "owner" in (role, row.role):
        raise OnlyOwners
    if row.role == "owner" and role != "owner" and owners == [user_id]:
        raise LastOwner
    new = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not new:
        return True
    await connection.execute(
        update(User).where(User.tenant_id == viewer.tenant_id, User.id == user_id).values(**new)
    )
    payload: dict[str, Any] = {"user_id": str(user_id), "changed": sorted(new)}
    payload |= {n: v for n, v in new.items() if n in ("role", "capacity", "seniority")}
    if "role" in new:
        payload["role_from"] = row.role
    await tell(connection, viewer, "user.updated", payload)
    if new.get("role") == "viewer":
        await hand_back_all(connection, viewer, [user_id], "Handed back: may only read now.")
    elif "role" in new:
        await hand_back_unseen(connection, viewer)
    return True


async def remove_person(
    connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, *, by_owner: bool, keep_api_keys: bool = False
) -> Removed | None:
    """Ends their sessions, invitations and keys, takes them out of teams and inboxes, hands their conversations back. The address
    can be used again; what they wrote keeps their name. `keep_api_keys` leaves the keys that they made to the machines that
    use them. None when there is nobody of that id. Raises OnlyOwners, LastOwner.
    """
    owners = await _owners(connection, viewer.tenant_id)
    mine = (User.tenant_id == viewer.tenant_id, User.id == user_id)
    row = (await connection.execute(select(User.role).where(*mine, User.deleted_at.is_(None)).with_for_update(key_share=True))).first()
    if row is None:
        return None
    if row.role == "owner" and not by_owner:
        raise OnlyOwners
    if owners == [user_id]:
        raise LastOwner
    await connection.execute(
        update(User)
        .where(*mine)
        .values(
            deleted_at=func.now(), email_key=f"removed:{user_id}", password_hash=None, status="offline", status_chosen="offline"
        )
    )
    for table in (Session, Invitation, TeamMember, InboxMember):
        await connection.execute(delete(table).where(table.tenant_id == viewer.tenant_id, table.user_id == user_id))
    count = await hand_back_all(connection, viewer, [user_id], "Handed back: has left.")
    kept, revoked = await _end_keys(connection, viewer, user_id, keep=keep_api_keys)
    payload = {"user_id": str(user_id), "handed_back": count, "api_keys_kept": kept, "api_keys_revoked": revoked}
    await tell(connection, viewer, "user.removed", payload)
    return Removed(count, kept, revoked)


async def invite(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, *, by_owner: bool) -> tuple[str, dt.datetime] | None:
    """A new token by which this person sets a password, and when it ends; older ones end now. None when nobody has that id.

    Raises OnlyOwners: a link to an owner's account is the account.
    """
    mine = (User.tenant_id == viewer.tenant_id, User.id == user_id, User.deleted_at.is_(None))
    row = (await connection.execute(select(User.role).where(*mine).with_for_update(key_share=True))).first()
    if row is None:
        return None
    if row.role == "owner" and not by_owner:
        raise OnlyOwners
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await _forget_invitations(connection, viewer.tenant_id, user_id)
    ends = await connection.execute(
        insert(Invitation)
        .values(
            tenant_id=viewer.tenant_id,
            user_id=user_id,
            token_sha256=hashlib.sha256(token.encode()).digest(),
            expires_at=func.now() + dt.timedelta(days=INVITATION_DAYS),
        )
        .returning(Invitation.expires_at)
    )
    await tell(connection, viewer, "user.invited", {"user_id": str(user_id)})
    return token, ends.scalar_one()


async def accept_invitation(connection: AsyncConnection, token: str, password_hash: str) -> bool:
    """Set the password of whom the token means; False for one that is unknown, used or over. Of two at once one is taken.

    All sessions of the person end: whoever had the account before has it no more. As the system.
    """
    row = (
        await connection.execute(
            delete(Invitation)
            .where(
                Invitation.token_sha256 == hashlib.sha256(token.encode()).digest(), Invitation.expires_at > func.now()
            )
            .returning(Invitation.tenant_id, Invitation.user_id)
        )
    ).first()
    if row is None:
        return False
    await set_password(connection, row.tenant_id, row.user_id, password_hash)
    return True


async def set_password(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    user_id: uuid.UUID,
    password_hash: str,
    *,
    keep_session: uuid.UUID | None = None,
) -> None:
    """Every other session of the person and every open invitation ends with it."""
    await connection.execute(
        update(User)
        .where(User.tenant_id == tenant_id, User.id == user_id, User.deleted_at.is_(None))
        .values(password_hash=password_hash)
    )
    ended = delete(Session).where(Session.tenant_id == tenant_id, Session.user_id == user_id)
    await connection.execute(ended if keep_session is None else ended.where(Session.id != keep_session))
    await _forget_invitations(connection, tenant_id, user_id)
    event = NewEvent("user.password", tenant_id, actor=f"user:{user_id}", payload={"user_id": str(user_id)})
    await append_events(connection, [event])


async def hand_back_all(connection: AsyncConnection, viewer: Viewer, users: Sequence[uuid.UUID], reason: str) -> int:
    """Everything these people had goes back to its queue; how much it was."""
    rows = await connection.execute(HELD_BY, {"tenant": viewer.tenant_id, "users": list(users)})
    return await _back(connection, viewer, rows.all(), reason)


async def hand_back_unseen(connection: AsyncConnection, viewer: Viewer) -> int:
    """What lies with somebody who may not see its inbox any more goes back to its queue."""
    rows = await connection.execute(UNSEEN, {"tenant": viewer.tenant_id})
    return await _back(connection, viewer, rows.all(), "Handed back: no longer a member of this inbox.")


async def tell(connection: AsyncConnection, viewer: Viewer, kind: str, payload: Mapping[str, Any]) -> None:
    """Append an event about people, teams or policies: for clients, and for the page that says who changed what."""
    await append_events(connection, [NewEvent(kind, viewer.tenant_id, actor=viewer.actor, payload=payload)])


async def _end_keys(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, *, keep: bool) -> tuple[int, int]:
    """How many keys of this person stay, and how many were revoked, each told. The row of the person is locked: see `make_key`."""
    theirs = (ApiKey.tenant_id == viewer.tenant_id, ApiKey.created_by == user_id, ApiKey.revoked_at.is_(None))
    if keep:
        return (await connection.execute(select(func.count()).where(*theirs))).scalar_one(), 0
    ended = await connection.execute(update(ApiKey).where(*theirs).values(revoked_at=func.now()).returning(ApiKey.id))
    keys = sorted(ended.scalars())
    for key in keys:
        await tell(connection, viewer, "api_key.revoked", {"key_id": str(key), "user_id": str(user_id)})
    return 0, len(keys)


async def _back(connection: AsyncConnection, viewer: Viewer, rows: Sequence[Any], reason: str) -> int:
    moves = [Move(r.id, None, r.team_id, "auto", reason, by_id=viewer.user_id, was=r.assigned_to) for r in rows]
    await move_conversations(connection, viewer.tenant_id, moves, actor=viewer.actor)
    return len(moves)


async def _owners(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[uuid.UUID]:
    return list((await connection.execute(OWNERS, {"tenant": tenant_id})).scalars())


async def _forget_invitations(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> None:
    await connection.execute(
        delete(Invitation).where(Invitation.tenant_id == tenant_id, Invitation.user_id == user_id)
    )
