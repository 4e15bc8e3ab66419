"""Ids made here sort in the order of their making."""

import datetime as dt
import uuid

from store.bulk import id_floor, new_id


def test_ids_of_one_millisecond_keep_their_order() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_is_a_uuid_of_the_present() -> None:
    made = new_id()
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    age = dt.datetime.now(dt.UTC).timestamp() - (made.int >> 80) / 1000
    assert 0 <= age < 60


def test_an_id_lies_above_the_floor_of_an_earlier_time() -> None:
    assert id_floor(5) < new_id() < id_floor(-5)
