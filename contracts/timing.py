"""Every timeout and retry policy, by kind of work. Activities that may pass ten seconds beat at a third of their limit."""

from datetime import timedelta

from temporalio.common import RetryPolicy

from contracts.failures import NON_RETRYABLE

HEARTBEAT = timedelta(seconds=30)  # integrity T-4: at most 30 s
QUICK = timedelta(seconds=30)  # one or two database transactions
NETWORK = timedelta(minutes=5)  # one conversation with a server
BULK = timedelta(minutes=15)  # a bounded batch of mails
WATCH = timedelta(minutes=25)  # one IDLE stretch; RFC 2177 asks to re-issue before 29 minutes
# One submission. Each command has its own limit (integrity S-4) and a dead worker shows by its heartbeat, so this is no
# limit on the talk: a hundred recipients may take five minutes each, and a slow line hours for a large mail.
SUBMIT = timedelta(hours=12)

DATABASE_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
    non_retryable_error_types=list(NON_RETRYABLE),
)
NETWORK_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=2),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=10),  # integrity I-13
    non_retryable_error_types=list(NON_RETRYABLE),
)
# A submission is never repeated by Temporal: the workflow asks for the next attempt, and only on proof (integrity S-3).
ONCE = RetryPolicy(maximum_attempts=1)

COPY_ATTEMPTS = 8  # to file the copy in Sent, in one round; the sweep begins the later rounds

VERIFY_AFTER = (0, 5, 15, 45, 120)  # seconds after an unknown outcome at which Sent is searched
REPORTED_AFTER = (300, 600)  # seconds at which a report is asked after where nothing can be searched (integrity S-3, SES)
LOOK = timedelta(seconds=30)  # one such search, from asking for it; five must fit into the five minutes of promise P2
DEFERRED_FIRST = timedelta(minutes=1)  # integrity S-6: 1 minute to 1 hour with jitter ...
DEFERRED_LAST = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=48)  # ... for 48 hours, then failed with a notice
