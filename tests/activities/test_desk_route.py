"""Rules at work: once for each mail whatever is repeated, nothing for loops and floods, and chains of rules end."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.auto_response import AutoResponseClaiming
from activities.desk_route import DeskRoute
from activities.desk_turn import DeskTurn
from activities.event_line import EventLine
from contracts.desk import FollowupKind
from contracts.refs import ConversationRef
from providers.errors import Unreachable
from providers.s3.blobs import BlobMissing
from store.bulk import new_id
from store.event_log import NewEvent, append_events
from store.routing_rules import RuleText, change_rule, create_rule
from store.templates import TemplateText, add_template
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

EVERY: dict[str, Any] = {"all": []}


async def no_raw(key: str, offset: int, length: int) -> bytes:
    raise BlobMissing


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url, pool_size=3)
    yield await open_desk(database)
    await database.close()


@pytest_asyncio.fixture
async def turn(desk: Desk, module_database: ServerDatabase) -> AsyncIterator[DeskTurn]:
    line = EventLine(module_database.url)
    made = DeskTurn(desk.database, line, [DeskRoute(no_raw)])
    await made.once(desk.tenant_id)  # the cursor begins here
    yield made
    await line.close()


async def tell(desk: Desk, message_id: uuid.UUID, **payload: Any) -> None:
    event = NewEvent(
        "message.received",
        desk.tenant_id,
        inbox_id=desk.inbox_id,
        conversation_id=desk.conversation_id,
        message_id=message_id,
        payload={"classification": "message", **payload},
    )
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(connection, [event])


async def add(desk: Desk, name: str, *actions: dict[str, Any], condition: dict[str, Any] = EVERY, **more: Any) -> uuid.UUID:
    said = RuleText(name, condition, list(actions) or [{"type": "tag", "names": [name]}], **more)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await create_rule(connection, desk.tenant_id, said, actor="system")


async def run(desk: Desk, turn: DeskTurn, rounds: int = 30) -> list[Any]:
    """Turns until nothing more follows; at most `rounds`."""
    asked: list[Any] = []
    for _ in range(rounds):
        turned = await turn.once(desk.tenant_id)
        assert turned.failed == 0, await desk.rows("select reactor, error from desk_failures")
        asked += turned.followups
        if not turned.events and not turned.more:
            return asked
    pytest.fail("the desk never came to rest")


async def tags(desk: Desk) -> set[str]:
    rows = await desk.rows(
        "select t.name from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id"
        " where g.conversation_id = :c",
        c=desk.conversation_id,
    )
    return {r["name"] for r in rows}


async def hits(desk: Desk) -> list[dict[str, Any]]:
    return await desk.rows("select * from rule_hits order by id")


async def test_a_rule_acts_once_on_a_mail_and_its_hit_names_the_version(desk: Desk, turn: DeskTurn) -> None:
    rule = await add(
        desk, "urgent", {"type": "priority", "value": "urgent"}, {"type": "category", "value": "fire"},
        {"type": "tag", "names": ["hot"]}, condition={"field": "subject", "op": "contains", "value": "FIRE"},
    )  # fmt: skip
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        again = RuleText("urgent!", {"field": "subject", "op": "contains", "value": "fire"}, [
            {"type": "priority", "value": "urgent"}, {"type": "category", "value": "fire"}, {"type": "tag", "names": ["hot"]}])
        assert await change_rule(connection, desk.tenant_id, rule, again, actor="system")
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    await tell(desk, desk.first_message_id)  # the very same mail told again, as after a repeated batch
    await run(desk, turn)
    row = await desk.conversation()
    assert (row["priority"], row["category"], await tags(desk)) == ("urgent", "fire", {"hot"})
    assert [(h["rule_id"], h["version"], h["cause"], h["shadow"]) for h in await hits(desk)] == [(rule, 2, "m", False)]
    made = await desk.rows("select causality from events where type = 'conversation.updated' order by id")
    assert made
    assert all(e["causality"]["depth"] == 1 and e["causality"]["rule_id"] == str(rule) for e in made)
    looks = await desk.rows("select rules, facts from rule_looks")
    assert [look["rules"] for look in looks] == [[[str(rule), 2]]]


@pytest.mark.parametrize("silence", ["own-loop-header", "too-many-hops", "incoming-flood", "own-address"])
async def test_loops_and_floods_start_no_rule(desk: Desk, turn: DeskTurn, silence: str) -> None:
    await add(desk, "all")
    await desk.rows("update messages set silence_reason = :s where id = :m", s=silence, m=desk.first_message_id)
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert await hits(desk) == []


async def test_history_quiet_mail_and_echoes_of_ours_start_no_rule(desk: Desk, turn: DeskTurn) -> None:
    await add(desk, "all")
    old = await desk.receive(historical=True)
    echo = await desk.receive(is_auto="auto-submitted: auto-replied")
    ours = new_id()
    await desk.rows(
        "insert into messages (tenant_id, id, inbox_id, conversation_id, direction, sender_type, message_id_header, content_id,"
        " sent_at, send_status) values (:tenant, :id, :i, :c, 'outbound', 'agent', '<ours@example.org>', 'o', now(), 'sent')",
        id=ours, i=desk.inbox_id, c=desk.conversation_id,
    )  # fmt: skip
    await desk.rows(
        "insert into message_references (tenant_id, message_id, position, referenced_id) values (:tenant, :m, 0, '<ours@example.org>')",
        m=echo,
    )
    for message in (old, echo):
        await tell(desk, message)
    await tell(desk, desk.first_message_id, quiet=True)
    await run(desk, turn)
    assert await hits(desk) == []
    away = await desk.receive(is_auto="auto-submitted: auto-replied")
    await tell(desk, away)
    await run(desk, turn)
    assert [h["message_id"] for h in await hits(desk)] == [away], "a notice that answers nothing of ours is a mail like others"


async def test_a_shadow_is_recorded_and_does_nothing(desk: Desk, turn: DeskTurn) -> None:
    await add(desk, "shadow", shadow=True, stop=True)
    await add(desk, "real")
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert await tags(desk) == {"real"}
    assert [(h["shadow"], h["stopped"], h["outcomes"]) for h in await hits(desk)] == [
        (True, False, []),
        (False, False, [{"type": "tag", "done": True}]),
    ]


async def test_who_has_it_by_hand_keeps_it_unless_the_rule_overrides(desk: Desk, turn: DeskTurn) -> None:
    ben = new_id()
    await desk.rows("insert into users (tenant_id, id, email, email_key, name) values (:tenant, :id, :m, :m, 'Ben')", id=ben, m=f"{ben}@example.org")
    await desk.rows("update conversations set assigned_to = :u, assigned_by = 'manual' where id = :c", u=desk.agent_id, c=desk.conversation_id)
    gentle = await add(desk, "gentle", {"type": "assign", "user": str(ben)})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert (await desk.conversation())["assigned_to"] == desk.agent_id
    assert (await hits(desk))[0]["outcomes"] == [{"type": "assign", "done": False, "why": "assigned by hand"}]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        said = RuleText("firm", EVERY, [{"type": "assign", "user": str(ben), "override": True}])
        await change_rule(connection, desk.tenant_id, gentle, said, actor="system")
    await tell(desk, await desk.receive())
    await run(desk, turn)
    row = await desk.conversation()
    assert (row["assigned_to"], row["assigned_by"]) == (ben, "rule")
    stays = await desk.rows("select method, reason from conversation_assignments where unassigned_at is null")
    assert stays == [{"method": "rule", "reason": "Rule “firm”."}]


async def test_somebody_without_room_or_who_is_gone_is_said_and_the_rest_is_done(desk: Desk, turn: DeskTurn) -> None:
    await desk.rows("update users set capacity = 0 where id = :u", u=desk.agent_id)
    await add(desk, "full", {"type": "assign", "user": str(desk.agent_id)}, {"type": "tag", "names": ["x"]})
    await add(desk, "gone", {"type": "assign", "user": str(new_id())}, {"type": "status", "value": "pending"})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert [o.get("why") for h in await hits(desk) for o in h["outcomes"]] == ["at capacity", None, "cannot work here", None]
    row = await desk.conversation()
    assert (row["assigned_to"], row["status"], await tags(desk)) == (None, "pending", {"x"})


async def test_two_rules_that_set_each_other_off_end_at_depth_ten_with_one_notice(desk: Desk, turn: DeskTurn) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        await add(
            desk, f"{one} to {other}", {"type": "untag", "names": [one]}, {"type": "tag", "names": [other]},
            condition={"field": "tag", "op": "is", "value": one}, trigger="change",
        )  # fmt: skip
    await add(desk, "begin", {"type": "tag", "names": ["a"]})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    depths = [r["d"] for r in await desk.rows("select (causality ->> 'depth')::int as d from events where type = 'conversation.updated'")]
    assert max(depths) == 10
    assert len(depths) <= 1 + 9 * 4, "a chain does not branch: two rules with two actions each, at nine depths"
    assert (await desk.events()).count("rule.stopped") == 1
    assert [h["outcomes"][0]["why"] for h in await hits(desk) if h["cause"].startswith("stopped")] == ["stopped after 10 reactions"]
    # A person's change begins a chain of its own.
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(connection, [NewEvent("conversation.updated", desk.tenant_id, conversation_id=desk.conversation_id, payload={"changed": ["tags"]})])
    await run(desk, turn)
    assert (await desk.events()).count("rule.stopped") == 2


async def test_changes_that_no_rule_waits_for_are_passed_over(desk: Desk, turn: DeskTurn) -> None:
    await add(desk, "on change", trigger="change")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        about = {"tenant_id": desk.tenant_id, "conversation_id": desk.conversation_id}
        await append_events(connection, [
            NewEvent("conversation.updated", **about, payload={"changed": ["unread_count"]}),
            NewEvent("conversation.updated", **about, payload={"version": 4}),
        ])  # fmt: skip
    await run(desk, turn)
    assert await hits(desk) == []


async def test_header_lines_that_are_gone_are_no_match_and_those_that_stand_are_read(
    desk: Desk, module_database: ServerDatabase
) -> None:
    raw = b"xxPrecedence: bulk\r\nX-Team: =?utf-8?q?K=C3=B6ln?=\r\n\r\nbody"

    away = True

    async def read(key: str, offset: int, length: int) -> bytes:
        held = await desk.rows("select 1 from pg_locks where relation = 'desk_cursors'::regclass and mode = 'RowShareLock'")
        assert held == [], "the transaction that holds the cursor waits for no bucket"
        if away:
            raise Unreachable("bucket_away")
        if key != "raw/1":
            raise BlobMissing
        return raw[offset : offset + length]

    line = EventLine(module_database.url)
    turn = DeskTurn(desk.database, line, [DeskRoute(read)])
    await turn.once(desk.tenant_id)
    await add(desk, "team", condition={"field": "header", "op": "is", "name": "x-team", "value": "köln"})
    await add(desk, "no team", condition={"not": {"field": "header", "op": "exists", "name": "x-team"}})
    await add(desk, "hours", condition={"field": "inside_hours"})
    await desk.rows("update messages set raw_key = 'raw/1', raw_offset = 2, raw_length = :n where id = :m", n=len(raw) - 2, m=desk.first_message_id)
    lost = await desk.receive()
    await desk.rows("update messages set raw_key = 'raw/2', raw_length = 9 where id = :m", m=lost)
    for message in (desk.first_message_id, lost):
        await tell(desk, message)
    with pytest.raises(Unreachable):
        await run(desk, turn)
    assert await hits(desk) == await desk.rows("select 1 from desk_failures") == []
    away = False
    await run(desk, turn)
    assert await tags(desk) == {"team"}
    assert [h["message_id"] for h in await hits(desk)] == [desk.first_message_id]
    await line.close()


async def test_the_language_is_the_declared_one_else_that_of_the_text_without_what_it_quotes(desk: Desk, module_database: ServerDatabase) -> None:
    heads = {"raw/silent": b"Subject: x\r\n\r\n", "raw/declared": b"Content-Language: fr-CA\r\n\r\n"}

    async def read(key: str, offset: int, length: int) -> bytes:
        return heads[key][offset : offset + length]

    line = EventLine(module_database.url)
    turn = DeskTurn(desk.database, line, [DeskRoute(read)])
    rules = {name: await add(desk, name, condition={"field": "language", "op": "is", "value": name}) for name in ("de", "fr", "en")}
    german, english = "Guten Tag, mein Drucker geht seit gestern nicht mehr.", "Hello, my printer stopped working yesterday, please help."
    written = {}
    for key, visible, quoted in (("raw/silent", german, english), ("raw/declared", german, ""), ("raw/silent", "Ok, danke", english)):
        message = await desk.receive()
        await desk.rows(
            "update messages set raw_key = :k, raw_length = 99, body_visible = :v, body_text = :b where id = :m",
            k=key, v=visible, b=f"{visible}\n{quoted}", m=message,
        )  # fmt: skip
        written[message] = visible
        await tell(desk, message)
    await run(desk, turn)
    silent, declared, _ = written
    assert {(h["message_id"], h["rule_id"]) for h in await hits(desk)} == {(silent, rules["de"]), (declared, rules["fr"])}
    await line.close()


async def test_business_hours_are_asked_at_the_moment_the_mail_came(desk: Desk, turn: DeskTurn) -> None:
    """The first mail came on a Tuesday at nine o'clock UTC."""
    nine_to_five = [[["09:00", "17:00"]]] * 5 + [[], []]
    from_ten = [[["10:00", "17:00"]]] * 5 + [[], []]
    ids = {}
    for name, week, usual in (("nine", nine_to_five, True), ("ten", from_ten, False)):
        ids[name] = new_id()
        await desk.rows(
            "insert into business_hours (tenant_id, id, name, time_zone, week, is_default) values (:tenant, :id, :n, 'UTC', cast(:w as jsonb), :d)",
            id=ids[name], n=name, w=json.dumps(week), d=usual,
        )  # fmt: skip
    await add(desk, "open", condition={"field": "inside_hours"})
    await add(desk, "late shift", condition={"field": "inside_hours", "name": str(ids["ten"]), "value": False})
    await add(desk, "unknown", condition={"not": {"field": "inside_hours", "name": str(new_id())}})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert await tags(desk) == {"open", "late shift"}


