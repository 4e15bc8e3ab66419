"""A set of UIDs as ranges in two flat arrays: a million mails cost a few bytes when they lie together, and eight octets
each at the worst.
"""

from array import array
from collections.abc import Iterable, Iterator


class UidRanges:
    """Ascending UIDs, made once by `of` and never changed."""

    __slots__ = ("_count", "_highs", "_lows")

    def __init__(self, lows: "array[int]", highs: "array[int]") -> None:
        self._lows = lows
        self._highs = highs
        self._count = sum(h - low + 1 for low, h in zip(lows, highs, strict=True))

    @classmethod
    def of(cls, uids: Iterable[int]) -> "UidRanges":
        """Take up UIDs in any order, doubles too; ascending ones, as servers send them, are not held a second time."""
        lows, highs = array("I"), array("I")
        ascending = True
        for uid in uids:
            if not highs or uid > highs[-1] + 1:
                lows.append(uid)
                highs.append(uid)
            elif uid == highs[-1] + 1:
                highs[-1] = uid
            elif uid < lows[-1]:
                ascending = False
                lows.append(uid)
                highs.append(uid)
            # else: it lies in the last range already
        return cls(lows, highs) if ascending else cls(*_merged(lows, highs))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for low, high in zip(self._lows, self._highs, strict=True):
            yield from range(low, high + 1)

    @property
    def first(self) -> int:
        """The lowest; 0 of none."""
        return self._lows[0] if self._lows else 0

    @property
    def last(self) -> int:
        """The highest; 0 of none."""
        return self._highs[-1] if self._highs else 0

    def windows(self, size: int) -> Iterator[list[int]]:
        """The UIDs again, at most `size` at a time."""
        window: list[int] = []
        for uid in self:
            window.append(uid)
            if len(window) >= size:
                yield window
                window = []
        if window:
            yield window


def _merged(lows: "array[int]", highs: "array[int]") -> "tuple[array[int], array[int]]":
    new_lows, new_highs = array("I"), array("I")
    for low, high in sorted(zip(lows, highs, strict=True)):
        if new_highs and low <= new_highs[-1] + 1:
            new_highs[-1] = max(new_highs[-1], high)
        else:
            new_lows.append(low)
            new_highs.append(high)
    return new_lows, new_highs
