"""Access tokens of mailboxes at Google and Microsoft: remembered, renewed in time by one at a time, saved with what rotated.

Dies after the provider answered and before the save: the answer is lost. Google does not rotate, and Entra leaves the old
refresh token good, so the next renewal works from the old one. A provider that ends the old one at once refuses that renewal:
the grant is over, the inbox says so, and a person connects it again. Runs twice: the later save finds another generation and
gives way. Runs late: the claim has run out, somebody else renewed, and the late one gives way too.

A token that is refused before its time (401) is reported by whoever used it: it counts as expired, one of those who ask next
renews it, and only where the new one is refused as well is the sign-in called refused. Within `AGAIN` nobody renews for that
reason a second time, so that a provider that refuses everything is not asked for tokens without end.
"""

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers.errors import AuthFailed, AuthUnavailable, ProviderError, Unreachable
from providers.oauth.application import Application
from providers.oauth.signing_in import SigningIn, Tokens
from providers.secret import Secret
from store.oauth_grants import (
    COLUMN,
    GrantPermission,
    GrantRow,
    SealedTokens,
    access_refused,
    claim_renewal,
    end_grant,
    read_grant,
    release_renewal,
    save_renewed,
)
from store.sealing import Sealer
from store.unit_of_work import Database

EARLY = 300.0  # a token with fewer seconds left is renewed
USABLE = 30.0  # one with fewer is not handed out: the call that uses it has to arrive
REMEMBERED = 60.0  # a mailbox that was connected anew is used within this time by every process
RENEWAL_SECONDS = 20.0
CLAIMED = dt.timedelta(seconds=45)  # longer than a renewal and its save, so that two never overlap
AGAIN = dt.timedelta(minutes=5)
PATIENCE = 60.0
PAUSE = 0.25
ENDED = "The permission for this mailbox has ended. Connect it again."

Key = tuple[uuid.UUID, uuid.UUID]


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: Secret
    until: float


class TokenKeeper:
    """`applications` by provider (`gmail`, `graph`). One for each process; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        signing_in: SigningIn,
        applications: Mapping[str, Application],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._signing_in = signing_in
        self._applications = applications
        self._clock = clock
        self._remembered: dict[Key, _Remembered] = {}
        self._running: dict[Key, asyncio.Task[Secret]] = {}

    async def access_token(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Secret:
        """A token that is good now. Raises AuthFailed when a person has to connect the mailbox (again), AuthUnavailable or
        Unreachable when a later try may work, CredentialsUnreadable when the key is lost.

        All callers of this process share one look. One that is cancelled leaves it running: what rotated must be saved.
        """
        key = (tenant_id, inbox_id)
        kept = self._remembered.get(key)
        if kept is not None and self._clock() < kept.until:
            return kept.token
        running = self._running.get(key)
        if running is None:
            running = asyncio.create_task(self._looked_up(key))
            self._running[key] = running
            running.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(running)

    async def refused(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID, token: Secret) -> None:
        """The provider did not take `token` (401). Whoever asks next gets another one, if there can be another. Late or twice:
        a token that is no longer the kept one, or that was reported already, changes nothing.
        """
        key = (tenant_id, inbox_id)
        kept = self._remembered.get(key)
        if kept is not None and kept.token == token:
            del self._remembered[key]
        async with self._database.unit_of_work(tenant_id) as connection:
            grant = await read_grant(connection, *key)
            if grant is None or grant.ended_reason is not None or self._opened(key, grant)[1] != token:
                return
            await access_refused(connection, *key, grant.generation, AGAIN)

    def _ended(self, key: Key, done: "asyncio.Task[Secret]") -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # its callers may all be gone

    async def _looked_up(self, key: Key) -> Secret:
        self._remembered.pop(key, None)
        deadline = self._clock() + PATIENCE
        while self._clock() < deadline:
            async with self._database.unit_of_work(key[0]) as connection:
                grant = await read_grant(connection, *key)
                if grant is None:
                    raise AuthFailed("not_granted", "Nobody has connected this mailbox yet. Connect it on the inbox page.")
                if grant.ended_reason is not None:
                    raise AuthFailed(grant.ended_reason, ENDED)
                mine = grant.seconds < EARLY and await claim_renewal(connection, *key, grant.generation, CLAIMED)
            if mine:
                renewed = await self._renewed(key, grant)
                if renewed is not None:
                    return renewed
            elif grant.seconds >= USABLE:  # good, or good enough while another process renews it
                return self._remember(key, self._opened(key, grant)[1], grant.seconds)
            else:
                await asyncio.sleep(PAUSE)
        raise AuthUnavailable("renewal_waits")

    async def _renewed(self, key: Key, grant: GrantRow) -> Secret | None:
        """None when somebody else saved newer tokens meanwhile."""
        try:
            refresh, access = self._opened(key, grant)
            application = self._application(grant.provider)
            async with asyncio.timeout(RENEWAL_SECONDS):
                tokens = await self._asked(grant, application, refresh)
        except AuthFailed as error:
            async with self._database.unit_of_work(key[0]) as connection:
                ended = await end_grant(
                    connection, *key, grant.generation, reason=error.reason, sentence=error.sentence
                )
            if ended:
                raise
            return None
        except (ProviderError, TimeoutError) as error:
            await self._released(key, grant)
            if grant.seconds >= USABLE:
                return self._remember(key, access, grant.seconds)
            raise error if isinstance(error, ProviderError) else Unreachable("answer_timeout") from None
        except BaseException:
            await self._released(key, grant)
            raise
        sealed, key_id = self._sealer.seal(
            {"refresh": (tokens.refresh or refresh).reveal(), "access": tokens.access.reveal()},
            tenant_id=str(key[0]),
            inbox_id=str(key[1]),
            column=COLUMN,
        )
        async with self._database.unit_of_work(key[0]) as connection:
            if not await save_renewed(connection, *key, grant.generation, _saved(sealed, key_id, tokens)):
                return None
        return self._remember(key, tokens.access, tokens.seconds)

    async def _asked(self, grant: GrantRow, application: Application, refresh: Secret) -> Tokens:
        if grant.permission == GrantPermission.APPLICATION:
            return await self._signing_in.for_application(application)
        return await self._signing_in.refresh(application, refresh)

    async def _released(self, key: Key, grant: GrantRow) -> None:
        async with self._database.unit_of_work(key[0]) as connection:
            await release_renewal(connection, *key, grant.generation)

    def _application(self, provider: str) -> Application:
        found = self._applications.get(provider)
        if found is None:
            raise AuthUnavailable(
                "application_missing", "The operator has not set a client id and secret for this provider."
            )
        return found

    def _opened(self, key: Key, grant: GrantRow) -> tuple[Secret, Secret]:
        """Refresh and access token."""
        values = self._sealer.open(
            grant.sealed, grant.key_id, tenant_id=str(key[0]), inbox_id=str(key[1]), column=COLUMN
        )
        return Secret(str(values["refresh"])), Secret(str(values["access"]))

    def _remember(self, key: Key, token: Secret, seconds: float) -> Secret:
        """Not past the moment from which the token is to be renewed; not at all when that has come."""
        spare = min(seconds - EARLY, REMEMBERED)
        if spare > 0:
            self._remembered[key] = _Remembered(token, self._clock() + spare)
        return token


def _saved(sealed: bytes, key_id: str, tokens: Tokens) -> SealedTokens:
    return SealedTokens(sealed, key_id, tokens.seconds, tokens.refresh_seconds)
