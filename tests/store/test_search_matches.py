"""Mails are written, indexed and searched as people type: who, where, which form of a word, in which script; and what is marked."""

import uuid

import pytest
import pytest_asyncio
from sqlalchemy import text

from store import conversation_search
from store.bulk import new_id
from store.conversation_keys import ListFilter
from store.conversation_list import list_conversations
from store.search import index_messages
from store.search_query import BadSearch
from store.unit_of_work import Database
from store.visibility import Viewer

# number: sender, recipients, subject, body, files
MAILS = {
    1: ("Carla Customer <carla@shop.example.com>", ["desk@example.org"], "Printer on fire", "It burns since the invoice came. Smoke everywhere.", []),
    2: ("Bob <bob@example.net>", ["desk@example.org", "Ada Boss <ada.boss@shop.example.com>"], "Two invoices", "We were shipping them twice.", ["Final report-2024.pdf"]),
    3: ("Grete <grete@example.de>", ["desk@example.org"], "Drucker", "Die Häuser sind nicht fertig und der Drucker ist kaputt. Das Café hat zu.", []),
    4: ("田中 <tanaka@example.jp>", ["desk@example.org"], "請求書について", "東京都庁の請求書をお送りください。", []),
    5: ("Nina <nina@example.com>", ["desk@example.org"], "Logo", "See the picture, carla said.", ["logo.png"]),
    6: ("Zoë Müller <zoe@example.fr>", ["desk@example.org"], "Réunion à Besançon", "Nous avons payé la réparation, merci. Le cafe\u0301 était fermé.", ["résumé.pdf"]),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(module_database):
    database = Database(module_database.url, pool_size=2)
    tenant, inbox, agent, tag = (new_id() for _ in range(4))
    async with database.unit_of_work(tenant) as connection:

        async def run(statement: str, **bound) -> None:
            await connection.execute(text(statement), {"t": tenant, **bound})

        await run("insert into tenants (id, name, slug) values (:t, 'Search', :s)", s=tenant.hex)
        await run("insert into users (tenant_id, id, email, email_key, name) values (:t, :id, :m, :m, 'Ada Agent')", id=agent, m=f"{agent.hex}@example.org")
        await run("insert into inboxes (tenant_id, id, name, email_address) values (:t, :id, 'Help desk', 'help@example.org')", id=inbox)
        await run("insert into tags (tenant_id, id, name) values (:t, :id, 'VIP mail')", id=tag)
        for number, (sender, recipients, subject, body, files) in MAILS.items():
            conversation, message = new_id(), new_id()
            name, _, address = sender.rstrip(">").partition(" <")
            await run(
                "insert into conversations (tenant_id, id, number, inbox_id, subject, status, unread_count, assigned_to, last_message_at)"
                " values (:t, :id, :n, :i, :s, :status, :unread, :agent, timestamptz '2025-03-01 12:00Z' + interval '1 day' * :n)",
                id=conversation, n=number, i=inbox, s=subject, status="open" if number % 2 else "closed",
                unread=int(number == 1), agent=agent if number == 2 else None,
            )  # fmt: skip
            await run(
                "insert into messages (tenant_id, id, conversation_id, inbox_id, direction, classification, sender_type, from_name, from_address,"
                " subject, body_text, sent_at) values (:t, :id, :c, :i, 'inbound', 'message', 'customer', :name, :address, :s, :b, now())",
                id=message, c=conversation, i=inbox, name=name, address=address, s=subject, b=body,
            )  # fmt: skip
            for place, recipient in enumerate(recipients):
                whom, _, where = recipient.rstrip(">").rpartition(" <")
                await run(
                    "insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key, name)"
                    " values (:t, :m, 'to', :p, :a, :a, :n)",
                    m=message, p=place, a=where, n=whom,
                )  # fmt: skip
            for file in files:
                await run(
                    "insert into attachments (tenant_id, message_id, filename, content_type, size_bytes, sha256, storage_key, disposition)"
                    " values (:t, :m, :f, 'x/y', 1, 'x', 'x', :d)",
                    m=message, f=file, d="inline" if file == "logo.png" else "attachment",
                )  # fmt: skip
            if number == 3:
                await run("insert into conversation_tags (tenant_id, conversation_id, tag_id) values (:t, :c, :g)", c=conversation, g=tag)
        assert await index_messages(connection, tenant) == len(MAILS)
    yield database, Viewer(tenant, agent, True)
    await database.close()


async def search(desk, words: str):
    database, viewer = desk
    async with database.unit_of_work(viewer.tenant_id) as connection:
        page = await list_conversations(connection, viewer, ListFilter(search=words, me=viewer.user_id), after=None, limit=50)
    return page.items


@pytest.fixture(params=[5_000, 0], ids=["by the index", "down the list"])
def both_ways(request, monkeypatch):
    monkeypatch.setattr(conversation_search, "FREQUENT", request.param)
    monkeypatch.setattr(conversation_search, "UNKNOWN", 0)  # a table that was never analysed knows no word


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("printer", {1}),
        ("invoice", {1, 2}),
        ("invoices", {1, 2}),
        ('"invoices"', {2}),
        ("ship", {2}),
        ("shipped", {2}),
        ("Haus", {3}),
        ("häuser", {3}),
        ("Druckern", {3}),
        ("café", {3, 6}),
        ("cafe", {3, 6}),
        ("hauser", {3}),
        ("reunions", {6}),
        ("réparations", {6}),
        ("reparations", {6}),
        ('"avons paye"', {6}),
        ("subject:reunion", {6}),
        ("subject:besancon", {6}),
        ("filename:resume", {6}),
        ("from:zoe", {6}),
        ("from:muller", {6}),
        ("from:mueller", {6}),
        ("from:mülle", {6}),
        ("print", {1}),
        ("burn smoke", {1}),
        ("burn shipping", set()),
        ("burns or shipping", {1, 2}),
        ("invoice -printer", {2}),
        ("carla", {1, 5}),
        ("from:carla", {1}),
        ("from:car", {1}),
        ("from:shop.example.com", {1}),
        ("from:@shop.example.com", {1}),
        ("shop.example.com", {1, 2}),
        ("to:shop.example.com", {2}),
        ("to:ada.boss", {2}),
        ("to:ada", {2}),
        ("from:ada", set()),
        ("carla@shop.example.com", {1}),
        ("subject:invoice", {2}),
        ("subject:burns", set()),
        ("filename:report", {2}),
        ("filename:report-2024.pdf", {2}),
        ("filename:final", {2}),
        ("filename:printer", set()),
        ("report", {2}),
        ("has:attachment", {2, 6}),
        ("-has:attachment", {1, 3, 4, 5}),
        ("from:carla has:attachment", set()),
        ("東京", {4}),
        ("都庁", {4}),
        ("京都", {4}),
        ("京東", set()),
        ("庁", {4}),
        ("請求書", {4}),
        ("subject:請求書", {4}),
        ("subject:東京", set()),
        ("from:田中", {4}),
        ("is:unread", {1}),
        ("is:open invoice", {1}),
        ("status:closed", {2, 4, 6}),
        ("-is:open", {2, 4, 6}),
        ("is:mine", {2}),
        ("assigned:ada", {2}),
        ("assigned:none -from:carla", {3, 4, 5, 6}),
        ('tag:"vip MAIL"', {3}),
        ("-tag:none-such-is-refused", None),
        ('inbox:"help desk" printer', {1}),
        ("before:2025-03-03", {1}),
        ("after:2025-03-05", {4, 5, 6}),
        ("after:2025-03-03 before:2025-03-05", {2, 3}),
        ("#3", {3}),
        ("'quoted' & <-> | :* !(", set()),
        ("!!!", set()),
    ],
)
async def test_what_is_found(desk, both_ways, words, numbers) -> None:
    if numbers is None:
        with pytest.raises(BadSearch, match="no tag"):
            await search(desk, words)
        return
    assert {row.number for row in await search(desk, words)} == numbers


