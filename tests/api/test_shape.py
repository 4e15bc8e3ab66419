"""Merging, taking apart, splitting and passing on, as a client asks for them."""

import uuid

import pytest

from tests.api.world import NOW, World


async def second(world: World) -> uuid.UUID:
    other = await world.conversation(43, subject="Invoice", customer_message_count=1, message_count=1)
    await world.message(other, subject="Invoice", body_text="Where is it?")
    return other


async def test_a_merged_one_names_its_survivor_and_comes_back(world: World) -> None:
    one, other = world.ids["conversation"], await second(world)
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{other}/merge", json={"into": str(one)})
        assert (answer.status_code, answer.json()["id"]) == (200, str(one))
        assert (await agent.get(f"/v1/conversations/{other}")).json()["merged_into"] == str(one)
        (merged,) = (await agent.get(f"/v1/conversations/{one}/shape")).json()["merged"]
        assert (merged["id"], merged["number"], merged["can_unmerge"]) == (str(other), 43, True)

        again = await agent.post(f"/v1/conversations/{one}/merge", json={"into": str(other)})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/same-conversation")

        back = await agent.post(f"/v1/conversations/{other}/unmerge")
        assert (back.status_code, back.json()["message_count"], back.json()["merged_into"]) == (200, 1, None)
        assert (await agent.get(f"/v1/conversations/{one}/shape")).json()["merged"] == []


async def test_across_inboxes_nothing_is_merged(world: World) -> None:
    sales = await world.insert("inboxes", name="Sales", email_address="sales@example.org", settings={"imap": {}})
    other = await world.conversation(43, inbox_id=sales)
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{other}/merge", json={"into": str(world.ids["conversation"])})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/other-inbox")


async def test_a_target_that_is_hidden_is_as_unknown_as_none(world: World) -> None:
    hidden = await world.insert("inboxes", name="Board", email_address="board@example.org", settings={"imap": {}})
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=world.people["admin"]
    )
    secret = await world.conversation(43, inbox_id=hidden)
    answers = []
    async with world.client() as agent:
        for target in (secret, uuid.uuid4()):
            path = f"/v1/conversations/{world.ids['conversation']}/merge"
            answer = await agent.post(path, json={"into": str(target)})
            answers.append((answer.status_code, answer.json()["errors"]))
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1][0]["field"]) == (422, "into")


async def test_a_split_answers_with_the_new_conversation(world: World) -> None:
    one = world.ids["conversation"]
    later = await world.message(one, subject="Re: Invoice")
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{one}/split", json={"message_ids": [str(later)]})
        made = answer.json()
        assert (answer.status_code, made["subject"], made["message_count"]) == (200, "Re: Invoice", 1)
        assert made["number"] != 42
        foreign = await agent.post(f"/v1/conversations/{one}/split", json={"message_ids": [str(later)]})
    assert (foreign.status_code, foreign.json()["errors"][0]["field"]) == (422, "message_ids")


async def test_a_topic_of_its_own_is_told_and_can_be_dismissed(world: World) -> None:
    one = world.ids["conversation"]
    strange = await world.message(one, subject="Summer party")
    await world.rows(
        "insert into split_suggestions (tenant_id, conversation_id, normalized_subject, message_id)"
        " values (:tenant, :c, 'summer party', :m)",
        c=one,
        m=strange,
    )
    async with world.client() as agent:
        topic = (await agent.get(f"/v1/conversations/{one}/shape")).json()["topic"]
        assert topic == {"subject": "Summer party", "message_ids": [str(strange)]}
        assert (await agent.delete(f"/v1/conversations/{one}/topic")).json()["topic"] is None


