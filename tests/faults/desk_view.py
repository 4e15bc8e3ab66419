"""What people at the desk see through the API, against the rows; and what a stranger's key sees: nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx
from sqlalchemy import Connection, text

from tests.faults.findings import Findings

MOST_READ = 40  # conversations that are read whole; all of them are listed
LISTS: Mapping[str, Mapping[str, int]] = {"/v1/conversations": {"limit": 200}, "/v1/inboxes": {}, "/v1/quarantine": {"limit": 200}}


async def ask(api: httpx.AsyncClient, path: str, **query: Any) -> httpx.Response:
    """One GET, patient with the API's own limits."""
    for _ in range(20):
        answer = await api.get(path, params=query)
        if answer.status_code not in {429, 503}:
            assert answer.status_code in {200, 404}, f"GET {path} answers {answer.status_code} {answer.text}"
            return answer
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
    raise AssertionError(f"GET {path} answers {answer.status_code} and goes on to")


async def every(api: httpx.AsyncClient, path: str, **query: Any) -> AsyncIterator[Mapping[str, Any]]:
    """Every item of a paged list."""
    after = None
    while True:
        page = (await ask(api, path, **query, **({"after": after} if after else {}))).raise_for_status().json()
        for item in page["items"]:
            yield item
        after = page.get("next")
        if after is None:
            return


async def check_desk(api: httpx.AsyncClient, connection: Connection, tenant_id: str, found: Findings) -> None:
    """Every conversation is listed once with its row's numbers, its messages can be read, and sends say what their row says."""
    rows = {
        str(row.id): row
        for row in connection.execute(
            text(
                """
                select id, message_count, unread_count, unknown_sends from conversations
                where tenant_id = :tenant and merged_into is null and deleted_at is null
                """
            ),
            {"tenant": tenant_id},
        )
    }
    listed: dict[str, Mapping[str, Any]] = {}
    async for item in every(api, "/v1/conversations", limit=200):
        if item["id"] in listed:
            found.add("duplicate", f"conversation {item['id']} is listed twice")
        listed[item["id"]] = item
    found.add_all("lost", "a conversation is not listed", rows.keys() - listed.keys())
    found.add_all("orphaned", "a conversation is listed that no row has", listed.keys() - rows.keys())
    for one in rows.keys() & listed.keys():
        row, item = rows[one], listed[one]
        said = (item["message_count"], item["unread_count"], item["has_unknown_send"])
        if said != (row.message_count, row.unread_count, row.unknown_sends > 0):
            found.add("orphaned", f"conversation {one} is shown with other numbers than its row's")
    await _read_some(api, connection, rows.keys() & listed.keys(), found)


async def _read_some(api: httpx.AsyncClient, connection: Connection, ids: Iterable[str], found: Findings) -> None:
    sending = text("select id, send_status from messages where conversation_id = :id and send_status is not null")
    counting = text("select count(*) from messages where conversation_id = :id")
    with_sends = connection.execute(
        text("select distinct conversation_id::text from messages where send_status is not null and conversation_id is not null")
    )
    known = set(ids)
    first = [one for one in with_sends.scalars() if one in known]
    for one in [*first, *sorted(known - set(first))][:MOST_READ]:
        shown = {m["id"]: m async for m in every(api, f"/v1/conversations/{one}/messages", limit=200)}
        if len(shown) != connection.execute(counting, {"id": one}).scalar_one():
            found.add("lost", f"conversation {one} does not show all its messages")
        for row in connection.execute(sending, {"id": one}):
            message = shown.get(str(row.id))
            if message is not None and message["send"]["status"] != row.send_status:
                found.add("limbo", f"message {row.id} is shown as {message['send']['status']} and is {row.send_status}")


async def check_stranger(api: httpx.AsyncClient, foreign: Mapping[str, str], found: Findings) -> None:
    """`api` carries a stranger's key; `foreign` maps kinds (conversations, messages, inboxes) to one id of somebody else."""
    for path, query in LISTS.items():
        async for item in every(api, path, **query):
            found.add("leaked", f"a stranger is shown {path}/{item.get('id')}")
    for kind, one in foreign.items():
        answer = await ask(api, f"/v1/{kind}/{one}")
        unknown = await ask(api, f"/v1/{kind}/00000000-0000-7000-8000-000000000000")
        if answer.status_code == 200:
            found.add("leaked", f"a stranger who asks for one of the {kind} is answered")
        elif answer.content != unknown.content:
            found.add("leaked", f"a stranger can tell a foreign one of the {kind} from an unknown one")
