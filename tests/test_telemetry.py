"""Logs hold no address, no secret and no exception text; the worker's metrics and health are served."""

import json
import logging
import urllib.error
import urllib.request

import pytest

from telemetry import JsonLines, MetricsEndpoint, redact


def line(**extra: object) -> dict:
    record = logging.LogRecord("mailroom", logging.INFO, __file__, 1, extra.pop("msg", "said"), (), extra.pop("exc", None))
    for key, value in extra.items():
        setattr(record, key, value)
    return json.loads(JsonLines().format(record))


@pytest.mark.parametrize(
    "text", ["mail from ada@example.com", "<ada.l+x@sub.example.co.uk>", "to:ADA@EXAMPLE.COM,bob@example.org", "ünï@exämple.com and ada@example.com"]
)
def test_addresses_are_cut(text) -> None:
    assert "@example" not in redact(text).lower()
    assert "<address>" in redact(text)


def test_passwords_in_urls_are_cut() -> None:
    assert redact("postgresql://app:hunter2@127.0.0.1/x") == "postgresql://app:<secret>@127.0.0.1/x"


def test_fields_are_kept_and_cut() -> None:
    out = line(msg="sent to ada@example.com", inbox="abc", who="bob@example.org", count=3)
    assert out["message"] == "sent to <address>"
    assert out["inbox"] == "abc"
    assert out["count"] == 3
    assert out["who"] == "<address>"


def test_an_exception_shows_its_type_and_place_but_not_its_text() -> None:
    def step() -> None:
        raise ValueError("subject: secret plans")

    try:
        step()
    except ValueError as error:
        out = line(exc=(type(error), error, error.__traceback__))
    assert out["error"] == "ValueError"
    assert any("step" in frame for frame in out["where"])
    assert "secret plans" not in json.dumps(out)


def test_redacting_is_linear() -> None:
    redact("a" * 100_000 + "@" + "b." * 50_000)


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health_are_served() -> None:
    well = [True]
    endpoint = MetricsEndpoint("127.0.0.1", 0, sdk_port=1, healthy=lambda: well[0])
    endpoint.start()
    try:
        status, body = fetch(endpoint.port, "/metrics")
        assert status == 200
        assert "python_info" in body
        assert fetch(endpoint.port, "/healthz")[0] == 200
        well[0] = False
        assert fetch(endpoint.port, "/healthz")[0] == 503
        assert fetch(endpoint.port, "/")[0] == 404
    finally:
        endpoint.stop()
