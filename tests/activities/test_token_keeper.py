"""Tokens are renewed by one at a time, in time, and what rotated is kept; a grant that ended disconnects the inbox and says why."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from activities import token_keeper
from activities.token_keeper import TokenKeeper
from providers.egress import EgressPolicy
from providers.errors import AuthFailed, AuthUnavailable, ProtocolBroken, Unreachable
from providers.oauth.application import Application, google
from providers.oauth.signing_in import SigningIn, Tokens
from providers.secret import Secret
from store.oauth_grants import COLUMN, SealedTokens, put_grant, read_grant
from store.unit_of_work import Database
from tests.activities.mail_room import LOCAL, SEALER
from tests.servers.certificates import Certificates
from tests.servers.gmail_server import GmailServer

ADDRESS = "team@example.com"


class Counted(SigningIn):
    """Renews at the stand-in. `fault` is raised instead; `gate`, when set, is waited for after the provider has answered."""

    def __init__(self, policy: EgressPolicy, tls: ssl.SSLContext) -> None:
        super().__init__(policy, tls=tls)
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.answered = asyncio.Event()

    async def refresh(self, application: Application, refresh: Secret) -> Tokens:
        if self.fault is not None:
            raise self.fault
        tokens = await super().refresh(application, refresh)
        self.answered.set()
        if self.gate is not None:
            await self.gate.wait()
        return tokens


@dataclass
class Office:
    """One inbox at Google, and keepers as several processes have them."""

    database: Database
    google: GmailServer
    signing_in: Counted
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID

    def keeper(self) -> TokenKeeper:
        application = google(self.google.oauth.client_id, Secret(self.google.oauth.client_secret), root=self.google.url)
        return TokenKeeper(self.database, SEALER, self.signing_in, {"gmail": application})

    async def granted(self, *, seconds: int, refresh: str | None = None) -> str:
        """What a person's consent leaves; the access token's life is `seconds`."""
        access = self.google.oauth.access_token(ADDRESS)
        values = {"refresh": refresh or self.google.oauth.refresh_token(ADDRESS), "access": access}
        sealed, key_id = SEALER.seal(
            values, tenant_id=str(self.tenant_id), inbox_id=str(self.inbox_id), column=COLUMN
        )
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await put_grant(
                connection,
                self.tenant_id,
                self.inbox_id,
                provider="gmail",
                account=ADDRESS,
                scopes=(),
                tokens=SealedTokens(sealed, key_id, seconds),
            )
        return access

    async def token(self, keeper: TokenKeeper | None = None) -> str:
        return (await (keeper or self.keeper()).access_token(self.tenant_id, self.inbox_id)).reveal()

    async def row(self, statement: str) -> dict[str, Any]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            return dict((await connection.execute(text(statement), {"i": self.inbox_id})).mappings().one())

    async def kept(self) -> dict[str, Any]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            grant = await read_grant(connection, self.tenant_id, self.inbox_id)
        assert grant is not None
        return SEALER.open(
            grant.sealed, grant.key_id, tenant_id=str(self.tenant_id), inbox_id=str(self.inbox_id), column=COLUMN
        )

    async def claim_dies(self) -> None:
        """As a process leaves it that was killed while it renewed."""
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await connection.execute(text("update oauth_grants set renewing_until = now() + interval '1 hour'"))

    async def claim_runs_out(self) -> None:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await connection.execute(text("update oauth_grants set renewing_until = now() - interval '1 second'"))


@pytest_asyncio.fixture
async def office(mail_database: Database, google: GmailServer, certificates: Certificates) -> AsyncIterator[Office]:
    google.add_mailbox(ADDRESS)
    signing_in = Counted(LOCAL, certificates.client_context())
    office = Office(mail_database, google, signing_in, uuid.uuid4(), uuid.uuid4())
    async with mail_database.system_unit_of_work() as connection:
        await connection.execute(
            text("insert into tenants (id, name, slug) values (:id, 'Test', :slug)"),
            {"id": office.tenant_id, "slug": office.tenant_id.hex},
        )
    async with mail_database.unit_of_work(office.tenant_id) as connection:
        await connection.execute(
            text(
                "insert into inboxes (tenant_id, id, name, provider, email_address, connected_at, health)"
                " values (:tenant, :id, 'Team', 'gmail', :address, now(), 'ok')"
            ),
            {"tenant": office.tenant_id, "id": office.inbox_id, "address": ADDRESS},
        )
    yield office


async def test_a_good_token_is_handed_out_as_it_is(office: Office) -> None:
    access = await office.granted(seconds=3599)
    assert await office.token() == access
    assert office.google.oauth.refreshes == 0


async def test_fifty_callers_are_one_renewal(office: Office) -> None:
    old = await office.granted(seconds=0)
    keeper = office.keeper()
    found = await asyncio.gather(*(office.token(keeper) for _ in range(50)))
    assert len(set(found)) == 1
    assert found[0] != old
    assert office.google.oauth.grant_of(found[0]) is not None
    assert office.google.oauth.refreshes == 1


async def test_processes_wait_for_the_one_that_renews(office: Office) -> None:
    await office.granted(seconds=0)
    found = await asyncio.gather(*(office.token() for _ in range(5)))
    assert len(set(found)) == 1
    assert office.google.oauth.refreshes == 1


async def test_a_rotated_refresh_token_is_kept_sealed(office: Office) -> None:
    office.google.oauth.rotate = True
    await office.granted(seconds=0)
    before = (await office.kept())["refresh"]
    access = await office.token()
    kept = await office.kept()
    assert kept["access"] == access
    assert kept["refresh"] != before
    await office.granted(seconds=0, refresh=kept["refresh"])
    assert await office.token() != access  # the new one is good


async def test_a_caller_that_is_cancelled_does_not_lose_what_rotated(office: Office) -> None:
    office.google.oauth.rotate = True
    await office.granted(seconds=0)
    before = (await office.kept())["refresh"]
    office.signing_in.gate = asyncio.Event()
    keeper = office.keeper()
    caller = asyncio.create_task(office.token(keeper))
    await office.signing_in.answered.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    office.signing_in.gate.set()
    assert await office.token(keeper) == (await office.kept())["access"]
    assert (await office.kept())["refresh"] != before
    assert office.google.oauth.refreshes == 1


async def test_who_died_while_renewing_leaves_the_old_token_usable(office: Office) -> None:
    access = await office.granted(seconds=200)  # so late that it is to be renewed
    await office.claim_dies()
    assert await office.token() == access
    await office.claim_runs_out()
    assert await office.token() != access
    assert office.google.oauth.refreshes == 1


async def test_the_claim_of_a_dead_renewer_is_waited_for_with_a_bound(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_keeper, "PATIENCE", 0.3)
    await office.granted(seconds=0)
    await office.claim_dies()
    with pytest.raises(AuthUnavailable, match="renewal_waits"):
        await office.token()


async def test_a_renewal_that_fails_for_now_leaves_the_old_token_and_the_next_try(office: Office) -> None:
    access = await office.granted(seconds=200)
    office.signing_in.fault = Unreachable()
    assert await office.token() == access
    office.signing_in.fault = None
    assert await office.token() != access


@pytest.mark.parametrize("fault", [Unreachable(), AuthUnavailable("secret_expired"), ProtocolBroken()])
async def test_what_passes_or_is_the_operators_does_not_disconnect(office: Office, fault: Exception) -> None:
    await office.granted(seconds=0)
    office.signing_in.fault = fault
    with pytest.raises(type(fault)):
        await office.token()
    inbox = await office.row("select health, connected_at from inboxes where id = :i")
    assert inbox["health"] == "ok"
    assert inbox["connected_at"] is not None


async def test_a_grant_that_ended_disconnects_says_why_and_is_not_asked_again(office: Office) -> None:
    await office.granted(seconds=0)
    office.google.oauth.revoke_all(ADDRESS)
    for _ in range(3):
        with pytest.raises(AuthFailed, match="grant_revoked"):
            await office.token()
    assert office.google.oauth.refreshes == 1
    inbox = await office.row("select health, connected_at, last_error from inboxes where id = :i")
    assert inbox["health"] == "auth_failed"
    assert inbox["connected_at"] is None
    assert "Connect the mailbox again" in inbox["last_error"]
    event = await office.row("select type, payload from events where inbox_id = :i")
    assert (event["type"], event["payload"]) == ("inbox.health", {"health": "auth_failed"})
    access = await office.granted(seconds=3599)  # a person connects it anew
    assert await office.token() == access


async def test_a_refusal_of_old_tokens_does_not_end_new_ones(office: Office) -> None:
    await office.granted(seconds=0)
    office.signing_in.gate = asyncio.Event()
    keeper = office.keeper()
    caller = asyncio.create_task(office.token(keeper))
    await office.signing_in.answered.wait()
    access = await office.granted(seconds=3599)  # connected anew while the old ones are being renewed
    office.signing_in.gate.set()
    assert await caller == access
    assert (await office.kept())["access"] == access


async def test_nobody_has_granted_anything_or_it_is_another_tenants(office: Office) -> None:
    with pytest.raises(AuthFailed, match="not_granted"):
        await office.token()
    await office.granted(seconds=3599)
    with pytest.raises(AuthFailed, match="not_granted"):
        await office.keeper().access_token(uuid.uuid4(), office.inbox_id)


async def test_without_an_application_the_operator_is_named(office: Office) -> None:
    await office.granted(seconds=0)
    keeper = TokenKeeper(office.database, SEALER, office.signing_in, {})
    with pytest.raises(AuthUnavailable, match="operator"):
        await office.token(keeper)


async def test_an_answer_that_was_lost_with_its_new_token_ends_the_grant_and_says_so(office: Office) -> None:
    office.google.oauth.rotate = True  # and the old one ends at once, which neither Google nor Entra does
    await office.granted(seconds=0)
    application = google(office.google.oauth.client_id, Secret(office.google.oauth.client_secret), root=office.google.url)
    await office.signing_in.refresh(application, Secret((await office.kept())["refresh"]))  # dies here, before the save
    with pytest.raises(AuthFailed, match="grant_revoked"):
        await office.token()
    assert (await office.row("select connected_at from inboxes where id = :i"))["connected_at"] is None


async def test_a_token_refused_before_its_time_is_renewed_once_by_whoever_asks(office: Office) -> None:
    access = await office.granted(seconds=3599)
    keepers = [office.keeper() for _ in range(5)]
    assert {await office.token(keeper) for keeper in keepers} == {access}

    async def reported(keeper: TokenKeeper) -> str:
        await keeper.refused(office.tenant_id, office.inbox_id, Secret(access))
        return await office.token(keeper)

    found = await asyncio.gather(*(reported(keeper) for keeper in keepers * 10))
    assert len(set(found)) == 1
    assert found[0] != access
    assert office.google.oauth.refreshes == 1


async def test_a_new_token_that_is_refused_as_well_is_not_renewed_again_at_once(office: Office) -> None:
    access = await office.granted(seconds=3599)
    keeper = office.keeper()
    await keeper.refused(office.tenant_id, office.inbox_id, Secret(access))
    renewed = await office.token(keeper)
    await keeper.refused(office.tenant_id, office.inbox_id, Secret(renewed))
    assert await office.token(keeper) == renewed  # so its user says that the sign-in is refused
    assert office.google.oauth.refreshes == 1
    async with office.database.unit_of_work(office.tenant_id) as connection:
        await connection.execute(text("update oauth_grants set refused_at = now() - interval '6 minutes'"))
    await keeper.refused(office.tenant_id, office.inbox_id, Secret(renewed))
    assert await office.token(keeper) != renewed


async def test_a_late_report_about_an_older_token_changes_nothing(office: Office) -> None:
    old = await office.granted(seconds=0)
    keeper = office.keeper()
    access = await office.token(keeper)
    await keeper.refused(office.tenant_id, office.inbox_id, Secret(old))
    await keeper.refused(uuid.uuid4(), office.inbox_id, Secret(access))
    assert await office.token(office.keeper()) == access
    assert office.google.oauth.refreshes == 1
