"""An inbox on a mailbox behind a web API: the steps of the inbound flow, and a stand-in instead of the provider."""

import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from activities.accounts import Accounts, MailboxToken, TokenKeeper, graph_mailbox
from activities.api_balance import ApiBalance
from activities.connect import Connecting
from activities.inbound_fetch import InboundFetch
from activities.inbound_watch import InboundWatch
from providers.errors import AuthFailed
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.quota import QuotaBudgets
from providers.gmail.source import GmailSource
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.graph.source import GraphSource
from providers.mail_api import MailApiSource
from providers.secret import Secret
from store.inbox_state import InboxState
from tests.activities.mail_room import LOCAL, SEALER, MailRoom


async def no_wait(_: float) -> None:
    """Waiting for a provider takes no time here."""


@dataclass
class Tokens:
    """Hands out what `make` makes; `ended` is a grant that ended."""

    make: Callable[[], str]
    ended: bool = False
    asked: int = 0

    async def access_token(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Secret:
        self.asked += 1
        if self.ended:
            raise AuthFailed
        return Secret(self.make())

    async def refused(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID, token: Secret) -> None:
        """Nothing: the next token is another one anyway."""


@dataclass
class ApiRoom(MailRoom):
    """`sources` make the source as the worker's roof does; page sizes are small so that a few mails need several."""

    provider: str = "gmail"
    make_token: Callable[[], str] = str
    root: str = ""
    tls: ssl.SSLContext | None = None
    page: int = 500
    keeper: TokenKeeper | None = None
    budgets: QuotaBudgets = field(default_factory=QuotaBudgets)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tokens = Tokens(self.make_token)
        self.accounts = Accounts(
            self.database, SEALER, tokens=self.keeper or self.tokens, sources={"gmail": self._gmail, "graph": self._graph}
        )
        self.connecting = Connecting(self.database, self.pool, self.accounts, LOCAL)
        self.fetching = InboundFetch(self.database, self.blobs, self.pool, self.accounts)
        self.watching = InboundWatch(self.database, self.pool, self.accounts, poll_seconds=1.0)

    def _gmail(self, inbox: InboxState, token: MailboxToken) -> MailApiSource:
        endpoint = GmailEndpoint(self.root, LOCAL, self.tls)
        account = GmailAccount(token, refused=token.refused, endpoint=endpoint, budget=self.budgets.of(str(inbox.id)), sleep=no_wait)
        return GmailSource(account, page=self.page)

    def _graph(self, inbox: InboxState, token: MailboxToken) -> MailApiSource:
        endpoint = GraphEndpoint(self.root, policy=LOCAL, tls=self.tls)
        account = GraphAccount(
            token, refused=token.refused, mailbox=graph_mailbox(inbox), endpoint=endpoint, sleep=no_wait
        )
        return GraphSource(account, page_size=self.page)

    async def open(self) -> "ApiRoom":
        """Make the inbox, connected, as a person's consent leaves it."""
        await super().open()
        await self.rows(
            """
            update inboxes set provider = :provider, settings = '{}', credentials_sealed = null, credentials_key_id = null,
              connected_at = now(), health = 'ok' where tenant_id = :tenant and id = :id
            """,
            id=self.inbox_id,
            provider=self.provider,
        )
        return self

    async def settle(self) -> None:
        """Passes until none has anything left to do."""
        for _ in range(50):
            report = await self.fetch()
            assert report.failure is None, report
            while (await self.ingest()).remaining:
                pass
            if not report.more:
                return
        raise AssertionError("the passes do not end")

    async def subjects(self) -> list[str]:
        rows = await self.rows(
            "select subject from messages where inbox_id = :i order by id", i=self.inbox_id
        )
        return [str(row["subject"]) for row in rows]

    async def message(self, subject: str) -> dict[str, Any]:
        (row,) = await self.rows(
            "select * from messages where inbox_id = :i and subject = :s", i=self.inbox_id, s=subject
        )
        return row

    async def ledger(self) -> dict[str, dict[str, Any]]:
        """Rows by the provider's id, with the role of the folder each lies in."""
        rows = await self.rows(
            "select l.*, f.role from ledger l left join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id"
            " where l.inbox_id = :i",
            i=self.inbox_id,
        )
        assert len(rows) == len({row["provider_message_id"] for row in rows})
        return {row["provider_message_id"]: row for row in rows}

    async def gaps(self) -> list[dict[str, Any]]:
        return await self.rows("select * from gaps where inbox_id = :i order by id", i=self.inbox_id)

    async def aged(self, days: int) -> None:
        """As if the inbox had been made so many days ago."""
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await connection.execute(
                text("update inboxes set created_at = now() - make_interval(days => :d) where id = :i"),
                {"d": days, "i": self.inbox_id},
            )


def between(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something that happens once, after the next pass has read the changes and before it lists for its sheet."""
    real = ApiBalance._relisted

    async def relisted(balance: ApiBalance, *given: Any) -> Any:
        monkeypatch.setattr(ApiBalance, "_relisted", real)
        happens()
        return await real(balance, *given)

    monkeypatch.setattr(ApiBalance, "_relisted", relisted)
