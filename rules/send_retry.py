"""When a mail that was proven not accepted is tried again, and when we give up (integrity S-6). Pure: chance comes in.

The wait is about as long as the mail has been waiting already, which doubles it each time without counting attempts and
goes on rightly after a restart that forgot everything but the first attempt.
"""

JITTER = 0.2  # of the wait, either way: many mails put off together must not come back together


def next_wait(
    *,
    waited: float,
    chance: float,
    first: float,
    last: float,
    give_up_after: float,
    asked: float | None = None,
) -> float | None:
    """Seconds until the next attempt, None to give up. All times are in seconds.

    `waited` is the time since the first attempt of this round, `chance` a number in [0, 1), `first` and `last` bound
    the wait, `asked` is a wait that the server named: it is honoured up to `last`. The last attempt falls on the end
    of the span, not beyond it.
    """
    if not 0 <= chance < 1:
        raise ValueError("chance: must be at least 0 and less than 1")
    left = give_up_after - waited
    if left <= 0:
        return None
    wait = min(max(waited, first), last)
    wait *= 1 - JITTER + 2 * JITTER * chance
    if asked is not None:
        wait = max(wait, min(asked, last))
    return min(max(wait, first), last, max(left, 1.0))
