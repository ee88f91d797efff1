"""Alerts and the dashboard speak of series that the code exports, and each alert is explained."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any, Final

import pytest
from prometheus_client import Counter, Gauge, Histogram

from shared.messaging.topology import QUEUES
from shared.runtime import metrics
from tests.deploy.alert_rules import EXPRESSIONS, rules
from tests.deploy.manifests import K8S, ROOT, SERVICES, render

# What others export and the alerts use; the name of the exporter beside each.
FOREIGN: Final = {
    "up": "Prometheus",
    "kube_cronjob_status_last_successful_time": "kube-state-metrics",
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp": "Barman Cloud plugin",
    "cnpg_pg_replication_streaming_replicas": "CloudNativePG",
    "rabbitmq_alarms_memory_used_watermark": "RabbitMQ",
    "rabbitmq_alarms_free_disk_space_watermark": "RabbitMQ",
    "kubelet_volume_stats_available_bytes": "kubelet",
    "kubelet_volume_stats_capacity_bytes": "kubelet",
    "certmanager_certificate_expiration_timestamp_seconds": "cert-manager",
}
_TARGET_LABELS: Final = {"service", "pod", "namespace", "le", "exported_namespace"}
_WORDS: Final = {"by", "without", "and", "or", "unless", "on", "ignoring", "bool", "offset"}
_SELECTOR: Final = re.compile(r"([a-z_:][a-z0-9_:]*)\{([^}]*)\}")
_MATCHER: Final = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING: Final = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")


def _labels() -> dict[str, set[str]]:
    """Return every exported series with its own labels."""
    labels: dict[str, set[str]] = {name: set() for name in metrics.series_names()}
    for name, sampled in metrics.SAMPLED.items():
        labels[name] = {sampled.label} if sampled.label else set()
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            own = set(metric._labelnames)  # noqa: SLF001 - the library has no other way to ask
            for described in metric.describe():
                for name in labels:
                    if name.startswith(described.name):
                        labels[name] |= own
    return labels


def unknown_names(expression: str) -> set[str]:
    """Return what an expression reads and nobody exports."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = _GROUPING.sub("", bare)
    names = set(re.findall(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()", bare)) - _WORDS
    return names - metrics.series_names() - FOREIGN.keys()


def unknown_labels(expression: str) -> set[str]:
    """Return the labels that an expression picks or groups by and that are not there."""
    known = _labels()
    wrong = set()
    used: set[str] = set(_TARGET_LABELS)
    for name, labels in known.items():
        if name in expression:
            used |= labels
    foreign = any(name in expression for name in FOREIGN)
    for name, selector in _SELECTOR.findall(expression):
        if name not in FOREIGN:
            found = {label for label, _, _ in _MATCHER.findall(selector)}
            wrong |= found - known[name] - _TARGET_LABELS
    for grouping in _GROUPING.findall(expression):
        labels = {label.strip() for label in grouping.split(",")}
        wrong |= set() if foreign else labels - used
    return wrong


def unknown_values(expression: str) -> set[str]:
    """Return queues, states and services that there are not."""
    figures = files("shared.runtime").joinpath("figures.sql").read_text("utf-8")
    known = {
        "queue": {q.name for q in QUEUES} | set(re.findall(r"'([a-z]+\.[a-z]+)'", figures)),
        "state": set(re.findall(r"'([a-z]+)'", figures)),
        "service": set(SERVICES),
        "status": {f"{first}xx" for first in range(1, 6)},
    }
    return {
        value
        for _, selector in _SELECTOR.findall(expression)
        for label, _, values in _MATCHER.findall(selector)
        for value in values.split("|")
        if value not in known.get(label, {value})
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_reads_what_is_exported(expression: str) -> None:
    assert unknown_names(expression) == set()
    assert unknown_labels(expression) == set()
    assert unknown_values(expression) == set()


def test_the_checks_of_expressions_can_fail() -> None:
    assert unknown_names("max(medvid_outbox_lag) > 60") == {"medvid_outbox_lag"}
    assert unknown_labels('medvid_queue_depth{stage="x"}') == {"stage"}
    assert unknown_labels("sum by (queue) (medvid_outbox_lag_seconds)") == {"queue"}
    assert unknown_values('medvid_queue_depth{queue=~"judge.batches|judge.batch"}') == {
        "judge.batch"
    }
    assert unknown_values('medvid_submissions_unfinished{state="acepted"}') == {"acepted"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule: dict[str, Any]) -> None:
    """Its entry in the runbook says what it means, why it matters, where to look, what to do."""
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    entry = _entries((ROOT / page).read_text())[rule["alert"]]
    for part in ("**Symptom.**", "**Why it matters.**", "**Look.**", "**Do.**"):
        assert part in entry, f"{rule['alert']} lacks {part}"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


def test_no_entry_without_its_alert() -> None:
    entries = _entries((ROOT / "docs" / "operations.md").read_text())
    assert entries.keys() == {rule["alert"] for rule in rules()}


def _entries(text: str) -> dict[str, str]:
    """Return the runbook's entries by the name of their alert."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {
        title: body
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
        if title.startswith("Medvid")
    }


def test_shares_count_what_fails() -> None:
    """Where nothing ever succeeded there is no series of successes, and 1 - nothing is nothing."""
    assert [rule["alert"] for rule in rules() if "1 - sum" in rule["expr"]] == []


def test_the_age_of_every_queue_is_watched() -> None:
    figures = files("shared.runtime").joinpath("figures.sql").read_text("utf-8")
    sampled = set(re.findall(r"'medvid_queue_age_seconds', '([a-z.]+)'", figures))
    matched = {
        value
        for rule in rules()
        for name, selector in _SELECTOR.findall(rule["expr"])
        for label, _, values in _MATCHER.findall(selector)
        for value in values.split("|")
        if name == "medvid_queue_age_seconds" and label == "queue"
    }
    # Runs in the states queued and running are watched by their own ages.
    assert sampled - matched == {"judge.requests", "judge.batches"}


def test_every_promise_has_an_alert() -> None:
    """What is sampled because it must not grow is watched."""
    watched = " ".join(rule["expr"] for rule in rules())
    promises = {
        "medvid_submissions_oldest_seconds",
        "medvid_judge_runs_oldest_seconds",
        "medvid_queue_age_seconds",
        "medvid_outbox_lag_seconds",
        "medvid_dead_letters",
        "medvid_board_behind_seconds",
        "medvid_sample_age_seconds",
        "medvid_event_loop_lag_seconds",
        "medvid_pool_waiting",
        "medvid_judge_rate_limited_total",
        "medvid_judge_budget_ratio",
        "medvid_judge_pairs_total",
    }
    assert promises <= metrics.series_names()
    assert {name for name in promises if name not in watched} == set()


def test_everything_exported_is_shown_or_watched() -> None:
    """A series that no panel and no alert reads answers nobody's question."""
    read = " ".join(EXPRESSIONS)
    ignored = {
        # A histogram's sum and count, and what the panels show in another form.
        *(name for name in metrics.series_names() if name.endswith(("_sum", "_count"))),
        "medvid_pool_size",
        "medvid_judge_budget_warnings_total",
    }
    assert {name for name in metrics.series_names() - ignored if name not in read} == set()


def test_the_dashboard_is_laid_out() -> None:
    """Panels have ids of their own, stay within the width, and do not lie on one another."""
    panels = json.loads((K8S / "monitoring" / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${source}"


def test_the_monitor_finds_every_service() -> None:
    """The label 'service' that alerts use is the name of the container."""
    manifests = render("production")
    (service,) = (s for s in manifests.of("Service") if s["metadata"]["name"] == "medvid-ops")
    monitor = manifests.get("ServiceMonitor", "medvid")
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    found = {
        container["name"]
        for pod in manifests.our_pods()
        if service["spec"]["selector"].items() <= pod.labels.items()
        for container in pod.containers
    }
    assert found == set(SERVICES)
    assert service["spec"]["publishNotReadyAddresses"] is True
