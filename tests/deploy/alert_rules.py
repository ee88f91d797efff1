"""Alerts and dashboard as they lie in the repository, and promtool, which parses and plays them."""

from __future__ import annotations

import json
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


def rules() -> list[Rule]:
    document = yaml.safe_load((K8S / "monitoring" / "rules.yaml").read_text())
    return [rule for group in document["spec"]["groups"] for rule in group["rules"]]


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
    program = shutil.which("promtool")
    assert program, "these tests need promtool: './scripts/test deploy' installs it"
    done = subprocess.run(  # noqa: S603 - our own files
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def syntax_errors(folder: Path, expressions: Sequence[str]) -> str:
    """Parse expressions, as those of recording rules."""
    recorded = [{"record": f"case:{n}", "expr": text} for n, text in enumerate(expressions)]
    _write(folder / "rules.yaml", {"groups": [{"name": "parsed", "rules": recorded}]})
    return promtool(folder, "check", "rules", "rules.yaml")


def play(folder: Path, rule: Rule, case: Case, *, fires: bool) -> str:
    """Play one case of an alert; returns what is wrong."""
    _write(folder / "rules.yaml", {"groups": [{"name": "played", "rules": [rule]}]})
    looked_at = {"eval_time": case["at"], "alertname": rule["alert"]}
    if fires:
        looked_at["exp_alerts"] = [_expected(rule, case)]
    played = {
        "interval": "1m",
        "input_series": [{"series": name, "values": at} for name, at in case["series"].items()],
        "alert_rule_test": [looked_at],
    }
    _write(folder / "test.yaml", {"rule_files": ["rules.yaml"], "tests": [played]})
    return promtool(folder, "test", "rules", "test.yaml")


def _expected(rule: Rule, case: Case) -> Mapping[str, Any]:
    annotations = rule["annotations"]
    summary = case.get("summary", annotations["summary"])
    return {
        "exp_labels": {**rule["labels"], **case.get("labels", {})},
        "exp_annotations": {**annotations, "summary": summary},
    }


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content), "utf-8")


EXPRESSIONS: Final = sorted({rule["expr"] for rule in rules()} | {expr for _, expr in panels()})
