"""What the invariant checker found: a count of each kind of damage, all of which must be 0, with the first sentences about each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lost", "duplicate", "limbo", "double_sent", "orphaned", "leaked", "cursor_moved_back"]
TOLD = 12


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of damage. `unreferenced_objects` are blobs that no row names: what a crash between bucket and rows leaves,
    allowed and counted. `quarantined` and `unknown` are right ends, counted for whoever expects none.
    """

    lost: int = 0
    duplicate: int = 0
    limbo: int = 0
    double_sent: int = 0
    orphaned: int = 0
    leaked: int = 0
    cursor_moved_back: int = 0
    unreferenced_objects: int = 0
    quarantined: int = 0
    unknown: int = 0
    sentences: tuple[str, ...] = ()

    @property
    def damage(self) -> dict[str, int]:
        return {
            "lost": self.lost,
            "duplicate": self.duplicate,
            "limbo": self.limbo,
            "double_sent": self.double_sent,
            "orphaned": self.orphaned,
            "leaked": self.leaked,
            "cursor_moved_back": self.cursor_moved_back,
        }

    @property
    def holds(self) -> bool:
        return not any(self.damage.values())

    def __str__(self) -> str:
        counts = " ".join(f"{name}={count}" for name, count in self.damage.items())
        ends = f"unreferenced_objects={self.unreferenced_objects} quarantined={self.quarantined} unknown={self.unknown}"
        return "\n".join([f"{counts} ({ends})", *(f"  {sentence}" for sentence in self.sentences)])


class Findings:
    """Collects sentences while the checks run."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._told: dict[str, list[str]] = {}
        self.unreferenced_objects = 0
        self.quarantined = 0
        self.unknown = 0

    def add(self, kind: Kind, sentence: str) -> None:
        self._counts[kind] += 1
        told = self._told.setdefault(kind, [])
        if len(told) < TOLD:
            told.append(f"{kind}: {sentence}")

    def add_all(self, kind: Kind, sentence: str, these: Iterable[object]) -> None:
        for this in these:
            self.add(kind, f"{sentence}: {this}")

    def report(self) -> Report:
        return Report(
            **self._counts,
            unreferenced_objects=self.unreferenced_objects,
            quarantined=self.quarantined,
            unknown=self.unknown,
            sentences=tuple(sentence for told in self._told.values() for sentence in told),
        )
