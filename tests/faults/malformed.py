"""A seeded generator of malformed mail: endless variety, and the same mail again for the same seed and number.

    mail = Malformed(seed=1).mail(4711)       # .name says how it was made, .raw is the mail

A third is made by `hostile_pieces`, a third is a good mail of the corpus that was mutated, a third is both.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from tests.faults.hostile_pieces import KINDS, NASTY, noise

CORPUS = Path(__file__).parents[1] / "corpus"
SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
MOST_BYTES = 400_000  # what a good mail may have to be mutated; giants are tried elsewhere


@dataclass(frozen=True, slots=True)
class HostileMail:
    """`name` tells kind, seed and number, so that a failing test says which mail to make again."""

    name: str
    raw: bytes


@dataclass(frozen=True)
class Malformed:
    """The mails of one seed. `samples`: also mutate the real mails that lie beside the project, where there are any."""

    seed: int
    samples: bool = False

    @cached_property
    def _good(self) -> Sequence[bytes]:
        places = [CORPUS, SAMPLES] if self.samples and SAMPLES.is_dir() else [CORPUS]
        paths = [path for place in places for path in sorted(place.rglob("*.eml"))]
        return [raw for raw in (path.read_bytes() for path in paths) if len(raw) <= MOST_BYTES]

    def mail(self, number: int) -> HostileMail:
        r = Random(f"{self.seed}/{number}")
        way = r.randrange(3)
        if way == 0:
            kind = r.choice(KINDS)
            return HostileMail(f"{kind.__name__}/{self.seed}/{number}", kind(r))
        if way == 1:
            return HostileMail(f"mutated/{self.seed}/{number}", mutated(r, r.choice(self._good), self._good))
        kind = r.choice(KINDS)
        return HostileMail(f"mutated-{kind.__name__}/{self.seed}/{number}", mutated(r, kind(r), self._good))

    def mails(self, count: int, start: int = 0) -> Iterator[HostileMail]:
        return (self.mail(number) for number in range(start, start + count))


def mutated(r: Random, raw: bytes, good: Sequence[bytes]) -> bytes:
    """Flip, insert, delete, repeat, move, splice with another mail, or cut off, up to a dozen times."""
    data = bytearray(raw)
    for _ in range(r.choice((1, 2, 3, 6, 12))):
        at = r.randrange(len(data) + 1)
        # Headers are where the trouble is: half of the blows go there.
        at = min(at, r.randrange(1500)) if r.random() < 0.5 else at
        length = r.choice((1, 2, 7, 40, 300, 3000))
        blow = r.randrange(8)
        if blow == 0 and at < len(data):
            data[at] ^= 1 << r.randrange(8)
        elif blow == 1:
            data[at:at] = r.choice(NASTY) * r.choice((1, 1, 3, 100))
        elif blow == 2:
            del data[at : at + length]
        elif blow == 3:
            data[at:at] = bytes(data[at : at + length]) * r.choice((1, 2, 30))
        elif blow == 4:
            other = r.choice(good)
            cut = r.randrange(len(other) + 1)
            data[at : at + length] = other[cut : cut + length * 4]
        elif blow == 5:
            data[at:at] = noise(r, 60)
        elif blow == 6:
            piece = bytes(data[at : at + length])
            del data[at : at + length]
            to = r.randrange(len(data) + 1)
            data[to:to] = piece
        elif r.random() < 0.3:
            del data[at:]
    return bytes(data)


def main() -> None:
    """`python -m tests.faults.malformed SEED NUMBER` writes one mail to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("number", type=int)
    parser.add_argument("--samples", action="store_true")
    given = parser.parse_args()
    sys.stdout.buffer.write(Malformed(given.seed, samples=given.samples).mail(given.number).raw)


if __name__ == "__main__":
    main()
