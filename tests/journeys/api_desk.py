"""A team's inbox at Gmail or Microsoft 365 in a running Mailroom: the stand-ins as other programs use them, and the way through consent."""

import email
import email.policy
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.journeys.driver import Mailroom, letter, until
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_oauth import TENANT
from tests.servers.graph_server import GraphServer

CARLA = "carla@customers.example.com"
DORA = "dora@customers.example.com"  # her mailbox refuses mail, and nothing automatic is sent there again
DAY = 86_400.0


@dataclass
class Team:
    """The team's mailbox at one provider, as other programs and other people handle it."""

    name: str
    box: GmailMailbox | GraphMailbox
    faults: Any
    send: str  # the call that sends
    expire: Callable[[], None]

    def put(self, raw: bytes, where: str = "inbox", *, at: float | None = None, read: bool = False) -> str:
        if isinstance(self.box, GmailMailbox):
            labels = [{"inbox": "INBOX", "sent": "SENT", "junk": "SPAM"}[where]]
            return self.box.deliver(raw, (*labels, *(() if read else ("UNREAD",))), at=at)
        folder = {"inbox": "inbox", "sent": "sentitems", "junk": "junkemail"}[where]
        when = datetime.fromtimestamp(at or time.time(), UTC)
        return self.box.deliver(raw, folder, received_at=when, read=read).immutable_id

    def mark_read(self, mail_id: str) -> None:
        if isinstance(self.box, GmailMailbox):
            self.box.modify(mail_id, remove=["UNREAD"])
        else:
            self.box.update(mail_id, is_read=True)

    def unspam(self, mail_id: str) -> None:
        if isinstance(self.box, GmailMailbox):
            self.box.modify(mail_id, add=["INBOX"], remove=["SPAM"])
        else:
            self.box.move(mail_id, "inbox")

    def sent_about(self, words: str) -> list[Any]:
        """Mails that the provider took, whose text holds `words`."""
        return [mail for mail in self.box.accepted if words in text_of(mail.raw)]

    def thread_of(self, mail_id: str) -> str:
        if isinstance(self.box, GmailMailbox):
            return self.box.mails[mail_id].thread_id
        item = self.box.items[mail_id]
        return str(header(item.raw, "References") or header(item.raw, "Message-ID")).split()[0]


@dataclass
class Desk:
    """A running Mailroom and one inbox of it."""

    room: Mailroom
    team: Team
    inbox: dict[str, Any]

    async def ledger(self) -> dict[str, dict[str, Any]]:
        rows = await self.room.items(f"/v1/inboxes/{self.inbox['id']}/ledger", limit=200)
        return {row["provider_message_id"]: row for row in rows}

    async def look(self) -> None:
        await self.room.post(f"/v1/inboxes/{self.inbox['id']}/resync", {"scope": "new"}, status=202)

    async def about(self, subject: str) -> dict[str, Any]:
        await self.look()
        return await self.room.conversation_about(subject, self.inbox)

    async def joined(self, conversation: dict[str, Any], count: int) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]] | None:
            messages = await self.room.messages(conversation["id"])
            if len(messages) < count:
                await self.look()
            return messages if len(messages) == count else None

        return await until(f"{count} messages in the conversation", look)  # type: ignore[no-any-return]


def header(raw: bytes, name: str) -> str | None:
    value = email.message_from_bytes(raw, policy=email.policy.default)[name]
    return None if value is None else str(value)


def text_of(raw: bytes) -> str:
    body = email.message_from_bytes(raw, policy=email.policy.default).get_body(("plain",))
    return "" if body is None else str(body.get_content())


def address_at(provider: str) -> str:
    return f"{provider}-desk@mailroom.example.com"


def question(team: "Team", subject: str, text: str = "Please.", sender: str = CARLA, **more: Any) -> bytes:
    return letter(sender, team.box.address, subject, text, **more).as_bytes()


def environment(google: GmailServer, graph: GraphServer) -> dict[str, str]:
    root = google.url.replace("localhost", "127.0.0.1")
    return {
        "MAILROOM_GOOGLE_CLIENT_ID": google.oauth.client_id,
        "MAILROOM_GOOGLE_CLIENT_SECRET": google.oauth.client_secret,
        "MAILROOM_GOOGLE_URL": root,
        "MAILROOM_MICROSOFT_CLIENT_ID": graph.login.client_id,
        "MAILROOM_MICROSOFT_CLIENT_SECRET": graph.login.client_secret,
        "MAILROOM_MICROSOFT_TENANT": TENANT,
        "MAILROOM_MICROSOFT_LOGIN_URL": f"{graph.url}/",
        "MAILROOM_MICROSOFT_GRAPH_URL": graph.root,
    }


async def consented(room: Mailroom, provider: str, address: str) -> str:
    """As a browser: sign in, agree on the stand-in's page, come back. The inbox's id."""
    home = room.stack["api_url"]
    async with httpx.AsyncClient(base_url=home, trust_env=False, headers={"Origin": home, "X-Mailroom": "1"}) as browser:
        answer = await browser.post("/v1/session", json=room.stack["sign_in"])
        assert answer.status_code in (200, 201, 204), answer.text
        name = f"Team at {provider}"
        begun = await browser.post(
            "/v1/inboxes/oauth/start", json={"provider": provider, "email_address": address, "name": name}
        )
        assert begun.status_code == 200, begun.text
        agreed = await browser.get(begun.json()["url"])
        assert agreed.status_code in (302, 303), agreed.text
        back = await browser.get(agreed.headers["location"])
        assert back.status_code == 303, back.text
        place = back.headers["location"]
        assert "oauth_error" not in place
    return place.rpartition("/")[2]


async def balanced(desk: Desk) -> None:
    """New sheets: what lies at the provider has its row, and the other way round."""
    room, path = desk.room, f"/v1/inboxes/{desk.inbox['id']}"
    before = {a["id"] for a in await room.items(f"{path}/audits")}
    await room.post(f"{path}/audit", status=202)

    async def drawn() -> list[dict[str, Any]] | None:
        new = [a for a in await room.items(f"{path}/audits") if a["id"] not in before and a["reason"] == "asked"]
        return new if len(new) >= (1 if desk.team.name == "gmail" else 2) else None

    for sheet in await until("new sheets are drawn up", drawn):
        assert (sheet["missing"], sheet["extra"], sheet["seen"], sheet["quarantined"]) == (0, 0, 0, 0), sheet
