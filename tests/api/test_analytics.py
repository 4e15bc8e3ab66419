"""Figures over HTTP: rows, files for spreadsheets, days of a time zone, and questions that are refused."""

import csv
import datetime as dt
import io
import uuid

import pytest

from rules.durations import bucket_of
from tests.api.world import World

DAYS = {"since": "2025-03-03", "until": "2025-03-05"}
WHEN = dt.datetime(2025, 3, 4, 23, tzinfo=dt.UTC)


async def fill(world: World) -> None:
    agent = world.people["agent"]
    for flow, who, n in (("received", uuid.UUID(int=0), 7), ("sent", agent, 3)):
        await world.rows(
            "insert into mail_hours (tenant_id, hour, inbox_id, flow, agent_id, n) values (:tenant, :h, :i, :f, :a, :n)",
            h=WHEN, i=world.ids["inbox"], f=flow, a=who, n=n,
        )
    for measure, bucket, n in (("first_response", bucket_of(60), 9), ("first_response", bucket_of(3600), 1), ("sla.resolution", 1, 3), ("sla.resolution", 0, 1)):
        await world.rows(
            "insert into duration_hours (tenant_id, hour, inbox_id, measure, agent_id, bucket, n) values (:tenant, :h, :i, :m, :a, :b, :n)",
            h=WHEN, i=world.ids["inbox"], m=measure, a=agent, b=bucket, n=n,
        )


async def ask(world: World, path: str, who: str = "viewer", **query: str) -> dict:
    async with world.client(who) as client:
        answer = await client.get(f"/v1/analytics/{path}", params={**DAYS, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_days_are_those_of_the_asked_time_zone(world) -> None:
    await fill(world)
    assert (await ask(world, "volume"))["rows"] == [{"key": "2025-03-04", "name": "2025-03-04", "received": 7, "sent": 3, "auto": 0}]
    assert [r["key"] for r in (await ask(world, "volume", zone="Europe/Berlin"))["rows"]] == ["2025-03-05"]
    (row,) = (await ask(world, "volume", by="weekday_hour"))["rows"]
    assert (row["key"], row["name"]) == ("2 23", "Tue 23:00")
    assert (await ask(world, "volume", until="2025-03-03"))["rows"] == []


async def test_groups_have_the_names_of_people_and_inboxes(world) -> None:
    await fill(world)
    rows = (await ask(world, "volume", by="agent"))["rows"]
    assert {(r["name"], r["received"], r["sent"]) for r in rows} == {("nobody", 7, 0), ("The agent", 0, 3)}
    (inbox,) = (await ask(world, "durations", by="inbox"))["rows"]
    assert inbox["key"] == str(world.ids["inbox"])
    assert inbox["count"] == 10


async def test_medians_and_attainment(world) -> None:
    await fill(world)
    (row,) = (await ask(world, "durations"))["rows"]
    assert abs(row["median_seconds"] - 60) <= 1
    assert abs(row["p90_seconds"] - 60) <= 1
    assert (await ask(world, "durations", measure="resolution"))["rows"] == []
    assert (await ask(world, "sla"))["rows"] == [{"key": "resolution", "name": "resolution", "kept": 3, "breached": 1, "attainment": 0.75}]


async def test_a_file_for_spreadsheets_runs_no_formula(world) -> None:
    await fill(world)
    await world.rows("update users set name = '=1+1' where id = :a", a=world.people["agent"])
    async with world.client("viewer") as client:
        answer = await client.get("/v1/analytics/volume", params={**DAYS, "by": "agent", "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(r["name"], r["sent"]) for r in rows} == {("nobody", "0"), ("'=1+1", "3")}


async def test_the_backlog_has_a_row_for_each_day_and_the_load_one_for_each_person(world) -> None:
    await world.rows(
        "insert into backlog_hours (tenant_id, hour, inbox_id, open, pending, snoozed, unassigned) values (:tenant, :h, :i, 4, 1, 0, 2)",
        h=WHEN, i=world.ids["inbox"],
    )
    rows = (await ask(world, "backlog"))["rows"]
    assert [(r["day"], r["open"], r["unassigned"]) for r in rows] == [("2025-03-03", 0, 0), ("2025-03-04", 4, 2), ("2025-03-05", 4, 2)]
    assert {r["name"] for r in (await ask(world, "load"))["rows"]} >= {"The agent", "The viewer"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"since": "2025-03-06"}, "since"),
        ({"since": "2020-01-01"}, "since"),
        ({"since": "0001-01-01", "until": "0001-01-02"}, "since"),
        ({"by": "mood"}, "by"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_field(world, query, field) -> None:
    async with world.client("viewer") as client:
        answer = await client.get("/v1/analytics/volume", params={**DAYS, **query})
    assert answer.status_code == 422
    assert field in answer.text


async def test_business_hours_are_known_of_first_responses_only(world) -> None:
    async with world.client("viewer") as client:
        answer = await client.get("/v1/analytics/durations", params={"measure": "resolution", "clock": "business"})
    assert answer.status_code == 422
    assert "clock" in answer.text
