"""Counters for Prometheus in a registry of their own. Labels are route templates, methods and states, never ids or addresses."""

import asyncio
import logging

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from store.gauges import read_gauges
from store.unit_of_work import Database

log = logging.getLogger("mailroom.api.metrics")
READ_SECONDS = 5.0


class Metrics:
    """One per app, so that two apps in one process (tests) do not share counters."""

    def __init__(self) -> None:
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
        self.ledger = Gauge(
            "mailroom_ledger_waiting", "Mails not yet ingested", ("state",), registry=self.registry
        )
        self.database_up = Gauge(
            "mailroom_postgresql_up", "1 when PostgreSQL answered", registry=self.registry
        )
        self.quarantined = Gauge("mailroom_quarantine_open", "Mails in quarantine", registry=self.registry)
        self.sends = Gauge(
            "mailroom_sends_open", "Messages not yet settled", ("status",), registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """`seconds` None for a stream, whose length says nothing."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(method, route).observe(seconds)

    async def refresh(self, database: Database) -> None:
        """Read the figures that lie in the database. When it is away they keep their last values, and `up` says so."""
        try:
            async with asyncio.timeout(READ_SECONDS), database.system_unit_of_work() as connection:
                found = await read_gauges(connection)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the figures of /metrics could not be read (%s)", type(error).__name__)
            self.database_up.set(0)
            return
        self.database_up.set(1)
        for state, count in found.ledger.items():
            self.ledger.labels(state).set(count)
        for status, count in found.sends.items():
            self.sends.labels(status).set(count)
        self.quarantined.set(found.quarantined)

    def text(self) -> bytes:
        return generate_latest(self.registry)