async def test_a_message_is_passed_on_in_a_conversation_of_its_own(world: World) -> None:
    one, message = world.ids["conversation"], world.ids["message"]
    asked = {"message_id": str(message), "to": [{"address": "repair@example.net", "name": "Repair"}], "note": "Can you?"}
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{one}/forward", json=asked, headers={"Idempotency-Key": "k1"})
        repeat = await agent.post(f"/v1/conversations/{one}/forward", json=asked, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, repeat.status_code) == (201, 201)
        made = answer.json()
        assert repeat.json()["id"] == made["id"]
        (passed,) = (await agent.get(f"/v1/conversations/{one}/shape")).json()["forwards"]
        assert (passed["conversation_id"], passed["message_id"]) == (made["conversation_id"], str(message))
        assert passed["to"] == [{"address": "repair@example.net", "name": "Repair"}]
        whence = (await agent.get(f"/v1/conversations/{made['conversation_id']}/shape")).json()["forwarded_from"]
        assert whence["number"] == 42
        steps = (await agent.get(f"/v1/messages/{message}/timeline")).json()["items"]
    assert made["conversation_id"] != str(one)
    assert made["subject"].startswith("Fwd: Printer on fire [#")
    assert made["to"] == [{"address": "repair@example.net", "name": "Repair"}]
    assert made["body_text"].startswith("Can you?\n\n---------- Forwarded message")
    assert "From: Carla <carla@customer.example.com>" in made["body_text"]
    assert {f["filename"] for f in made["attachments"]} == {"flame.png", "a.svg"}
    assert [c for c in world.gateway.calls if c[0] == "send"] == [("send", str(world.tenant_id), made["inbox_id"], made["id"])]
    assert "message.forwarded" in [s["step"] for s in steps]
    (row,) = await world.rows("select * from messages where id = :m", m=uuid.UUID(made["id"]))
    assert (row["in_reply_to"], row["forward_of"], row["send_status"]) == (None, message, "queued")
    (picture,) = [f for f in made["attachments"] if f["disposition"] == "inline"]
    assert f"cid:{picture['content_id']}" in row["body_html"]
    assert picture["content_id"] != "pic@example.com"


async def test_files_that_lie_in_their_mail_become_objects_first(world: World) -> None:
    data = b"hello"
    file = await world.attach(world.ids["message"], data, filename="b.txt", content_type="text/plain", position=2)
    (row,) = await world.rows("select storage_key from attachments where id = :f", f=file)
    del world.blobs.objects[row["storage_key"]]
    await world.rows(
        "update attachments set encoded_offset = 0, encoded_length = 5, encoding = '7bit' where id = :f", f=file
    )
    asked = {"message_id": str(world.ids["message"]), "to": [{"address": "repair@example.net"}]}
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{world.ids['conversation']}/forward", json=asked)
    assert answer.status_code == 201
    assert world.blobs.objects[row["storage_key"]] == data
    copies = await world.rows("select encoding from attachments where message_id = :m", m=uuid.UUID(answer.json()["id"]))
    assert [c["encoding"] for c in copies] == [None, None, None]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": [{"address": "gone@example.net"}]}, "to"),
        ({"to": []}, "to"),
        ({"message_id": str(uuid.uuid4())}, "message_id"),
    ],
)
async def test_what_cannot_be_passed_on_says_why(world: World, change: dict[str, object], field: str) -> None:
    await world.rows(
        "insert into suppressed_addresses (tenant_id, address_key, address, reason)"
        " values (:tenant, 'gone@example.net', 'gone@example.net', 'bounce')"
    )
    asked = {"message_id": str(world.ids["message"]), "to": [{"address": "paul@example.net"}]} | change
    async with world.client() as agent:
        answer = await agent.post(f"/v1/conversations/{world.ids['conversation']}/forward", json=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert await world.rows("select 1 from messages where forward_of is not null") == []


async def test_a_reply_to_the_customer_never_goes_where_a_message_was_passed_on(world: World) -> None:
    one = world.ids["conversation"]
    asked = {"message_id": str(world.ids["message"]), "to": [{"address": "repair@example.net"}]}
    async with world.client() as agent:
        made = (await agent.post(f"/v1/conversations/{one}/forward", json=asked)).json()
        await world.message(uuid.UUID(made["conversation_id"]), from_address="repair@example.net", received_at=NOW)
        reply = (await agent.get(f"/v1/conversations/{one}")).json()["reply"]
    assert [a["address"] for a in reply["to"]] == ["carla@customer.example.com"]
