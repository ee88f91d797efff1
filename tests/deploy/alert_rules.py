"""Alerts and dashboard as they lie in the repository, and promtool, which parses and plays them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.manifests import K8S
from tests.patience import HANG_SECONDS

Rule = dict[str, Any]
Case = dict[str, Any]
_WENT_WELL: Final = re.compile(r"^Unit Testing:\s+test-(\d+)\.yaml\n\s+SUCCESS$", re.MULTILINE)


PLAIN: Final = K8S.parent / "prometheus" / "rules.yml"


def groups() -> list[dict[str, Any]]:
    document = yaml.safe_load((K8S / "monitoring" / "rules.yaml").read_text())
    found: list[dict[str, Any]] = document["spec"]["groups"]
    return found


def rules() -> list[Rule]:
    return [rule for group in groups() for rule in group["rules"]]


def panels() -> Iterator[tuple[str, str]]:
    """Return every expression of the dashboard with its panel's title."""
    dashboard = json.loads((K8S / "monitoring" / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def cases() -> dict[str, dict[str, list[Case]]]:
    """Return what makes each alert fire, and what must not."""
    found: dict[str, dict[str, list[Case]]] = yaml.safe_load(
        Path(__file__).with_name("alert_cases.yaml").read_text()
    )
    return found


def promtool(folder: Path, *arguments: str | Path) -> str:
    """Run promtool; returns what is wrong, nothing where all is well."""
    done = _promtool(folder, *arguments)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def _promtool(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program, "these tests need promtool: './scripts/test deploy' installs it"
    return subprocess.run(  # noqa: S603 - our own files
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS
    )


def syntax_errors(folder: Path, expressions: Sequence[str]) -> str:
    """Parse expressions, as those of recording rules."""
    recorded = [{"record": f"case:{n}", "expr": text} for n, text in enumerate(expressions)]
    _write(folder / "rules.yaml", {"groups": [{"name": "parsed", "rules": recorded}]})
    return promtool(folder, "check", "rules", "rules.yaml")


def play(folder: Path, rule: Rule, case: Case, *, fires: bool) -> str:
    """Play one case of an alert; returns what is wrong."""
    return promtool(folder, "test", "rules", _play(folder, "one", rule, case, fires=fires))


def play_all(folder: Path, played: Sequence[tuple[Rule, Case, bool]]) -> set[int]:
    """Play all cases, each with whether it fires; returns the places of those that went well.

    To start promtool takes longer than to play a case.
    """
    names = [
        _play(folder, str(place), rule, case, fires=fires)
        for place, (rule, case, fires) in enumerate(played)
    ]
    told = _promtool(folder, "test", "rules", *names).stdout
    return {int(place) for place in _WENT_WELL.findall(told)}


def _play(folder: Path, name: str, rule: Rule, case: Case, *, fires: bool) -> str:
    """Write a case and its rule for promtool; returns the file's name."""
    _write(folder / f"rules-{name}.yaml", {"groups": [{"name": "played", "rules": [rule]}]})
    looked_at = {"eval_time": case["at"], "alertname": rule["alert"]}
    if fires:
        looked_at["exp_alerts"] = [_expected(rule, case)]
    played = {
        "interval": "1m",
        "input_series": [{"series": name, "values": at} for name, at in case["series"].items()],
        "alert_rule_test": [looked_at],
    }
    _write(folder / f"test-{name}.yaml", {"rule_files": [f"rules-{name}.yaml"], "tests": [played]})
    return f"test-{name}.yaml"


def _expected(rule: Rule, case: Case) -> Mapping[str, Any]:
    annotations = rule["annotations"]
    summary = case.get("summary", annotations["summary"])
    return {
        "exp_labels": {**rule["labels"], **case.get("labels", {})},
        "exp_annotations": {**annotations, "summary": summary},
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), "utf-8")  # JSON is YAML, and written sooner


def scaling_queries() -> list[str]:
    """Return what the scalers ask Prometheus."""
    return [
        trigger["metadata"]["query"]
        for path in sorted((K8S / "scaling").glob("*.yaml"))
        for resource in yaml.safe_load_all(path.read_text())
        for trigger in resource.get("spec", {}).get("triggers", [])
        if trigger["type"] == "prometheus"
    ]


def value_of(folder: Path, query: str, series: Mapping[str, str], expected: float | None) -> str:
    """Have promtool evaluate a query at minute 1; returns what is wrong."""
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    played = {
        "interval": "1m",
        "input_series": [{"series": name, "values": at} for name, at in series.items()],
        "promql_expr_test": [{"expr": f"sum({query})", "eval_time": "1m", "exp_samples": samples}],
    }
    _write(folder / "test.yaml", {"rule_files": [], "tests": [played]})
    return promtool(folder, "test", "rules", "test.yaml")


EXPRESSIONS: Final = sorted(
    {rule["expr"] for rule in rules()} | {expr for _, expr in panels()} | set(scaling_queries())
)


def plain() -> str:
    """Return the alerts as Prometheus itself reads them, without an operator."""
    made = "# Made from ../k8s/monitoring/rules.yaml by 'python -m tests.deploy.alert_rules'.\n"
    return made + yaml.safe_dump({"groups": groups()}, sort_keys=False, width=100)


if __name__ == "__main__":
    PLAIN.write_text(plain())
