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
    """Tokens, and whose they are. `lacking` are needed scopes that the person did not tick; `addresses` are folded and those of
    the mailbox; `account` is who signed in. `refresh_seconds` is how long the permission lasts, where the provider tells it.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]
    lacking: tuple[str, ...]
    addresses: frozenset[str] = field(repr=False)
    account: str = field(repr=False, default="")
    refresh_seconds: int | None = None


class Consents(Protocol):
    """`providers` are those with a client id in the settings."""

    @property
    def providers(self) -> frozenset[str]: ...

    def url(self, provider: str, *, redirect_uri: str, state: str, verifier: str, address: str) -> str:
        """Where the person agrees."""

    async def granted(
        self, provider: str, *, code: str, redirect_uri: str, verifier: str, mailbox: str | None = None
    ) -> Granted:
        """What a code is worth; `mailbox` is one that is not the account's own. Raises ConsentFailed."""

    async def opened(self, provider: str, *, mailbox: str) -> Granted:
        """A mailbox that the application opens by itself. Raises ConsentFailed."""
