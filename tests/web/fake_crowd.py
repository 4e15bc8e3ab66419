"""A list of any length for the fake API: rows are made when they are asked for, so that 100,000 of them cost nothing."""

from datetime import UTC, datetime, timedelta

from tests.web import fake_data as data
from tests.web.fake_data import Row, ident, stamp

START = datetime(2026, 1, 1, tzinfo=UTC)


class Crowd:
    """`amount` open conversations of one inbox, the first the newest. A row that was asked for stays, so that a test can change it."""

    def __init__(self, amount: int, inbox: Row) -> None:
        self.amount = amount
        self.asked: list[tuple[int, int]] = []
        self._inbox = {"id": inbox["id"], "name": inbox["name"]}
        self._kept: dict[int, Row] = {}
        self._places: dict[str, int] = {}

    def row(self, place: int) -> Row:
        if place not in self._kept:
            at = stamp(START - timedelta(minutes=place))
            row = {
                "id": ident(f"crowd {place}"), "number": 200_000 - place, "subject": f"Crowd {place}", "snippet": f"Text of {place}", "status": "open",
                "priority": "normal", "category": None, "channel": "email", "inbox": self._inbox, "customer": data.ANNA, "assigned_to": None, "tags": [],
                "unread_count": 0, "message_count": 1, "last_message_at": at, "last_message_direction": "inbound", "has_failed_send": False,
                "has_unknown_send": False, "version": 1, "created_at": at, "updated_at": at, "merged_into": None,
            }
            self._kept[place] = row
            self._places[str(row["id"])] = place
        return self._kept[place]

    def find(self, row_id: str) -> Row | None:
        place = self._places.get(row_id)
        return None if place is None else self._kept[place]

    def page_behind(self, own: list[Row], after: str | None, limit: int) -> Row:
        """A page of the list that has `own` rows on top. It remembers which of the crowd were asked for."""
        head = own if after is None else []
        start = 0 if after is None else int(after)
        end = min(self.amount, start + limit - len(head))
        self.asked.append((start, end))
        return {"items": head + [self.row(place) for place in range(start, end)], "next": str(end) if end < self.amount else None}
