"""What the provider tests share: a port where nothing listens, and a policy that allows this machine."""

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from providers.egress import EgressPolicy


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken but not listening, so that connecting is refused for as long as the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def local_policy() -> EgressPolicy:
    return EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), check_ports=False)
