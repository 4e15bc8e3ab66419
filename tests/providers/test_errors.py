"""Every provider error speaks for itself and is safe to show."""

import pytest

from providers import errors
from providers.errors import ProviderError, Throttled
from providers.s3.blobs import BlobMissing

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProviderError)]


@pytest.mark.parametrize("kind", [*KINDS, BlobMissing])
def test_reason_and_sentence(kind: type[ProviderError]) -> None:
    error = kind()
    assert error.reason.isidentifier()
    assert error.reason.islower()
    assert error.sentence.endswith(".")
    assert len(error.sentence) > 30
    assert str(error) == f"{error.reason}: {error.sentence}"


def test_reasons_are_distinct() -> None:
    assert len({kind.reason for kind in KINDS}) == len(KINDS)


def test_own_words_and_retry_after() -> None:
    error = Throttled("slow_down", "Too fast.", retry_after=30.0)
    assert (error.reason, error.sentence, error.retry_after, error.transient) == (
        "slow_down",
        "Too fast.",
        30.0,
        True,
    )
