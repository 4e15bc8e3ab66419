"""The packs that this process stored a moment ago, so that reading them does not ask the bucket for what is still here.

Keys name their content, so what is remembered can never be wrong; what was forgotten is in the bucket.
"""

from collections import OrderedDict

MOST_BYTES = 32 * 1024 * 1024


class RecentPacks:
    """Remembers packs up to `most_bytes` together, the newest ones."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._packs: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def add(self, key: str, data: bytes) -> None:
        if len(data) > self._most_bytes or key in self._packs:
            return
        self._packs[key] = data
        self._size += len(data)
        while self._size > self._most_bytes:
            _, oldest = self._packs.popitem(last=False)
            self._size -= len(oldest)

    def get(self, key: str, offset: int, length: int) -> memoryview | None:
        """A stretch of a pack, not copied, or None if it is not remembered. Who holds it holds the whole pack."""
        data = self._packs.get(key)
        return None if data is None or offset + length > len(data) else memoryview(data)[offset : offset + length]