async def test_a_template_is_drafted_for_whoever_has_the_conversation_and_over_nothing(desk: Desk, turn: DeskTurn) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        said = TemplateText("hi", None, "", "<p>Hi {{customer.first_name}}, {{customer.company}} – {{agent.name}}</p>", "", None, None)
        template = str(await add_template(connection, desk.tenant_id, said))
    await add(desk, "nobody yet", {"type": "draft", "template": template})
    await add(desk, "assign", {"type": "assign", "user": str(desk.agent_id)}, {"type": "draft", "template": template})
    await add(desk, "again", {"type": "draft", "template": template})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    assert [o.get("why") for h in await hits(desk) for o in h["outcomes"]] == ["nobody to draft for", None, None, "they are writing already"]
    drafts = await desk.rows("select author_id, body_html from drafts")
    assert drafts == [{"author_id": desk.agent_id, "body_html": "<p>Hi Carla, {{customer.company}} – Ada Agent</p>"}]


async def test_the_answer_that_a_rule_asks_for_goes_the_way_of_all_automatic_answers(desk: Desk, turn: DeskTurn) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        template = await add_template(connection, desk.tenant_id, TemplateText("ack", None, "", "", "Hi {{customer.first_name}}, #{{ticket_number}}", None, None))
        holes = await add_template(connection, desk.tenant_id, TemplateText("holes", None, "", "", "From {{agent.name}}", None, None))
    await add(desk, "ack", {"type": "auto_response", "template": str(template)})
    await tell(desk, desk.first_message_id)
    await run(desk, turn)
    claiming = AutoResponseClaiming(desk.database, clock=lambda: NOW)
    ref = ConversationRef(str(desk.tenant_id), str(desk.conversation_id))
    claimed = await ActivityEnvironment().run(claiming.claim, ref)
    assert claimed.reason == "answered"
    assert (await desk.message(uuid.UUID(claimed.message_id or "")))["body_text"] == "Hi Carla, #42"
    assert await ActivityEnvironment().run(claiming.claim, ref) == claimed, "twice is once"
    # In another conversation, what no mail can fill keeps it silent.
    await desk.rows("delete from auto_response_claims")
    await desk.rows("delete from messages where kind = 'auto_response'")
    await desk.rows("update rule_answers set template_id = :t", t=holes)
    silent = await ActivityEnvironment().run(claiming.claim, ref)
    assert (silent.message_id, silent.reason) == (None, "template-incomplete: agent.name")


async def test_an_automatic_answer_is_asked_for_once_and_given_out_elsewhere(desk: Desk, turn: DeskTurn) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        text = TemplateText("ack", None, "", "<p>Hi</p>", "Hi", None, None)
        template = await add_template(connection, desk.tenant_id, text)
        mine = await add_template(connection, desk.tenant_id, TemplateText("own", None, "", "", "x", None, desk.agent_id))
    await add(desk, "ack", {"type": "auto_response", "template": str(template)})
    await add(desk, "again", {"type": "auto_response", "template": str(template)})
    await add(desk, "personal", {"type": "auto_response", "template": str(mine)})
    await tell(desk, desk.first_message_id)
    asked = await run(desk, turn)
    assert [(f.kind, f.id) for f in asked] == [(FollowupKind.ANSWER, str(desk.conversation_id))]
    assert [o.get("why") for h in await hits(desk) for o in h["outcomes"]] == [None, "asked before", "no such template"]
    assert await desk.rows("select template_id from rule_answers") == [{"template_id": template}]
    assert await desk.rows("select 1 from messages where kind = 'auto_response'") == [], "the claim decides, not the rule"
