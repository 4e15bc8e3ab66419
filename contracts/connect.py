"""The connect flow: check that the servers accept us, choose folders, set the first cursors, and begin."""

from dataclasses import dataclass

from temporalio import activity

from contracts.refs import InboxRef


@dataclass(frozen=True, slots=True)
class ConnectCheck:
    """One thing that was tried: `name` is `imap` or `smtp`, behind a web API `mailbox` or `folders`; `failure` a name of
    `contracts.failures` or None.
    """

    name: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectReport:
    checks: tuple[ConnectCheck, ...]

    @property
    def ok(self) -> bool:
        return all(c.failure is None for c in self.checks)


@dataclass(frozen=True, slots=True)
class ConnectInput:
    tenant_id: str
    inbox_id: str
    check_only: bool = False


@dataclass(frozen=True, slots=True)
class DiscoverReport:
    """Folders found, and the ids of the synced ones, at most ten named (INBOX and Sent by default)."""

    folders: int
    synced: tuple[str, ...]
    backfill: bool


@dataclass(frozen=True, slots=True)
class ConnectFailure:
    tenant_id: str
    inbox_id: str
    failure: str


class ConnectSteps:
    """Signatures of the connect activities; `activities/connect.py` overrides each."""

    @activity.defn(name="connect.verify")
    async def verify(self, ref: InboxRef) -> ConnectReport:
        """Log in to IMAP and SMTP, or ask a web API whose mailbox it opens, without reading or sending mail. Writes nothing."""
        raise NotImplementedError

    @activity.defn(name="connect.discover")
    async def discover(self, ref: InboxRef) -> DiscoverReport:
        """Folders by role, and on an IMAP server for each synced one without a cursor: UIDVALIDITY and the last UID that is
        history. Sets the inbox connected and healthy. A second run finds cursors set and leaves them.
        """
        raise NotImplementedError

    @activity.defn(name="connect.fail")
    async def fail(self, report: ConnectFailure) -> None:
        """Write why connecting failed to the inbox, where people see it."""
        raise NotImplementedError
