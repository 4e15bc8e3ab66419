"""Counters for Prometheus in a registry of their own. Labels are route templates, methods and states, never ids or addresses."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """One per app, so that two apps in one process (tests) do not share counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "mailroom_http_requests_total", "Answers given", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "mailroom_http_seconds", "Time to the answer", ("method", "route"), registry=self.registry
        )
        self.stream_clients = Gauge("mailroom_stream_clients", "Open event streams", registry=self.registry)
        self.stream_events = Counter(
            "mailroom_stream_events_total", "Events read from the log for streams", registry=self.registry
        )
        self.stream_overflows = Counter(
            "mailroom_stream_overflows_total", "Streams closed because they did not keep up", registry=self.registry
        )
        self.events_lag = Gauge(
            "mailroom_events_lag_seconds", "Age of the newest event when it was read", registry=self.registry
        )
        self.ledger = Gauge("mailroom_ledger_waiting", "Mails not yet ingested", ("state",), registry=self.registry)
        self.quarantined = Gauge("mailroom_quarantine_open", "Mails in quarantine", registry=self.registry)
        self.sends = Gauge("mailroom_sends_open", "Messages not yet settled", ("status",), registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """`seconds` None for a stream, whose length says nothing."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)
