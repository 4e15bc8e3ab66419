"""The keys that seal are changed while tokens are renewed by processes that know of the change and by some that do not yet; and tokens that
somebody moves about in the database open nowhere else (integrity X-50, X-51).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from activities.accounts import Accounts
from activities.token_keeper import TokenKeeper
from api.inboxes import COLUMN as CREDENTIALS
from commands.keys import rotate_all
from providers.oauth.application import google as at_google
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from store.oauth_grants import COLUMN, SealedTokens, put_grant, read_grant
from store.sealing import CredentialsUnreadable, Sealer
from store.unit_of_work import Database
from tests.activities.mail_room import LOCAL
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as Clone
from tests.servers.gmail_server import GmailServer

OLD, NEW = b"k" * 32, b"n" * 32
BEFORE, AFTER, ALONE = Sealer({"k1": OLD, "k2": NEW}), Sealer({"k2": NEW, "k1": OLD}), Sealer({"k2": NEW})
Key = tuple[uuid.UUID, uuid.UUID]
SERVER = {"host": "mail.example.com", "port": 993, "security": "tls", "username": "ann"}


@dataclass
class Offices:
    """Two tenants with mailboxes at Google, in a database of their own, since a rotation goes through all of it."""

    database: Database
    google: GmailServer
    signing_in: SigningIn
    keys: list[Key] = field(default_factory=list)

    def keeper(self, sealer: Sealer) -> TokenKeeper:
        application = at_google(self.google.oauth.client_id, Secret(self.google.oauth.client_secret), root=self.google.url)
        return TokenKeeper(self.database, sealer, self.signing_in, {"gmail": application})

    async def tenant(self, inboxes: int) -> None:
        tenant = uuid.uuid4()
        async with self.database.system_unit_of_work() as connection:
            await connection.execute(
                text("insert into tenants (id, name, slug) values (:id, 'Test', :slug)"), {"id": tenant, "slug": tenant.hex}
            )
        for _ in range(inboxes):
            await self._inbox(tenant, uuid.uuid4())

    async def _inbox(self, tenant: uuid.UUID, inbox: uuid.UUID) -> None:
        address = f"{inbox.hex[:12]}@example.com"
        values = {"refresh": self.google.oauth.refresh_token(address), "access": self.google.oauth.access_token(address)}
        place = {"tenant_id": str(tenant), "inbox_id": str(inbox)}
        password, password_key = BEFORE.seal({"imap": {"secret": "p"}, "smtp": {"secret": "p"}}, column=CREDENTIALS, **place)
        tokens, tokens_key = BEFORE.seal(values, column=COLUMN, **place)
        async with self.database.unit_of_work(tenant) as connection:
            await connection.execute(
                text(
                    "insert into inboxes (tenant_id, id, name, provider, email_address, connected_at, health, credentials_sealed,"
                    " credentials_key_id) values (:tenant, :id, :address, 'gmail', :address, now(), 'ok', :sealed, :key)"
                ),
                {"tenant": tenant, "id": inbox, "address": address, "sealed": password, "key": password_key},
            )
            await put_grant(
                connection, tenant, inbox, provider="gmail", account=address, scopes=(), tokens=SealedTokens(tokens, tokens_key, 3599)
            )
        self.keys.append((tenant, inbox))

    async def write(self, tenant: uuid.UUID, statement: str, **values: object) -> None:
        async with self.database.unit_of_work(tenant) as connection:
            await connection.execute(text(statement), values)

    async def kept(self, key: Key, sealer: Sealer) -> dict[str, str]:
        async with self.database.unit_of_work(key[0]) as connection:
            grant = await read_grant(connection, *key)
        assert grant is not None
        opened: dict[str, str] = sealer.open(grant.sealed, grant.key_id, tenant_id=str(key[0]), inbox_id=str(key[1]), column=COLUMN)
        return opened


@pytest.fixture
async def offices(database: Clone, google: GmailServer, certificates: Certificates) -> AsyncIterator[Offices]:
    house = Database(database.url, pool_size=8)
    made = Offices(house, google, SigningIn(LOCAL, tls=certificates.client_context()))
    await made.tenant(5)
    await made.tenant(3)
    yield made
    await house.close()


async def test_tokens_are_renewed_while_every_row_changes_its_key(offices: Offices) -> None:
    """Each refresh token is good once, so that one which a rotation wrote over would end its mailbox."""
    offices.google.oauth.rotate = True

    async def renewals(key: Key, sealer: Sealer) -> None:
        for _ in range(4):
            await offices.write(key[0], "update oauth_grants set access_expires_at = now() where inbox_id = :i", i=key[1])
            token = (await offices.keeper(sealer).access_token(*key)).reveal()
            assert offices.google.oauth.grant_of(token) is not None

    # Of two processes one has been started again with the new key; the other still seals with the old one.
    workers = [renewals(key, BEFORE if number % 2 else AFTER) for number, key in enumerate(offices.keys)]
    during, *_ = await asyncio.gather(rotate_all(offices.database, AFTER, batch=2), *workers)
    assert during.unreadable == ()
    assert during.rotated >= len(offices.keys)  # the passwords, and what tokens a renewal had not sealed anew already
    assert offices.google.oauth.refreshes == 4 * len(offices.keys)
    last = await rotate_all(offices.database, AFTER)
    assert (last.left, last.unreadable) == (0, ())
    for key in offices.keys:
        kept = await offices.kept(key, ALONE)
        assert offices.google.oauth.grant_of(kept["access"]) is not None
        await offices.write(key[0], "update oauth_grants set access_expires_at = now() where inbox_id = :i", i=key[1])
        assert (await offices.keeper(ALONE).access_token(*key)).reveal() != kept["access"]


MOVES = {
    "another row": "update oauth_grants set tokens_sealed = :tokens, tokens_key_id = :key where inbox_id = :thief",
    "another column": "update inboxes set credentials_sealed = :tokens, credentials_key_id = :key where id = :thief",
}


@pytest.mark.parametrize("whose", ["same tenant", "other tenant"])
async def test_tokens_that_were_moved_open_nothing(offices: Offices, whose: str) -> None:
    thief = offices.keys[0]
    victim = offices.keys[1 if whose == "same tenant" else -1]
    async with offices.database.unit_of_work(victim[0]) as connection:
        grant = await read_grant(connection, *victim)
    assert grant is not None
    await offices.write(thief[0], MOVES["another row"], tokens=grant.sealed, key=grant.key_id, thief=thief[1])
    for expired in (False, True):
        if expired:
            await offices.write(thief[0], "update oauth_grants set access_expires_at = now() where inbox_id = :i", i=thief[1])
        with pytest.raises(CredentialsUnreadable):
            await offices.keeper(AFTER).access_token(*thief)
    assert offices.google.oauth.refreshes == 0
    outcome = await rotate_all(offices.database, AFTER)
    assert [place.tenant_id for place in outcome.unreadable] == [thief[0]]
    assert outcome.left == 1
    assert (await offices.keeper(AFTER).access_token(*victim)).reveal()


async def test_values_of_one_mailbox_do_not_change_their_column(offices: Offices) -> None:
    """Tokens where the password belongs, and the password where tokens belong, of the very same mailbox."""
    tenant, inbox = offices.keys[0]
    async with offices.database.unit_of_work(tenant) as connection:
        grant = await read_grant(connection, tenant, inbox)
        found = await connection.execute(text("select credentials_sealed, credentials_key_id from inboxes where id = :i"), {"i": inbox})
        password, key_id = found.one()
    assert grant is not None
    accounts = Accounts(offices.database, AFTER)
    settings = '{"imap": {"host": "mail.example.com", "port": 993, "security": "tls", "username": "ann"}}'
    await offices.write(tenant, "update inboxes set provider = 'imap', settings = cast(:s as jsonb) where id = :i", s=settings, i=inbox)
    assert accounts.imap(await accounts.inbox(str(tenant), str(inbox))).secret.reveal() == "p"
    await offices.write(tenant, MOVES["another column"], tokens=grant.sealed, key=grant.key_id, thief=inbox)
    with pytest.raises(CredentialsUnreadable):
        accounts.imap(await accounts.inbox(str(tenant), str(inbox)))
    await offices.write(tenant, MOVES["another row"], tokens=password, key=key_id, thief=inbox)
    with pytest.raises(CredentialsUnreadable):
        await offices.keeper(AFTER).access_token(tenant, inbox)
