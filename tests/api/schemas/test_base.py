"""What all schemas share."""

import datetime as dt
import json

from api.schemas.base import Answer, Instant


class Told(Answer):
    at: Instant


def test_instants_are_written_in_utc_whatever_zone_they_come_in() -> None:
    east = dt.timezone(dt.timedelta(hours=2))
    told = Told(at=dt.datetime(2026, 1, 1, 12, 30, 0, 5, tzinfo=east))
    assert json.loads(told.model_dump_json()) == {"at": "2026-01-01T10:30:00.000005Z"}
    assert json.loads(Told(at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).model_dump_json()) == {"at": "2026-01-01T00:00:00Z"}


def test_the_schema_of_an_instant_is_a_date_time() -> None:
    assert Told.model_json_schema(mode="serialization")["properties"]["at"] == {
        "format": "date-time",
        "title": "At",
        "type": "string",
    }
