"""Figures for Prometheus in a registry of their own. Labels are route templates, methods, parts and states, never ids or
addresses. What lies in the database is read at most every fifteen seconds, however often and by whom it is asked for.
"""

import asyncio
import datetime as dt
import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api.patience import bounded
from rules.access_expiry import NOTHING_GIVEN, TESTING, UNUSED, Given, What
from store.grant_view import EarliestEnds, earliest_ends
from store.metrics import Figures, read_figures
from store.unit_of_work import Database

log = logging.getLogger("mailroom.api.metrics")
READ_SECONDS = 4.0
KEPT_SECONDS = 15.0


class Metrics:
    """One per app, so that two apps in one process (tests) do not share counters. `given` is what the operator told about the OAuth
    applications.
    """

    def __init__(self, given: Given = NOTHING_GIVEN) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "mailroom_http_requests_total",
            "Answers given",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "mailroom_http_seconds", "Time to the answer", ("method", "route"), registry=self.registry
        )
        self.stream_clients = Gauge("mailroom_stream_clients", "Open event streams", registry=self.registry)
        self.stream_events = Counter(
            "mailroom_stream_events_total", "Events read from the log for streams", registry=self.registry
        )
        self.stream_overflows = Counter(
            "mailroom_stream_overflows_total",
            "Streams closed because they did not keep up",
            registry=self.registry,
        )
        self.events_lag = Gauge(
            "mailroom_events_lag_seconds", "Age of the newest event when it was read", registry=self.registry
        )
        self._part_up = self._gauge("part_up", "1 when the part answered the last look", "part")
        self._postgresql_up = self._gauge("postgresql_up", "1 when these figures could be read from PostgreSQL")
        self._ledger = self._gauge("ledger_waiting", "Mails that are known and not yet ingested", "state")
        self._ledger_oldest = self._gauge("ledger_oldest_seconds", "Age of the oldest new mail not yet ingested")
        self._quarantined = self._gauge("quarantine_open", "Mails in quarantine")
        self._quarantine_oldest = self._gauge("quarantine_oldest_seconds", "Age of the oldest one in quarantine")
        self._sends = self._gauge("sends_open", "Messages not yet settled", "status")
        self._sends_oldest = self._gauge("sends_oldest_seconds", "Age of the oldest such message", "status")
        self._sends_overdue = self._gauge(
            "sends_overdue_seconds", "How long the oldest untried message is past its time"
        )
        self._gaps = self._gauge("gaps_open", "Gaps that are not yet refilled")
        self._gaps_oldest = self._gauge("gaps_oldest_seconds", "Age of the oldest open gap")
        self._drift = self._gauge("balance_drift", "Mails that the last balance sheets of all folders lack")
        self._audit_oldest = self._gauge("balance_oldest_seconds", "Age of the oldest last balance sheet")
        self._inboxes = self._gauge("inboxes", "Inboxes by health", "health")
        self._used_up = self._gauge("budgets_used_up", "Budgets that pause a rule or silence a flood now", "budget")
        self._watches = self._gauge("watches", "Inboxes of Gmail and Graph by how they are announced", "state")
        self._watch_left = self._gauge("watch_left_seconds", "Until the first of the granted announcements ends")
        self._watch_renewed = self._gauge("watch_renewed_seconds", "Age of the oldest renewal of announcements")
        self._pushed = self._gauge("push_mails", "Mails of the last hour or two, announced in time or not", "state")
        self._counter_drift = self._gauge("counter_drift", "By how many the counters of lists were wrong at their last check")
        self._desk_behind = self._gauge("desk_behind_seconds", "Age of the oldest event without a reaction")
        self._desk_failures = self._gauge("desk_failures", "Reactions to events that were given up")
        self._access_left = self._gauge("access_left_seconds", "Until the first known end of a permission", "kind")
        self._given = given
        self._reading = asyncio.Lock()
        self._read_at = -KEPT_SECONDS

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"mailroom_{name}", meaning, labels, registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """`seconds` None for a stream, whose length says nothing."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(method, route).observe(seconds)

    def part(self, name: str, up: bool) -> None:
        self._part_up.labels(name).set(up)

    async def refresh(self, database: Database) -> None:
        """Read the figures that lie in the database, unless that was done just now. When it is away they keep their last
        values, and `up` says so.
        """
        async with self._reading:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return
            try:
                figures, ends = await bounded(_read(database), READ_SECONDS)
            except (SQLAlchemyError, OSError) as error:
                log.warning("the figures of /metrics could not be read (%s)", type(error).__name__)
                self._postgresql_up.set(0)
            else:
                self._postgresql_up.set(1)
                self._show(figures)
                self._show_access(ends)
            self._read_at = time.monotonic()

    def _show(self, figures: Figures) -> None:
        for gauge, found in (
            (self._ledger, figures.ledger),
            (self._sends, figures.sends),
            (self._sends_oldest, figures.sends_oldest),
            (self._inboxes, figures.inboxes),
            (self._used_up, figures.used_up),
            (self._watches, figures.watches),
            (self._pushed, figures.pushed),
        ):
            for word, value in found.items():
                gauge.labels(word).set(value)
        self._ledger_oldest.set(figures.ledger_oldest)
        self._quarantined.set(figures.quarantined)
        self._quarantine_oldest.set(figures.quarantine_oldest)
        self._sends_overdue.set(figures.sends_overdue)
        self._gaps.set(figures.gaps)
        self._gaps_oldest.set(figures.gaps_oldest)
        self._drift.set(figures.drift)
        self._counter_drift.set(figures.counter_drift)
        self._desk_behind.set(figures.desk_behind)
        self._desk_failures.set(figures.desk_failures)
        self._audit_oldest.set(figures.audit_oldest)
        self._watch_left.set(figures.watch_left)
        self._watch_renewed.set(figures.watch_renewed)

    def _show_access(self, ends: list[EarliestEnds]) -> None:
        """A kind of which no end is known gives no figure."""
        self._access_left.clear()
        now = dt.datetime.now(dt.UTC)
        for what, at in first_ends(ends, self._given).items():
            self._access_left.labels(what).set((at - now).total_seconds())

    def text(self) -> bytes:
        return generate_latest(self.registry)


async def _read(database: Database) -> tuple[Figures, list[EarliestEnds]]:
    async with database.system_unit_of_work() as connection:
        return await read_figures(connection), await earliest_ends(connection)


def first_ends(ends: list[EarliestEnds], given: Given) -> dict[What, dt.datetime]:
    """The first known end of each kind among all mailboxes; the client secret's also where none is connected yet."""
    known: list[tuple[What, dt.datetime]] = []
    if given.secret_expires is not None:
        known.append(("client_secret", given.secret_expires))
    for one in ends:
        if one.renewed_at is not None and one.provider in UNUSED:
            known.append(("unused", one.renewed_at + UNUSED[one.provider]))
        if one.refresh_expires_at is not None:
            known.append(("refresh_token", one.refresh_expires_at))
        if one.granted_at is not None and one.provider == "gmail" and given.google_testing:
            known.append(("refresh_token", one.granted_at + TESTING))
    return {what: min(at for kind, at in known if kind == what) for what, _ in known}
