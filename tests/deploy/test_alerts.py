"""Every alert fires when it should and is silent otherwise, as Prometheus' own promtool finds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from shared.runtime import metrics
from tests.deploy.alert_rules import (
    EXPRESSIONS,
    cases,
    panels,
    play,
    play_all,
    rules,
    scaling_queries,
    syntax_errors,
    value_of,
)
from tests.deploy.manifests import K8S
from tests.deploy.test_monitoring import FOREIGN

RULES: Final = {rule["alert"]: rule for rule in rules()}
PLAYED: Final = {
    f"{alert}-{kind}-{number}": (RULES[alert], case, kind == "fires")
    for alert, kinds in cases().items()
    for kind, found in kinds.items()
    for number, case in enumerate(found)
}
_SELECTED: Final = re.compile(r"\b([a-z_:][a-z0-9_:]*)\b(\{[^}]*\})?")


@pytest.fixture(scope="module")
def went_well(tmp_path_factory: pytest.TempPathFactory) -> set[int]:
    return play_all(tmp_path_factory.mktemp("played"), list(PLAYED.values()))


@pytest.mark.parametrize("name", PLAYED)
def test_an_alert_fires_when_it_should_and_only_then(
    name: str, went_well: set[int], tmp_path: Path
) -> None:
    rule, case, fires = PLAYED[name]
    place = list(PLAYED).index(name)
    assert place in went_well, play(tmp_path, rule, case, fires=fires)


def test_every_alert_has_cases_of_both_kinds() -> None:
    assert {
        alert: {kind for kind, found in kinds.items() if found} for alert, kinds in cases().items()
    } == {alert: {"fires", "silent"} for alert in RULES}


def test_every_expression_is_parsed(tmp_path: Path) -> None:
    """Those of the dashboard too, which Grafana would show as an empty panel."""
    assert len(list(panels())) > 20
    assert syntax_errors(tmp_path, EXPRESSIONS) == ""


def test_every_series_is_picked_by_its_namespace() -> None:
    """Another installation in the same Prometheus neither calls for us nor hides our fault."""
    namespace = yaml.safe_load((K8S / "monitoring" / "kustomization.yaml").read_text())["namespace"]
    for rule in RULES.values():
        assert without_namespace(rule["expr"], namespace) == set(), rule["alert"]
    for query in scaling_queries():
        assert without_namespace(query, namespace) == set(), query
    for title, expression in panels():
        assert without_namespace(expression, "$namespace") == set(), title


_BACKLOG: Final = 'medvid_judge_backlog_seconds{namespace="medvid",pod="a"}'
_USEFUL: Final = 'medvid_judge_replicas_useful{namespace="medvid",pod="a"}'


@pytest.mark.parametrize(
    ("series", "replicas"),
    [
        ({_BACKLOG: "3000x5"}, 5),  # ten minutes of five
        ({_BACKLOG: "3000x5", _USEFUL: "2x5"}, 2),
        ({_BACKLOG: "600x5", _USEFUL: "2x5"}, 1),
        ({_BACKLOG: "0x5", _USEFUL: "2x5"}, 0),  # nothing to do, paused, or no money left
        ({_BACKLOG: "3000x5", _BACKLOG.replace('medvid"', 'staging"'): "90000x5"}, 5),
        ({_BACKLOG.replace('medvid"', 'staging"'): "90000x5"}, None),
    ],
)
def test_as_many_judges_are_wanted_as_clear_the_backlog_and_as_rates_allow(
    series: dict[str, str], replicas: float | None, tmp_path: Path
) -> None:
    (query,) = scaling_queries()
    assert value_of(tmp_path, query, series, replicas) == ""
    assert value_of(tmp_path, query, series, 7) != ""


def without_namespace(expression: str, namespace: str) -> set[str]:
    """Return the series that an expression takes from any namespace."""
    return {
        name
        for name, selector in _SELECTED.findall(expression)
        if (name in metrics.series_names() or name in FOREIGN)
        and f'namespace="{namespace}"' not in selector
    }


def test_these_checks_can_fail(tmp_path: Path) -> None:
    """The faults that were there: each is found again where it is put back."""
    backups = 'barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{namespace="medvid"}'
    old = {
        "MedvidRabbitmqAlarm": "max by (pod)"
        ' (rabbitmq_alarms_memory_used_watermark{namespace="medvid"}'
        ' or rabbitmq_alarms_free_disk_space_watermark{namespace="medvid"}) > 0',
        "MedvidCertificateEnds": "min by (name)"
        ' (certmanager_certificate_expiration_timestamp_seconds{namespace="medvid"})'
        " - time() < 604800",
        "MedvidGatewayDown": 'absent(up{service="gateway"} == 1)',
        "MedvidPostgresBackupOld": f"time() - max({backups}) > 93600 or absent({backups})",
    }
    changed = [
        (RULES[alert] | {"expr": expression}, case, kind == "fires")
        for alert, expression in old.items()
        for kind, played in cases()[alert].items()
        for case in played
    ]
    well = play_all(tmp_path, changed)
    failed = [each for place, each in enumerate(changed) if place not in well]
    assert {rule["alert"] for rule, _, _ in failed} == old.keys()
    assert "FAILED" in play(tmp_path, *failed[0][:2], fires=failed[0][2])
    assert syntax_errors(tmp_path, ["sum(rate(x[5m])"])
    assert without_namespace('absent(up{service="a"} == 1)', "medvid") == {"up"}
    assert without_namespace("max(medvid_outbox_lag_seconds)", "medvid") == {
        "medvid_outbox_lag_seconds"
    }
