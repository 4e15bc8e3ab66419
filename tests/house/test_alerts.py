"""Every alert has a runbook that exists and asks for metrics that exist; every metric is explained on its page."""

import re
from pathlib import Path

import pytest
import yaml

from api.metrics import Metrics
from worker_telemetry import HISTOGRAMS, WorkerTelemetry

ROOT = Path(__file__).parents[2]
RULES = [rule for group in yaml.safe_load((ROOT / "temporal/alerts.yml").read_text())["groups"] for rule in group["rules"]]
WORDS = {
    "absent", "and", "by", "histogram_quantile", "increase", "max", "min", "or", "rate", "sum",
    "failure", "health", "kind", "le", "part", "queue", "reason", "state", "status", "step", "task_queue", "worker_type", "workflow_type",
}  # fmt: skip
# Exported by the SDK only once it has something to tell; its name is that of sdk-core's metrics.
OF_SDK = {
    "temporal_worker_task_slots_available", "temporal_activity_schedule_to_start_latency_bucket", "temporal_workflow_task_execution_failed",
    *(f"{name}_{part}" for name in HISTOGRAMS if name.startswith("mailroom_") for part in ("bucket", "count")),
}  # fmt: skip


def exported() -> set[str]:
    """Names of all series that the API and the worker give by themselves."""
    names = set()
    for registry in (Metrics().registry, WorkerTelemetry().registry):
        for family in registry.collect():
            names |= {family.name} | {sample.name for sample in family.samples}
            if family.type == "counter":
                names.add(f"{family.name}_total")
            if family.type == "histogram":
                names |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
    return names


def asked(expression: str) -> set[str]:
    """The metrics of a PromQL expression."""
    bare = re.sub(r"\"[^\"]*\"", "", expression)
    return set(re.findall(r"[a-z_]{3,}", re.sub(r"\[\d+[smhd]\]", "", bare))) - WORDS


def test_there_are_rules() -> None:
    assert len(RULES) > 15
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_can_fire_and_says_what_to_do(rule: dict) -> None:
    unknown = asked(rule["expr"]) - exported() - OF_SDK
    assert not unknown, f"nobody exports {unknown}"
    assert (ROOT / rule["annotations"]["runbook"]).exists(), rule["annotations"]["runbook"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    page = (ROOT / "docs/alerts.md").read_text()
    name = Path(rule["annotations"]["runbook"]).stem
    assert f"| `{rule['alert']}` |" in page
    assert re.search(rf"\| `{rule['alert']}` \|.*\[{name}\]", page)


def test_every_metric_of_ours_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    explained = set(re.findall(r"`(mailroom_[a-z_]+)`", page))
    own = set()
    for registry in (Metrics().registry, WorkerTelemetry().registry):
        own |= {f"{f.name}_total" if f.type == "counter" else f.name for f in registry.collect()}
    own |= {name for name in HISTOGRAMS if name.startswith("mailroom_")}
    assert explained == own, f"missing {own - explained}, gone {explained - own}"
