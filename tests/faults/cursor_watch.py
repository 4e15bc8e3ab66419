"""Looks at every folder's cursors all the time and remembers each step backwards: the database refuses one, this proves it."""

import contextlib
import threading
from dataclasses import dataclass
from typing import Self

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.faults.findings import Findings

LOOK = text("select id, uidvalidity, last_uid, backfill_uid from folders")
EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    uidvalidity: int | None
    last_uid: int
    backfill_uid: int | None


class CursorWatch:
    """Watches from a thread of its own while the block runs; a database that is away is looked at again."""

    def __init__(self, admin_url: str) -> None:
        self._engine = create_engine(admin_url, poolclass=NullPool, connect_args={"connect_timeout": 2})
        self._last: dict[str, Seen] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cursor-watch", daemon=True)
        self.backwards: list[str] = []
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def look(self, rows: dict[str, Seen]) -> None:
        """Compare with the look before."""
        self.looks += 1
        for folder, now in rows.items():
            before = self._last.get(folder)
            if before is not None and before.uidvalidity == now.uidvalidity:
                if now.last_uid < before.last_uid:
                    self.backwards.append(f"folder {folder} went back from {before.last_uid} to {now.last_uid}")
                if None not in (before.backfill_uid, now.backfill_uid) and now.backfill_uid > before.backfill_uid:  # type: ignore[operator]
                    self.backwards.append(f"the history of folder {folder} went back from {before.backfill_uid} to {now.backfill_uid}")
            self._last[folder] = now

    def add_to(self, found: Findings) -> None:
        for sentence in self.backwards:
            found.add("cursor_moved_back", sentence)

    def _watch(self) -> None:
        while not self._stop.is_set():
            # A server that is being killed and started again fails in every way; the next look compares with the last.
            with contextlib.suppress(DBAPIError), self._engine.connect() as connection:
                while not self._stop.is_set():
                    rows = connection.execute(LOOK).all()
                    connection.commit()
                    self.look({str(r.id): Seen(r.uidvalidity, r.last_uid, r.backfill_uid) for r in rows})
                    self._stop.wait(EVERY)
            self._stop.wait(EVERY)
