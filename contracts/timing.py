"""Every timeout and retry policy, by kind of work. Activities that may pass ten seconds beat at a third of their limit."""

from datetime import timedelta

from temporalio.common import RetryPolicy

from contracts.failures import NON_RETRYABLE

HEARTBEAT = timedelta(seconds=30)  # integrity T-4: at most 30 s
QUICK = timedelta(seconds=30)  # one or two database transactions
NETWORK = timedelta(minutes=5)  # one conversation with a server
BULK = timedelta(minutes=15)  # a bounded batch of mails
WATCH = timedelta(minutes=25)  # one IDLE stretch; RFC 2177 asks to re-issue before 29 minutes
SUBMIT = timedelta(minutes=30)  # integrity S-4: the reply to the dot alone may take ten minutes

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

VERIFY_AFTER = (0, 5, 15, 45, 120)  # seconds after an unknown outcome at which Sent is searched
DEFERRED_FIRST = timedelta(minutes=1)  # integrity S-6: 1 minute to 1 hour with jitter ...
DEFERRED_LAST = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=48)  # ... for 48 hours, then failed with a notice
