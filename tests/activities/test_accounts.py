"""Accounts come from the row and its sealed value, and from nowhere else."""

import dataclasses
import datetime as dt
import uuid
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError

from activities.accounts import AccessToken, Accounts
from providers.errors import AuthFailed
from providers.mail_api import MailApiSource
from providers.secret import Secret
from store.inbox_state import InboxState
from store.sealing import CredentialsUnreadable, Sealer
from store.unit_of_work import Database

SEALER = Sealer({"k1": b"k" * 32})
NOWHERE = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
PLACE = {"host": "mail.example.org", "port": 993, "security": "tls", "username": "desk", "auth": "password"}


def inbox(**settings: object) -> InboxState:
    tenant, own = uuid.uuid4(), uuid.uuid4()
    sealed, key = SEALER.seal(
        {"imap": {"secret": "imap-opens"}, "smtp": {"secret": "smtp-opens"}},
        tenant_id=str(tenant),
        inbox_id=str(own),
        column="credentials_sealed",
    )
    return InboxState(
        tenant_id=tenant, id=own, provider="imap", email_address="desk@example.org",
        settings={"imap": PLACE, "smtp": {**PLACE, "port": 465}, **settings}, credentials_sealed=sealed,
        credentials_key_id=key, health="ok", connected_at=None, paused_at=None, last_sync_at=None, auth_failures=0,
        max_syncs_per_hour=60, backfill_days=30, created_at=dt.datetime.now(dt.UTC), auto_response_enabled=False,
    )  # fmt: skip


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(NOWHERE, SEALER)


def test_both_accounts_have_their_own_secret(accounts: Accounts) -> None:
    row = inbox()
    imap, smtp = accounts.imap(row), accounts.smtp(row)
    assert smtp.secret is not None
    assert (imap.host, imap.port, imap.secret.reveal()) == ("mail.example.org", 993, "imap-opens")
    assert (smtp.port, smtp.username, smtp.secret.reveal()) == (465, "desk", "smtp-opens")
    assert imap.verify_tls
    assert not accounts.imap(inbox(verify_tls=False)).verify_tls
    assert "imap-opens" not in repr(imap)
    assert "desk@" not in repr(row)


def test_a_relay_without_user_has_no_secret(accounts: Accounts) -> None:
    smtp = accounts.smtp(inbox(smtp={"host": "relay.example.org", "port": 25, "security": "plain"}))
    assert (smtp.username, smtp.secret) == (None, None)


@pytest.mark.parametrize("wrong", [{}, {"host": "h"}, {**PLACE, "security": "none"}, {**PLACE, "auth": "magic"}])
def test_settings_that_cannot_be_used_are_not_connected(accounts: Accounts, wrong: dict[str, object]) -> None:
    with pytest.raises(ApplicationError) as error:
        accounts.imap(inbox(imap=wrong))
    assert error.value.type == "NotConnected"


def test_a_sealed_value_of_another_inbox_does_not_open(accounts: Accounts) -> None:
    with pytest.raises(CredentialsUnreadable):
        accounts.imap(dataclasses.replace(inbox(), id=uuid.uuid4()))


class Keeper:
    async def access_token(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Secret:
        return Secret(f"{tenant_id}/{inbox_id}")


async def test_a_mailbox_behind_a_web_api_is_opened_with_its_own_token() -> None:
    def make(row: InboxState, token: AccessToken) -> MailApiSource:
        made.append(token)
        return cast(MailApiSource, row)

    made: list[AccessToken] = []
    accounts = Accounts(NOWHERE, SEALER, tokens=Keeper(), sources={"gmail": make})
    row = dataclasses.replace(inbox(), provider="gmail")
    assert accounts.mail_api(row) is cast(object, row)
    assert (await made[0]()).reveal() == f"{row.tenant_id}/{row.id}"
    with pytest.raises(AuthFailed):
        accounts.mail_api(dataclasses.replace(row, health="auth_failed"))
    assert accounts.mail_api(dataclasses.replace(row, health="auth_failed"), ask=True)


@pytest.mark.parametrize("provider", ["imap", "graph"])
def test_without_a_source_or_a_keeper_of_tokens_it_is_not_connected(provider: str) -> None:
    row = dataclasses.replace(inbox(), provider=provider)
    sources = {"graph": lambda *_: cast(MailApiSource, row)}
    for accounts in (Accounts(NOWHERE, SEALER, sources=sources), Accounts(NOWHERE, SEALER, tokens=Keeper())):
        with pytest.raises(ApplicationError) as error:
            accounts.mail_api(row)
        assert error.value.type == "NotConnected"
