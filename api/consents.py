"""What the API needs of Google and Microsoft to connect a mailbox; `api/app.py` gives it the real thing."""

from dataclasses import dataclass, field
from typing import Protocol


class ConsentFailed(Exception):
    """No tokens. `reason` is a stable phrase without anything of the provider's own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Granted:
    """Tokens, and whose they are. `lacking` are needed scopes that the person did not tick; `addresses` are folded."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]
    lacking: tuple[str, ...]
    addresses: frozenset[str] = field(repr=False)


class Consents(Protocol):
    """`providers` are those with a client id in the settings."""

    @property
    def providers(self) -> frozenset[str]: ...

    def url(self, provider: str, *, redirect_uri: str, state: str, verifier: str, address: str) -> str:
        """Where the person agrees."""

    async def granted(self, provider: str, *, code: str, redirect_uri: str, verifier: str) -> Granted:
        """What a code is worth. Raises ConsentFailed."""
