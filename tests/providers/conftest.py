"""What the provider tests share: a port where nothing listens, and a policy that allows this machine."""

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from providers.egress import EgressPolicy
from tests.conftest import StackHome
from tests.servers.emulate import Emulate, emulate_missing


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken but not listening, so that connecting is refused for as long as the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def local_policy() -> EgressPolicy:
    return EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), check_ports=False)


@pytest.fixture(scope="session")
def emulated_google(stack_home: StackHome) -> Iterator[Emulate]:
    yield from _emulated("google", stack_home)


@pytest.fixture(scope="session")
def emulated_microsoft(stack_home: StackHome) -> Iterator[Emulate]:
    yield from _emulated("microsoft", stack_home)


def _emulated(service: str, home: StackHome) -> Iterator[Emulate]:
    if missing := emulate_missing():
        pytest.skip(missing)
    one = Emulate(service, home.ports.port(f"emulate-{service}"), home.layout.root)
    try:
        one.start()
        yield one
    finally:
        one.stop()
