"""What a domain says its mail is sent as: the sender's name, Reply-To and where bounces go, for each inbox in it."""

import email
import email.policy
from collections.abc import AsyncIterator

import pytest_asyncio

from contracts.outbound import DeliverOutcome, SendState
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Reply, ScriptedSmtp
from tests.store.desk import open_desk

BOUNCES = "bounces@example.org"


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    """The desk's inbox lies in a domain with every default set."""
    database = Database(module_database.url, pool_size=5)
    made = SendRoom(await open_desk(database))
    await made.connect(scripted_smtp.port)
    await made.desk.rows(
        "insert into domains (tenant_id, name, challenge, from_name, reply_to_address, bounce_address)"
        " values (:tenant, 'example.org', 'c', 'Example Shop', 'answers@example.org', :bounces)",
        bounces=BOUNCES,
    )
    await made.desk.rows(
        "update inboxes set local_part = 'desk', domain_id = (select id from domains where tenant_id = :tenant) where tenant_id = :tenant"
    )
    yield made
    await database.close()


def frozen(room: SendRoom) -> email.message.EmailMessage:
    (raw,) = (v for k, v in room.blobs.objects.items() if k.startswith("out/"))
    return email.message_from_bytes(raw, policy=email.policy.default)


async def test_the_inboxs_own_name_stands_before_the_domains(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    ref = await room.reply()
    assert (await room.compose(ref)).state is SendState.DUE
    mail = frozen(room)
    assert mail["From"] == "Example Desk <desk@example.org>"
    assert mail["Reply-To"] == "answers@example.org"
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert scripted_smtp.accepted[0].mail_from == BOUNCES


async def test_the_domains_name_stands_where_the_inbox_has_none(room: SendRoom) -> None:
    await room.desk.rows("update inboxes set display_name = '' where tenant_id = :tenant")
    assert (await room.compose(await room.reply())).state is SendState.DUE
    assert frozen(room)["From"] == "Example Shop <desk@example.org>"


async def test_a_server_that_refuses_the_bounce_address_is_given_our_own(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    ref = await room.reply()
    await room.compose(ref)
    scripted_smtp.on("mail", Reply("553 5.7.1 not yours"), times=1)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert [m.mail_from for m in scripted_smtp.accepted] == ["desk@example.org"]


async def test_an_automatic_answer_keeps_the_null_sender_and_asks_for_no_answer(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    ref = await room.reply()
    await room.desk.rows("update messages set kind = 'auto_response' where id = :id", id=ref.message_id)
    await room.compose(ref)
    assert frozen(room)["Reply-To"] is None
    await room.deliver(ref)
    assert scripted_smtp.accepted[0].mail_from == ""
