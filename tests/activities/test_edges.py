"""Every error leaves a step under a name we know, with our sentence, and without a word of the mail."""

import pytest
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities._edges import edges, failure
from contracts.failures import NON_RETRYABLE, SENTENCES
from providers import errors
from providers.s3.blobs import BlobMissing
from store.inbox_state import LeaseLost
from store.sealing import CredentialsUnreadable

SECRET = "carla@customer.example.com wrote a private text"


class _Driver(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(SECRET)
        self.sqlstate = sqlstate


def raised(error: Exception) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught, edges():
        raise error
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.AuthFailed(), "AuthFailed"),
        (errors.Unreachable("x", SECRET), "Unreachable"),
        (errors.FolderGone(), "FolderGone"),
        (errors.ProviderError("odd", SECRET), "ProtocolBroken"),
        (errors.Unreachable("storage_unreachable"), "StorageUnavailable"),
        (errors.AuthFailed("storage_auth_failed"), "StorageUnavailable"),
        (BlobMissing(), "BlobMissing"),
        (LeaseLost(), "LeaseLost"),
        (CredentialsUnreadable(SECRET), "CredentialsUnreadable"),
        (PoolTimeout(SECRET), "DatabaseUnavailable"),
        (OperationalError("select", {"body": SECRET}, _Driver(None)), "DatabaseUnavailable"),
        (OperationalError("select", {"body": SECRET}, _Driver("40P01")), "DatabaseUnavailable"),
    ],
)
def test_known_errors_get_their_names(error: Exception, name: str) -> None:
    told = raised(error)
    assert told.type == name
    assert told.message == SENTENCES[name]
    assert told.non_retryable == (name in NON_RETRYABLE)


def test_an_unknown_error_says_only_its_kind_and_stays_retryable() -> None:
    told = raised(DataError("insert", {"body": SECRET}, _Driver("22001")))
    assert (told.type, told.message, told.non_retryable) == ("DataError", "DataError", False)


def test_a_servers_wish_to_wait_is_kept() -> None:
    told = raised(errors.Throttled(retry_after=120))
    assert told.next_retry_delay is not None
    assert told.next_retry_delay.total_seconds() == 120
    assert told.category is ApplicationErrorCategory.BENIGN


def test_what_has_a_name_passes_unchanged() -> None:
    original = failure("NotConnected")
    assert raised(original) is original
