"""The worker with short patience: the same program, its waits cut to seconds, so that faults play out in a test's time.

`python -m tests.faults.hasty_worker`. Only durations differ; every order of steps and every promise is the product's.
"""

import dataclasses
from datetime import timedelta

from contracts import timing

HEARTBEAT_SECONDS = 4.0  # a stopped worker is given up after this
VERIFY_AFTER = (0, 1, 2)  # seconds at which Sent is searched


def hurry() -> None:
    """Shorten the constants before anything reads them."""
    timing.HEARTBEAT = timedelta(seconds=HEARTBEAT_SECONDS)
    timing.QUICK = timedelta(seconds=6)
    timing.VERIFY_AFTER = VERIFY_AFTER  # type: ignore[assignment]
    timing.DEFERRED_FIRST = timedelta(seconds=2)
    timing.DEFERRED_LAST = timedelta(seconds=8)
    for name in ("NETWORK_RETRY", "DATABASE_RETRY"):
        patient = getattr(timing, name)
        setattr(timing, name, dataclasses.replace(patient, maximum_interval=timedelta(seconds=4)))


hurry()

import worker  # noqa: E402 - after the constants have changed

worker.SWEEP_EVERY = timedelta(seconds=5)

if __name__ == "__main__":
    worker.main()
