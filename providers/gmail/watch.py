"""Asking Gmail to announce changes through Pub/Sub. An announcement is a wake-up only: it may come late, twice or never."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from providers.errors import NotThere, ProtocolBroken, Refused
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailApi
from providers.gmail.transport import CheckedHttp


@dataclass(frozen=True, slots=True)
class WatchGrant:
    """What Google granted: it ends at `expires_at` (aware UTC, at most seven days away), `history_id` is now."""

    expires_at: datetime
    history_id: str


class GmailWatch:
    """`topic` is `projects/<project>/topics/<topic>`, to which gmail-api-push@system.gserviceaccount.com may publish."""

    def __init__(self, account: GmailAccount, topic: str) -> None:
        self._account = account
        self._topic = topic

    async def start(self) -> WatchGrant:
        """Watch the whole mailbox: a reply does not inherit its thread's labels, so a filter would miss it.

        Doing it again renews it and grants a new end; there is one watch for a mailbox and project, so twice is harmless.
        Raises Refused `topic_refused` where Google may not publish to the topic or there is none.
        """

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.users.watch(userId="me", body={"topicName": self._topic}).execute(http=connection)

        try:
            answer = await self._account.repeatable(work, units=self._account.costs.watch)
        except (Refused, NotThere):
            raise Refused(
                "topic_refused",
                "Google may not announce changes to the Pub/Sub topic. Check its name, and grant the role Pub/Sub "
                "Publisher on it to gmail-api-push@system.gserviceaccount.com.",
            ) from None
        try:
            return WatchGrant(
                datetime.fromtimestamp(int(answer["expiration"]) / 1000, UTC), str(answer["historyId"])
            )
        except (KeyError, TypeError, ValueError):
            raise ProtocolBroken from None

    async def stop(self) -> None:
        """End the announcements. Nothing happens where there is no watch."""

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.users.stop(userId="me").execute(http=connection)

        await self._account.repeatable(work, units=self._account.costs.watch)
