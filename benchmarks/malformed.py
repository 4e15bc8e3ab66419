"""Thousands of malformed mails of a seed, and all bombs, through the parser children: what became of them, and how fast.

    python -m benchmarks.malformed --count 10000 --seed 1 [--samples] [--shown]

Ends with 1 when a child died, a mail was neither read nor refused with a limit, or (`--shown`) one could not be shown.
"""

import argparse
import asyncio
import sys
import time

from activities.parser_pool import ParserPool
from tests.faults import mail_bombs
from tests.faults.hostile_reading import Tally, read_all
from tests.faults.malformed import HostileMail, Malformed

SECRET = b"a secret of at least thirty-two characters"


def _told(what: str, tally: Tally, seconds: float) -> bool:
    count = tally.ends.total()
    print(f"{what}: {count} in {seconds:.1f} s ({count / seconds:.0f}/s)")
    for end, times in tally.ends.most_common():
        print(f"  {times:>7}  {end}")
    for name in tally.broken[:50]:
        print(f"  BROKEN {name}")
    return not tally.broken


async def _run(given: argparse.Namespace) -> bool:
    async with ParserPool(workers=given.workers, secret=SECRET) as pool:
        begun = time.monotonic()
        mails = Malformed(given.seed, samples=given.samples).mails(given.count, start=given.start)
        sound = _told("malformed mails", await read_all(pool, mails, render=given.shown), time.monotonic() - begun)
        begun = time.monotonic()
        bombs = {**mail_bombs.refused(), **mail_bombs.readable()}
        tally = await read_all(pool, (HostileMail(name, raw) for name, raw in bombs.items()), render=given.shown)
        sound &= _told("bombs", tally, time.monotonic() - begun)
        print(f"children that died: {pool.deaths.total()} {dict(pool.deaths) or ''}")
        return sound and not pool.deaths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first mail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", action="store_true", help="also mutate the real mails beside the project")
    parser.add_argument("--shown", action="store_true", help="also make what the API shows")
    parser.add_argument("--workers", type=int, default=2)
    if not asyncio.run(_run(parser.parse_args())):
        sys.exit(1)


if __name__ == "__main__":
    main()
