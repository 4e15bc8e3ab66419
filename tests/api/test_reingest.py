"""Re-ingest through the API: what is counted, what is refused and why, which orders a run takes, and how its changes read."""

import pytest

from store.incoming import PARSER_VERSION
from tests.api.reingest_rows import planned_run

INBOX_OF_NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


async def test_the_preview_counts_what_is_selected_and_what_an_older_parser_read(world) -> None:
    async with world.client("admin") as admin:
        nothing_given = (await admin.get("/v1/reingests/preview")).json()
        assert nothing_given == {
            "parser_version": PARSER_VERSION, "older": 1, "messages": 1, "size_bytes": 5, "quarantined": 0, "bounded": False,
        }
        await world.rows("update messages set parser_version = :v", v=PARSER_VERSION)
        older = (await admin.get("/v1/reingests/preview", params={"older_parser": "true"})).json()
        assert (older["older"], older["messages"], older["bounded"]) == (0, 0, True)
        for given, count in (
            ({"inbox": str(world.ids["inbox"])}, 1),
            ({"inbox": INBOX_OF_NOBODY}, 0),
            ({"folder": str(world.ids["folder"])}, 1),
            ({"classification": ["bounce", "message"]}, 1),
            ({"classification": "spam"}, 0),
            ({"message": str(world.ids["message"])}, 1),
            ({"message": str(world.ids["sent"])}, 0),  # written here: there is no mail to read
            ({"since": "2025-03-04T09:00:00Z"}, 1),
            ({"until": "2025-03-04T09:00:00Z"}, 0),
            ({"has_defects": "true"}, 0),
            ({"quarantine_reason": "parser_crashed"}, 0),
            ({"inbox": str(world.ids["inbox"]), "classification": "spam"}, 0),
        ):
            assert (await admin.get("/v1/reingests/preview", params=given)).json()["messages"] == count, given


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "everything"),
        ({"everything": False}, "everything"),
        ({"everything": True, "older_parser": True}, "everything"),
        ({"since": "2025-03-04T09:00:00"}, "since"),
        ({"since": "2025-03-05T09:00:00Z", "until": "2025-03-04T09:00:00Z"}, ""),
        ({"classification": ["junk"]}, "classification[0]"),
        ({"inbox": ["all"]}, "inbox[0]"),
    ],
)
async def test_a_selection_without_a_bound_or_sense_is_refused(world, body, field) -> None:
    async with world.client("admin") as admin:
        answer = await admin.post("/v1/reingests", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [field]
    assert world.gateway.calls == []


async def test_a_run_is_a_row_first_and_then_a_workflow(world) -> None:
    async with world.client("admin") as admin:
        empty = await admin.post("/v1/reingests", json={"classification": ["bounce"]})
        assert (empty.status_code, empty.json()["type"]) == (409, "/problems/nothing-selected")
        world.gateway.away = True  # the sweep will start it
        made = await admin.post("/v1/reingests", json={"everything": True})
        assert made.status_code == 201
        run = made.json()
        assert (run["state"], run["total"], run["asked_by"]["name"]) == ("planning", 1, "The admin")
        assert run["selection"]["everything"] is True
        assert run["links"]["temporal"].endswith(f"reingest%2F{run['id']}")
        assert world.gateway.calls == [("reingest", str(world.tenant_id), run["id"])]
        again = await admin.post("/v1/reingests", json={"older_parser": True})
        assert (again.status_code, again.json()["type"], again.json()["reingest_id"]) == (409, "/problems/reingest-running", run["id"])
        listed = (await admin.get("/v1/reingests")).json()
        assert [r["id"] for r in listed["items"]] == [run["id"]]
    assert [r["type"] for r in await world.rows("select type from events where type = 'reingest.progress'")] == ["reingest.progress"]


async def test_orders_are_taken_in_their_time_only(world) -> None:
    run = str(await planned_run(world))
    async with world.client("owner") as owner:

        async def order(name: str) -> tuple[int, str]:
            answer = await owner.post(f"/v1/reingests/{run}/{name}")
            return answer.status_code, answer.json().get("state", answer.json().get("type", ""))

        assert await order("pause") == (409, "/problems/not-now")
        assert await order("apply") == (202, "applying")
        assert await order("apply") == (409, "/problems/not-now")
        assert await order("pause") == (200, "applying")
        assert (await owner.get(f"/v1/reingests/{run}")).json()["paused"] is True
        assert await order("pause") == (409, "/problems/not-now")
        assert await order("resume") == (202, "applying")
        assert await order("cancel") == (200, "cancelled")
        assert await order("cancel") == (409, "/problems/not-now")
    tenant = str(world.tenant_id)
    assert world.gateway.calls == [("reingest", tenant, run), ("signal_reingest", run), ("reingest", tenant, run), ("signal_reingest", run)]


async def test_two_runs_are_not_applied_at_once(world) -> None:
    await planned_run(world, state="applying")
    second = await planned_run(world)
    async with world.client("admin") as admin:
        answer = await admin.post(f"/v1/reingests/{second}/apply")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/reingest-running")


async def test_changes_are_paged_filtered_and_told_in_full_one_by_one(world) -> None:
    run = await planned_run(world)
    version = await world.insert(
        "ledger", inbox_id=world.ids["inbox"], folder_id=world.ids["folder"], uidvalidity=1, uid=90, state="ingested", raw_key="raw/pack", message_id=world.ids["message"]
    )
    await world.rows(
        "insert into reingest_changes (tenant_id, reingest_id, ledger_id, message_id, inbox_id) values (:tenant, :run, :ledger, :message, :inbox)",
        run=run, ledger=version, message=world.ids["message"], inbox=world.ids["inbox"],
    )
    async with world.client("admin") as admin:
        at = f"/v1/reingests/{run}/changes"
        (line,) = (await admin.get(at)).json()["items"]
        assert line["ledger_id"] == str(world.ids["ledger"])
        assert (line["subject"], line["from"], line["kinds"]) == ("Printer on fire", "Carla <carla@customer.example.com>", ["body"])
        assert line["detail"]["body"]["body_visible"] == {"old_length": 9, "new_length": 9, "cut": False}
        whole = (await admin.get(f"{at}/{world.ids['ledger']}")).json()
        assert whole["detail"]["body"]["body_visible"]["diff"].endswith("+It burns.")
        for query, count in (({"kind": "body"}, 1), ({"kind": "thread"}, 0), ({"kind": "version"}, 1), ({"state": "applied"}, 0)):
            assert len((await admin.get(at, params=query)).json()["items"]) == count, query
        first = (await admin.get(at, params={"limit": "1"})).json()
        assert first["next"] is None
        assert (await admin.get(at, params={"after": "nonsense"})).status_code == 422
