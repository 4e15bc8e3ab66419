"""The tokens of mailboxes at Google and Microsoft as they lie in the database: read, claim a renewal, save, end.

Tokens come in sealed and are not opened here. All times are the database's, so that clocks of workers do not matter.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import GrantPermission
from store.inbox_state import record_ill

__all__ = [
    "COLUMN",
    "GrantPermission",
    "GrantRow",
    "SealedTokens",
    "access_refused",
    "claim_renewal",
    "end_grant",
    "put_grant",
    "read_grant",
    "release_renewal",
    "save_renewed",
]
COLUMN = "tokens_sealed"

READ = text(
    """
    select g.provider, g.permission, g.account, g.tokens_sealed as sealed, g.tokens_key_id as key_id, g.generation, g.ended_reason,
           extract(epoch from g.access_expires_at - now())::float8 as seconds
    from oauth_grants g join inboxes i on i.tenant_id = g.tenant_id and i.id = g.inbox_id
    where g.tenant_id = :tenant and g.inbox_id = :inbox and i.deleted_at is null
    """
)
CLAIM = text(
    """
    update oauth_grants set renewing_until = now() + make_interval(secs => :seconds)
    where tenant_id = :tenant and inbox_id = :inbox and generation = :generation and ended_reason is null
      and (renewing_until is null or renewing_until < now())
    returning id
    """
)
RELEASE = text(
    """
    update oauth_grants set renewing_until = null
    where tenant_id = :tenant and inbox_id = :inbox and generation = :generation
    """
)
SAVE = text(
    """
    update oauth_grants set tokens_sealed = :sealed, tokens_key_id = :key_id, generation = generation + 1,
      access_expires_at = now() + make_interval(secs => :seconds), renewing_until = null, renewed_at = now(),
      refresh_expires_at = coalesce(now() + make_interval(secs => cast(:refresh_seconds as float8)), refresh_expires_at)
    where tenant_id = :tenant and inbox_id = :inbox and generation = :generation
    returning id
    """
)
END = text(
    """
    update oauth_grants set ended_reason = :reason, renewing_until = null
    where tenant_id = :tenant and inbox_id = :inbox and generation = :generation and ended_reason is null
    returning id
    """
)
REFUSED = text(
    """
    update oauth_grants set access_expires_at = now(), refused_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and generation = :generation and ended_reason is null
      and (refused_at is null or refused_at < now() - make_interval(secs => :seconds))
    returning id
    """
)
PUT = text(
    """
    insert into oauth_grants (tenant_id, inbox_id, provider, account, scopes, permission, tokens_sealed, tokens_key_id,
      access_expires_at, refresh_expires_at)
    values (:tenant, :inbox, :provider, :account, :scopes, :permission, :sealed, :key_id,
      now() + make_interval(secs => :seconds), now() + make_interval(secs => cast(:refresh_seconds as float8)))
    on conflict (tenant_id, inbox_id) do update set provider = excluded.provider, account = excluded.account,
      scopes = excluded.scopes, tokens_sealed = excluded.tokens_sealed, tokens_key_id = excluded.tokens_key_id,
      access_expires_at = excluded.access_expires_at, generation = oauth_grants.generation + 1, renewing_until = null,
      permission = excluded.permission, refresh_expires_at = excluded.refresh_expires_at, refused_at = null,
      ended_reason = null, granted_at = now(), renewed_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One mailbox's tokens, sealed. `seconds` is how long the access token is still good, negative when it is not."""

    provider: str
    permission: str
    account: str
    sealed: bytes
    key_id: str
    generation: int
    ended_reason: str | None
    seconds: float

    def __repr__(self) -> str:
        return f"GrantRow(generation {self.generation})"


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """A pair to be saved. `seconds` is the life of the access token from now on, `refresh_seconds` that of the refresh token where
    the provider told it.
    """

    sealed: bytes
    key_id: str
    seconds: int
    refresh_seconds: int | None = None

    def __repr__(self) -> str:
        return "SealedTokens(hidden)"


async def read_grant(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> GrantRow | None:
    """The grant, or None when nobody ever granted one, or the inbox is unknown, foreign or deleted."""
    row = (await connection.execute(READ, {"tenant": tenant_id, "inbox": inbox_id})).mappings().first()
    return None if row is None else GrantRow(**row)


async def put_grant(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    provider: str,
    account: str,
    scopes: Sequence[str],
    tokens: SealedTokens,
    permission: str = "delegated",
) -> None:
    """What a person has just granted takes the place of whatever was there. A renewal under way then saves nothing."""
    bound = {"provider": provider, "account": account, "scopes": list(scopes), "permission": permission}
    await connection.execute(PUT, {"tenant": tenant_id, "inbox": inbox_id, **bound, **_pair(tokens)})


async def claim_renewal(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, generation: int, claimed: dt.timedelta
) -> bool:
    """True for one caller at a time; the claim ends by itself after `claimed`."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "generation": generation, "seconds": claimed.total_seconds()}
    return (await connection.execute(CLAIM, bound)).first() is not None


async def release_renewal(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, generation: int
) -> None:
    """The renewal failed for now; the next caller may try."""
    await connection.execute(RELEASE, {"tenant": tenant_id, "inbox": inbox_id, "generation": generation})


async def save_renewed(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, generation: int, tokens: SealedTokens
) -> bool:
    """Both tokens at once. False: somebody saved newer ones meanwhile, and these are of no use."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "generation": generation, **_pair(tokens)}
    return (await connection.execute(SAVE, bound)).first() is not None


async def access_refused(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, generation: int, again: dt.timedelta
) -> bool:
    """The provider did not take the access token before its time: it counts as expired, so that the next one who asks renews it.
    False when this was done less than `again` ago, or newer tokens were saved meanwhile.
    """
    bound = {"tenant": tenant_id, "inbox": inbox_id, "generation": generation, "seconds": again.total_seconds()}
    return (await connection.execute(REFUSED, bound)).first() is not None


async def end_grant(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    generation: int,
    *,
    reason: str,
    sentence: str,
) -> bool:
    """The provider says that it is over: the inbox is disconnected and says why. False, and nothing is changed, when newer
    tokens were saved meanwhile: the refusal was of the old ones. Twice is once.
    """
    bound = {"tenant": tenant_id, "inbox": inbox_id, "generation": generation, "reason": reason}
    if (await connection.execute(END, bound)).first() is None:
        return False
    await record_ill(connection, tenant_id, inbox_id, sentence=sentence, refused=True, final=True)
    return True


def _pair(tokens: SealedTokens) -> dict[str, object]:
    return {
        "sealed": tokens.sealed,
        "key_id": tokens.key_id,
        "seconds": tokens.seconds,
        "refresh_seconds": tokens.refresh_seconds,
    }
