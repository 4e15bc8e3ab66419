"""The one place where an error of a provider, the database or the bucket becomes a failure that Temporal keeps.

Promises that a failure holds a name of `contracts.failures` and its sentence only: histories are read by operators and
never encrypted, and a driver's own text may quote mail (integrity T-2, X-52).
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError

from contracts.failures import NON_RETRYABLE, SENTENCES
from providers.errors import ProviderError
from providers.s3.blobs import BlobMissing
from store.inbox_state import LeaseLost
from store.sealing import CredentialsUnreadable

log = logging.getLogger(__name__)

# Weather, not defects: they are counted and shown on the inbox, but nobody is woken for them.
EXPECTED = frozenset(
    {"Unreachable", "Throttled", "AuthUnavailable", "LeaseLost", "NotConnected", "NotFound", "FolderGone"}
)
# SQLSTATE classes that mean "again": 08 connection, 53 resources, 57 shutdown, 40 deadlock and serialization, 55 locks.
PASSING_STATES = ("08", "53", "57", "40", "55")
BUCKET_REASONS = ("storage_", "bucket_", "delete_", "range_", "clock_")


def failure(name: str, *, retry_after: float | None = None) -> ApplicationError:
    """The failure of that name, ready to be raised."""
    return ApplicationError(
        SENTENCES.get(name, name),
        type=name,
        non_retryable=name in NON_RETRYABLE,
        next_retry_delay=None
        if retry_after is None
        else timedelta(seconds=min(max(retry_after, 1.0), 86_400.0)),
        category=ApplicationErrorCategory.BENIGN
        if name in EXPECTED
        else ApplicationErrorCategory.UNSPECIFIED,
    )


def name_of(error: Exception) -> str | None:
    """The failure name of an error that is known to us, else None."""
    if isinstance(error, LeaseLost):
        return "LeaseLost"
    if isinstance(error, CredentialsUnreadable):
        return "CredentialsUnreadable"
    if isinstance(error, BlobMissing):
        return "BlobMissing"
    if isinstance(error, ProviderError):
        if error.reason.startswith(BUCKET_REASONS):
            # The bucket's keys are the operator's: no person at an inbox can enter them again.
            return "StorageUnavailable"
        name = type(error).__name__
        return name if name in SENTENCES else "ProtocolBroken"
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and _passes(error)):
        return "DatabaseUnavailable"
    return None


def taken_over() -> None:
    """Say in the log that a fence has held: an attempt that was given up came back and was refused."""
    log.info("another attempt has taken over: LeaseLost, and nothing more is written by this one")


@contextmanager
def edges() -> Iterator[None]:
    """Wrap a whole activity in it. Cancellation and failures that are already named pass unchanged."""
    try:
        yield
    except (ApplicationError, CancelledError):
        raise
    except Exception as error:  # the boundary: everything that leaves must be safe to keep
        name = name_of(error)
        if name is None:
            raise _unknown(error) from None
        if name == "LeaseLost":
            taken_over()
        raise failure(name, retry_after=getattr(error, "retry_after", None)) from None


def _unknown(error: Exception) -> ApplicationError:
    """Stays retryable: a defect may be mended by the next deployment. Its text stays here, its place goes to the log."""
    kind = type(error).__name__
    frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    ours = [frame for frame in frames if "site-packages" not in frame]
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    log.error("a step failed in an unexpected way", extra={"kind": kind, "sqlstate": state, "frames": ours[-8:]})
    return ApplicationError(kind, type=kind)


def _passes(error: DBAPIError) -> bool:
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError)  # psycopg could not even connect
    return str(state).startswith(PASSING_STATES)
