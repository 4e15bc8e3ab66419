"""Inboxes: secrets go in and never come out, a moved server asks for its password, the row comes before the workflow."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from api.gateway import CheckOutcome
from api.inboxes import COLUMN
from contracts.connect import ConnectCheck, ConnectReport
from tests.api.world import World, new_inbox


async def secrets_of(world: World, inbox_id: str) -> dict[str, Any]:
    (row,) = await world.rows(
        "select credentials_sealed as s, credentials_key_id as k from inboxes where id = :i", i=inbox_id
    )
    return world.deps.sealer.open(
        bytes(row["s"]), row["k"], tenant_id=str(world.tenant_id), inbox_id=str(inbox_id), column=COLUMN
    )


async def made(world: World) -> dict[str, Any]:
    async with world.client("admin") as client:
        answer = await client.post("/v1/inboxes", json=dict(new_inbox()))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_new_inbox_is_sealed_and_connecting(world) -> None:
    inbox = await made(world)
    assert inbox["health"] == "connecting"
    assert "a secret" not in json.dumps(inbox)
    assert inbox["links"]["temporal"].endswith(f"/workflows/connect%2F{inbox['id']}")
    assert await secrets_of(world, inbox["id"]) == {
        "imap": {"secret": "a secret"},
        "smtp": {"secret": "a secret"},
    }
    assert ("connect", str(world.tenant_id), inbox["id"]) in world.gateway.calls
    (row,) = await world.rows("select settings::text as s from inboxes where id = :i", i=inbox["id"])
    assert "a secret" not in row["s"]
    assert await world.rows(
        "select 1 from events where type = 'inbox.updated' and inbox_id = :i", i=inbox["id"]
    )


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ("imap.host", "imap example.org", "imap.host"),
        ("imap.host", "http://imap.example.org", "imap.host"),
        ("imap.port", 0, "imap.port"),
        ("imap.security", "ssl", "imap.security"),
        ("imap.password", None, "imap.password"),
        ("smtp.password", "", "smtp.password"),
        ("imap.auth", "xoauth2", "imap.access_token"),
        ("imap.username", "a\r\nb", "imap.username"),
        ("email_address", "nobody", "email_address"),
        ("email_address", "a@example.org\nb", "email_address"),
        ("name", " ", "name"),
        ("backfill_days", -1, "backfill_days"),
        ("undo_send_seconds", 601, "undo_send_seconds"),
        ("imap.credentials", "x", "imap.credentials"),
        ("health", "ok", "health"),
    ],
)
async def test_a_wrong_field_is_named_and_its_secret_never_quoted(world, place, value, field) -> None:
    body = json.loads(json.dumps(dict(new_inbox())))
    target = body
    *way, last = place.split(".")
    for step in way:
        target = target[step]
    target[last] = value
    async with world.client("admin") as client:
        answer = await client.post("/v1/inboxes", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert "a secret" not in answer.text


async def test_a_moved_server_needs_its_password_again(world) -> None:
    inbox = await made(world)
    path = f"/v1/inboxes/{inbox['id']}"
    server = dict(inbox["settings"]["imap"])
    async with world.client("admin") as client:
        for change in (
            {"host": "imap.evil.example.com"},
            {"port": 144},
            {"username": "other"},
            {"security": "plain"},
        ):
            answer = await client.patch(path, json={"imap": {**server, **change}})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "imap.password"), change
        assert (await client.patch(path, json={"imap": server, "name": "Same"})).status_code == 200
        world.gateway.calls.clear()
        moved = await client.patch(
            path, json={"imap": {**server, "host": "imap2.example.org", "password": "new one"}}
        )
    assert moved.json()["settings"]["imap"]["host"] == "imap2.example.org"
    assert moved.json()["health"] == "connecting"
    assert await secrets_of(world, inbox["id"]) == {
        "imap": {"secret": "new one"},
        "smtp": {"secret": "a secret"},
    }
    assert world.gateway.calls == [("connect", str(world.tenant_id), inbox["id"])]


async def test_no_way_round_the_password_of_a_moved_server(world) -> None:
    """X-53: IMAP signs in with the inbox's address when no user name is given, so that leaving it out is no excuse; nor is
    it to take away what proves that the server is the right one.
    """
    inbox = await made(world)
    path = f"/v1/inboxes/{inbox['id']}"
    imap, smtp = (dict(inbox["settings"][n]) for n in ("imap", "smtp"))
    tries: list[tuple[dict[str, Any], list[str]]] = [
        ({"imap": {**imap, "host": "imap.evil.example.com", "username": ""}}, ["imap.password"]),
        ({"imap": {**imap, "host": "imap.evil.example.com", "password": ""}}, ["imap.password"]),
        ({"imap": {**imap, "port": 1993}, "smtp": {**smtp, "host": "evil.example.com"}}, ["imap.password", "smtp.password"]),
        ({"verify_tls": False}, ["imap.password", "smtp.password"]),
        ({"verify_tls": False, "imap": {**imap, "password": "known"}}, ["smtp.password"]),
    ]
    async with world.client("admin") as client:
        for change, fields in tries:
            answer = await client.patch(path, json=change)
            assert answer.status_code == 422, change
            assert [e["field"] for e in answer.json()["errors"]] == fields, change
        # Without a user name nothing is sent to the relay, and the kept secret needs the password to be used again.
        relay = await client.patch(path, json={"smtp": {**smtp, "host": "relay.example.org", "username": ""}})
        back = await client.patch(path, json={"smtp": {**smtp, "host": "relay.example.org"}})
        whole = await client.patch(
            path, json={"verify_tls": False, "imap": {**imap, "password": "known"}, "smtp": {**smtp, "password": "known"}}
        )
    assert (relay.status_code, back.status_code, whole.status_code) == (200, 422, 200)
    assert await secrets_of(world, inbox["id"]) == {"imap": {"secret": "known"}, "smtp": {"secret": "known"}}


async def test_what_happens_to_doubtful_sends_is_the_inboxes_choice(world) -> None:
    path = f"/v1/inboxes/{world.ids['inbox']}"
    async with world.client("admin") as client:
        assert (await client.get(path)).json()["send_policy"] == "ask"
        changed = await client.patch(path, json={"send_policy": "at_least_once"})
        assert changed.json()["send_policy"] == "at_least_once"
        assert (await client.patch(path, json={"send_policy": "always"})).status_code == 422
    async with world.client("agent") as client:
        assert (await client.patch(path, json={"send_policy": "ask"})).status_code == 403
    assert world.gateway.calls == []


async def test_what_the_server_is_told_is_the_inboxes_choice(world) -> None:
    """A list of words, whatever the provider; none by default."""
    path = f"/v1/inboxes/{world.ids['inbox']}"
    async with world.client("admin") as client:
        assert (await client.get(path)).json()["write_back"] == []
        changed = await client.patch(path, json={"write_back": ["read", "trash", "read"]})
        assert (changed.status_code, changed.json()["write_back"], changed.json()["health"]) == (200, ["read", "trash"], "ok")
        assert (await client.patch(path, json={"write_back": ["all"]})).status_code == 422
        assert (await client.patch(path, json={"write_back": "read"})).status_code == 422
        await world.rows("update inboxes set provider = 'gmail' where id = :i", i=world.ids["inbox"])
        words = ["archive", "closed", "labels", "read", "spam", "trash"]
        assert (await client.patch(path, json={"write_back": words})).json()["write_back"] == words
        await world.rows("update inboxes set provider = 'ses' where id = :i", i=world.ids["inbox"])
        none = await client.patch(path, json={"write_back": ["read"]})
        assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "write_back")
        assert (await client.patch(path, json={"write_back": []})).json()["write_back"] == []
    async with world.client("agent") as client:
        assert (await client.patch(path, json={"write_back": []})).status_code == 403
    assert world.gateway.calls == []


async def test_admins_see_what_is_paused_and_why(world) -> None:
    path = f"/v1/inboxes/{world.ids['inbox']}/status"
    now = dt.datetime.now(dt.UTC)
    for budget, until in (("correspondent", dt.timedelta(minutes=9)), ("inbox", -dt.timedelta(minutes=1))):
        await world.rows(
            "insert into loop_breaches (tenant_id, inbox_id, budget, correspondent_key, opened_at, last_at, paused_until,"
            " held_back) values (:tenant, :inbox, :budget, :key, :now, :now, :until, 4)",
            inbox=world.ids["inbox"],
            budget=budget,
            key="carla@customer.example.com" if budget == "correspondent" else "",
            now=now,
            until=now + until,
        )
    async with world.client("admin") as client:
        (pause,) = (await client.get(path)).json()["pauses"]
    assert (pause["budget"], pause["correspondent"], pause["held_back"]) == (
        "correspondent",
        "carla@customer.example.com",
        4,
    )
    async with world.client("agent") as client:
        assert (await client.get(path)).json()["pauses"] == []


async def test_small_changes_do_not_reconnect(world) -> None:
    async with world.client("admin") as client:
        answer = await client.patch(
            f"/v1/inboxes/{world.ids['inbox']}",
            json={
                "display_name": "New",
                "undo_send_seconds": 0,
                "auto_response": {"enabled": True, "subject": "Hi", "body": "We got it."},
            },
        )
        bad = await client.patch(
            f"/v1/inboxes/{world.ids['inbox']}", json={"auto_response": {"enabled": True, "body": " "}}
        )
        odd = await client.patch(
            f"/v1/inboxes/{world.ids['inbox']}",
            json={"auto_response": {"enabled": True, "body": "Hi {{nick}}"}},
        )
    assert answer.json()["auto_response"] == {"enabled": True, "subject": "Hi", "body": "We got it."}
    assert answer.json()["health"] == "ok"
    assert world.gateway.calls == []
    assert bad.status_code == 422
    assert odd.json()["errors"][0]["field"] == "auto_response.body"
    assert "{{sender_name}}" in odd.json()["errors"][0]["message"]


async def test_secrets_that_no_key_opens_are_asked_for_whole(world) -> None:
    inbox = await made(world)
    await world.rows("update inboxes set credentials_key_id = 'lost' where id = :i", i=inbox["id"])
    servers = {n: inbox["settings"][n] | {"password": "new"} for n in ("imap", "smtp")}
    async with world.client("admin") as client:
        half = await client.patch(f"/v1/inboxes/{inbox['id']}", json={"imap": servers["imap"]})
        whole = await client.patch(f"/v1/inboxes/{inbox['id']}", json=servers)
    assert (half.status_code, half.json()["errors"][0]["field"]) == (422, "smtp.password")
    assert whole.status_code == 200
    assert await secrets_of(world, inbox["id"]) == {"imap": {"secret": "new"}, "smtp": {"secret": "new"}}


async def test_pause_and_resume_write_the_row_then_tell(world) -> None:
    inbox = str(world.ids["inbox"])
    world.gateway.away = True
    async with world.client("admin") as client:
        paused = (await client.post(f"/v1/inboxes/{inbox}/pause")).json()
        assert (paused["paused"], paused["health"]) == (True, "paused")
        assert (await client.post(f"/v1/inboxes/{inbox}/resync", json={"scope": "new"})).status_code == 409
        world.gateway.away = False
        resumed = (await client.post(f"/v1/inboxes/{inbox}/resume")).json()
        await client.post(f"/v1/inboxes/{inbox}/resume")
    assert (resumed["paused"], resumed["health"]) == (False, "ok")
    assert [c[0] for c in world.gateway.calls[:3]] == ["signal", "sync", "signal"]
    health = await world.rows("select payload from events where type = 'inbox.health' order by id")
    assert [h["payload"]["health"] for h in health] == ["paused", "ok"], "twice is once"


async def test_resuming_wakes_the_history_that_waited(world) -> None:
    inbox, folder = str(world.ids["inbox"]), str(world.ids["folder"])
    await world.rows("update folders set backfill_state = 'running' where id = :f", f=folder)
    async with world.client("admin") as client:
        await client.post(f"/v1/inboxes/{inbox}/pause")
        assert not [c for c in world.gateway.calls if c[0] == "start_backfill"]
        await client.post(f"/v1/inboxes/{inbox}/resume")
    assert world.gateway.calls[-1][-1] == folder


async def test_the_test_says_what_failed_and_the_remedy(world) -> None:
    world.gateway.outcome = CheckOutcome(
        ConnectReport((ConnectCheck("imap", "AuthFailed"), ConnectCheck("smtp")))
    )
    path = f"/v1/inboxes/{world.ids['inbox']}/test"
    async with world.client("admin") as client:
        found = (await client.post(path)).json()
        assert found["ok"] is False
        assert found["checks"][0] == {
            "name": "imap",
            "ok": False,
            "detail": "The server refused the user name or password.",
            "remedy": "Enter the password again on the inbox page.",
        }
        assert found["checks"][1] == {"name": "smtp", "ok": True, "detail": "Signed in.", "remedy": None}
        world.gateway.outcome = CheckOutcome(None, "Unreachable")
        assert (await client.post(path)).json()["ok"] is False


async def test_status_tells_folders_history_and_counts(world) -> None:
    await world.rows(
        "update folders set backfill_state = 'running', backfill_total = 100, backfill_done = 25,"
        " backfill_started_at = now() - interval '50 seconds'"
    )
    async with world.client("viewer") as client:
        found = (await client.get(f"/v1/inboxes/{world.ids['inbox']}/status")).json()
    assert found["folders"][0] | {"id": ""} == {
        "id": "", "name": "INBOX", "role": "inbox", "synced": True, "messages": 2, "last_uid": 7, "state": "active",
    }  # fmt: skip
    (history,) = found["backfills"]
    assert (history["state"], history["done"], history["total"]) == ("running", 25, 100)
    assert 140 <= history["eta_seconds"] <= 160
    assert found["ledger"] == {
        "seen": 0,
        "stored": 0,
        "ingested": 1,
        "skipped": 0,
        "quarantined": 1,
        "vanished": 0,
    }
    assert found["lag_seconds"] > 0


async def test_resync_and_history_are_handed_on(world) -> None:
    inbox, folder = str(world.ids["inbox"]), str(world.ids["folder"])
    async with world.client("admin") as client:
        done = await client.post(f"/v1/inboxes/{inbox}/resync", json={"scope": "folder", "folder_id": folder})
        assert done.json() == {"workflow_id": f"inbox-sync/{inbox}"}
        for body in (
            {"scope": "folder"},
            {"scope": "all", "folder_id": folder},
            {"scope": "folder", "folder_id": str(uuid.uuid4())},
        ):
            assert (await client.post(f"/v1/inboxes/{inbox}/resync", json=body)).status_code == 422
        history = f"/v1/inboxes/{inbox}/backfill"
        assert (await client.post(history, json={"action": "start"})).json() == {"folder_ids": [folder]}
        assert (await client.post(history, json={"action": "pause", "folder_id": folder})).json() == {
            "folder_ids": [folder]
        }
        assert (await client.post(history, json={"action": "pause"})).json() == {"folder_ids": []}
        assert (await client.post(history, json={"action": "resume"})).json() == {"folder_ids": [folder]}
        assert (await client.post(history, json={"action": "cancel"})).json() == {"folder_ids": [folder]}
        assert (await client.post(history, json={"action": "stop"})).status_code == 422
        assert (
            await client.post(history, json={"action": "start", "folder_id": str(uuid.uuid4())})
        ).status_code == 422
    told = [c[0] if c[0] != "signal_backfill" else c[3] for c in world.gateway.calls]
    assert told == ["resync", "backfill", "pause", "backfill", "cancel"], "a run that waits in a pause must be told"


async def test_the_ledger_tells_each_mails_fate(world) -> None:
    await world.insert(
        "ledger", inbox_id=world.ids["inbox"], folder_id=world.ids["folder"], uidvalidity=1, uid=9, state="ingested", raw_key="raw/x",
        classification="bounce", classification_reason="multipart/report",
        reports=[{"address": "x@example.com", "class": "hard", "status": "5.1.1", "action": "failed"}],
    )  # fmt: skip
    path = f"/v1/inboxes/{world.ids['inbox']}/ledger"
    async with world.client("viewer") as client:
        (bounce,) = (await client.get(path, params={"classification": "bounce"})).json()["items"]
        (mail,) = (
            await client.get(path, params={"classification": "message", "state": ["ingested", "stored"]})
        ).json()["items"]
        first = (await client.get(path, params={"limit": 2})).json()
        rest = (await client.get(path, params={"limit": 2, "after": first["next"]})).json()
        assert (await client.get(path, params={"state": "lost"})).status_code == 422
    assert bounce["recipients"] == [
        {"address": "x@example.com", "class": "hard", "status": "5.1.1", "action": "failed"}
    ]
    assert bounce["reason"] == "multipart/report"
    assert (mail["from"], mail["subject"]) == ("Carla <carla@customer.example.com>", "Printer on fire")
    assert mail["conversation_id"] == str(world.ids["conversation"])
    assert len({i["id"] for i in first["items"] + rest["items"]}) == 3
    assert rest["next"] is None


async def test_quarantine_is_tried_again_or_put_aside(world) -> None:
    at = f"/v1/quarantine/{world.ids['quarantine']}"
    async with world.client("admin") as client:
        assert (await client.post(f"{at}/retry")).status_code == 202
        again = await client.post(f"{at}/retry")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/cannot-retry")
        aside = (await client.post(f"{at}/dismiss")).json()
        assert aside["resolution"] == "dismissed"
        assert (await client.post(f"{at}/dismiss")).json() == aside
        assert (await client.get("/v1/quarantine")).json()["items"] == []
        assert len((await client.get("/v1/quarantine?state=resolved")).json()["items"]) == 1
    assert ("signal", str(world.ids["inbox"]), "poke") in world.gateway.calls
    assert len(await world.rows("select 1 from events where type = 'quarantine.resolved'")) == 1


async def test_switching_automatic_answers_on_says_since_when_and_does_not_reconnect(world: World) -> None:
    """Mail from before is never answered; a change of words must not cost the mailbox its connection."""
    path = f"/v1/inboxes/{world.ids['inbox']}"
    since = []
    for words in ("One.", "Two."):
        async with world.client("admin") as client:
            answer = await client.patch(path, json={"auto_response": {"enabled": True, "subject": "Hi", "body": words}})
        assert answer.status_code == 200, answer.text
        assert answer.json()["health"] != "connecting"
        (row,) = await world.rows(
            "select settings ->> 'auto_response_since' as since from inboxes where id = :i", i=world.ids["inbox"]
        )
        since.append(row["since"])
    assert world.gateway.calls == []
    assert since[0] is not None
    assert since[0] == since[1]
