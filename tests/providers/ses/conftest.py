"""A signing SNS and its host, once for the room."""

import pytest

from tests.servers.sns import SnsSigner


@pytest.fixture(scope="session")
def signer() -> SnsSigner:
    return SnsSigner()
