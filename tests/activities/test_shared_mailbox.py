"""A mailbox that another account opens, or the application by itself, is read and sent from as its own, with the worker's own makers."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from activities.accounts import Accounts, MailboxToken
from activities.inbound_fetch import InboundFetch
from activities.token_keeper import TokenKeeper
from providers.oauth.application import microsoft
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from store.oauth_grants import COLUMN, GrantPermission, SealedTokens, put_grant
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import LOCAL, SEALER, letter
from tests.servers.certificates import Certificates
from tests.servers.graph_oauth import TENANT
from tests.servers.graph_server import GraphServer
from worker_steps import api_makers

SHARED, PERSON = "team@example.org", "ada@example.org"


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest_asyncio.fixture
async def room(
    mail_database: Any, blobs: Any, parsers: Any, graph: GraphServer, certificates: Certificates
) -> AsyncIterator[ApiRoom]:
    graph.mailbox(SHARED).delegates.add(PERSON)
    graph.mailbox(PERSON).deliver(letter(1, subject="private"))
    login = graph.login
    application = microsoft(
        login.client_id, Secret(login.client_secret), tenant=TENANT, root=f"{graph.url}/", graph=graph.root
    )
    signing_in = SigningIn(LOCAL, tls=certificates.client_context())
    keeper = TokenKeeper(mail_database, SEALER, signing_in, {"graph": application})
    made = await ApiRoom(
        mail_database, blobs, parsers, port=1, user="", password="", provider="graph", root=graph.root, keeper=keeper,
    ).open()  # fmt: skip
    makers = api_makers(LOCAL, graph_url=graph.root)
    made.accounts = Accounts(
        mail_database, SEALER, tokens=keeper, sources=makers.sources, senders=makers.senders
    )
    made.fetching = InboundFetch(mail_database, blobs, made.pool, made.accounts)
    await made.rows(
        "update inboxes set settings = cast(:s as jsonb), email_address = :a where id = :i",
        i=made.inbox_id, s=json.dumps({"graph": {"mailbox": SHARED}}), a=SHARED,
    )  # fmt: skip
    yield made
    await made.close()


async def granted(room: ApiRoom, tokens: dict[str, str], permission: GrantPermission, *, seconds: int) -> None:
    inbox_id = uuid.UUID(str(room.inbox_id))
    sealed, key_id = SEALER.seal(
        tokens, tenant_id=str(room.tenant_id), inbox_id=str(inbox_id), column=COLUMN
    )
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await put_grant(
            connection, uuid.UUID(str(room.tenant_id)), inbox_id, provider="graph", account=PERSON, scopes=(),
            tokens=SealedTokens(sealed, key_id, seconds), permission=permission,
        )  # fmt: skip


def by_a_person(graph: GraphServer) -> tuple[dict[str, str], GrantPermission, int]:
    login = graph.login
    tokens = {"refresh": login.refresh_token(PERSON), "access": login.access_token(PERSON)}
    return tokens, GrantPermission.DELEGATED, 3600


def by_the_application(_: GraphServer) -> tuple[dict[str, str], GrantPermission, int]:
    """Its token has run out: it is got anew without a refresh token."""
    return {"refresh": "", "access": "gone"}, GrantPermission.APPLICATION, 0


@pytest.mark.parametrize("way", [by_a_person, by_the_application])
async def test_a_mailbox_of_others_is_read_and_sent_from(
    room: ApiRoom, graph: GraphServer, way: Callable[[GraphServer], tuple[dict[str, str], GrantPermission, int]]
) -> None:
    tokens, permission, seconds = way(graph)
    await granted(room, tokens, permission, seconds=seconds)
    shared = graph.mailboxes[SHARED]
    shared.send_as.add(PERSON)
    shared.deliver(letter(2, subject="to the team"))
    await room.settle()
    assert await room.subjects() == ["to the team"]

    inbox = await room.accounts.inbox(str(room.tenant_id), str(room.inbox_id))
    sender = room.accounts.mail_api_sender(inbox)
    raw = letter(3, subject="from the team", sender=SHARED)
    draft = await sender.prepare(raw)
    sent = await sender.submit(draft)
    await sender.close()
    assert sent.id
    assert [b"from the team" in one.raw for one in shared.accepted] == [True]
    assert graph.mailboxes[PERSON].accepted == []
    assert isinstance(room.accounts.token_of(inbox), MailboxToken)


async def test_a_mailbox_that_the_account_may_not_open_is_refused_with_the_remedy(room: ApiRoom, graph: GraphServer) -> None:
    tokens, permission, seconds = by_a_person(graph)
    await granted(room, tokens, permission, seconds=seconds)
    graph.mailboxes[SHARED].delegates.clear()
    report = await room.fetch()
    assert (report.failure, report.health) == ("AuthFailed", "auth_failed")
    (row,) = await room.rows("select last_error from inboxes where id = :i", i=room.inbox_id)
    assert "full access" in row["last_error"]
