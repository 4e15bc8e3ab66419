"""Keyset pages: a list is asked on from the last row's sort values, so a page costs the same however far it lies."""

import base64
import binascii
import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 200
USUAL = 50


class BadCursor(ValueError):
    """The text is not a cursor that this list gave out."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` asks for the page behind this one; None at the end."""

    items: Sequence[T]
    next: str | None


def time_cursor(at: dt.datetime, row_id: uuid.UUID) -> str:
    """The cursor behind a row that is sorted by time and id."""
    return _pack([at.astimezone(dt.UTC).isoformat(), str(row_id)])


def read_time_cursor(text: str) -> tuple[dt.datetime, uuid.UUID]:
    """The way back. Raises BadCursor."""
    try:
        at, row_id = _unpack(text)
        moment = dt.datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise BadCursor("a cursor's time has a zone")
        return moment, uuid.UUID(row_id)
    except (ValueError, TypeError, OverflowError):
        raise BadCursor("this is not a cursor of this list") from None


def id_cursor(row_id: uuid.UUID) -> str:
    """The cursor behind a row that is sorted by its id alone."""
    return _pack([str(row_id)])


def read_id_cursor(text: str) -> uuid.UUID:
    """The way back. Raises BadCursor."""
    try:
        (row_id,) = _unpack(text)
        return uuid.UUID(row_id)
    except (ValueError, TypeError):
        raise BadCursor("this is not a cursor of this list") from None


def number_cursor(number: int) -> str:
    """The cursor behind a row that is sorted by a number of its own."""
    return _pack([str(number)])


def read_number_cursor(text: str) -> int:
    """The way back. Raises BadCursor."""
    try:
        (number,) = _unpack(text)
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise BadCursor("a number of at most 18 digits")
        return int(number)
    except (ValueError, TypeError):
        raise BadCursor("this is not a cursor of this list") from None


def rank_cursor(rank: int, row_id: uuid.UUID) -> str:
    """The cursor behind a row that is sorted by a small number and its id."""
    return _pack([str(rank), str(row_id)])


def read_rank_cursor(text: str) -> tuple[int, uuid.UUID]:
    """The way back. Raises BadCursor."""
    try:
        rank, row_id = _unpack(text)
        if len(rank) != 1:
            raise BadCursor("a rank is one digit")
        return int(rank), uuid.UUID(row_id)
    except (ValueError, TypeError):
        raise BadCursor("this is not a cursor of this list") from None


def _pack(values: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def _unpack(text: str) -> list[str]:
    try:
        values = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise BadCursor("this is not a cursor") from None
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise BadCursor("this is not a cursor")
    return values