def marked(piece: str, marks) -> list[str]:
    return [piece[a:b] for a, b in marks]


@pytest.mark.parametrize(
    ("words", "number", "field", "hits", "in_subject"),
    [
        ("invoice", 1, "body", ["invoice"], []),
        ("invoice", 2, "subject", ["invoices"], ["invoices"]),
        ("smoke burn", 1, "body", ["burns", "Smoke"], []),
        ("Haus", 3, "body", ["Häuser"], []),
        ("cafe", 3, "body", ["Café"], []),
        ("cafe", 6, "body", ["café"], []),
        ("reunion", 6, "subject", ["Réunion"], ["Réunion"]),
        ("from:mueller", 6, "people", ["Müller"], []),
        ('"since the invoice"', 1, "body", ["since the invoice"], []),
        ("東京", 4, "body", ["東京"], []),
        ("from:carla", 1, "people", ["Carla", "carla"], []),
        ("filename:report", 2, "file", ["report"], []),
        ("printer", 1, "subject", ["Printer"], ["Printer"]),
        ("#3", 3, "number", [], []),
        ("is:unread invoice", 1, "body", ["invoice"], []),
    ],
)
async def test_what_is_marked(desk, words, number, field, hits, in_subject) -> None:
    row = next(r for r in await search(desk, words) if r.number == number)
    assert row.match is not None
    assert (row.match.field, marked(row.match.snippet, row.match.marks)) == (field, hits)
    assert marked(row.subject, row.match.subject_marks) == in_subject
    assert (row.match.message_id is None) == (field == "number")


async def test_conditions_alone_mark_nothing(desk) -> None:
    assert [r.match for r in await search(desk, "is:unread")] == [None]


async def test_a_desk_of_strangers_finds_nothing(desk) -> None:
    database, _ = desk
    stranger = Viewer(uuid.uuid4(), None, True)
    assert list(await search((database, stranger), "printer")) == []
