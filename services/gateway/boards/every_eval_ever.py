"""An entry as a record of Every Eval Ever: the shared schema of evaluation results, version 0.3.0.

https://github.com/evaleval/every_eval_ever, eval.schema.json of 2026-08-04.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any, Final

import orjson

from medvid.benchmark.disclosure import DECIMALS
from medvid.benchmark.statistics.bootstrap import REPLICATES
from medvid.benchmark.tasks import METRICS, SCORINGS, Metric, Scoring
from medvid.judging.panels import Panel
from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails, EntryScore, Interval
from medvid.models.judging import JudgeResult
from services.gateway.boards.models import rank_text
from services.gateway.boards.quoting import is_whole_slug, slug
from services.gateway.web.site import site
from services.gateway.web.urls import url

SCHEMA_VERSION: Final = "0.3.0"
_METRICS: Final = {metric.key: metric for metric in METRICS}
_LEVEL: Final = 0.95
_METHOD: Final = "bootstrap over videos, by source"
_AGGREGATION: Final = {"mean": "weighted_average", "median": "median"}
_DEPLOYMENT: Final = {"api": "externally_managed", "local": "self_deployed"}
_AVAILABILITY: Final = {True: "open_weights", False: "closed_weights", None: "unknown"}
_KINDS: Final = {
    "cvs_acc": "accuracy", "nap_acc": "accuracy", "sa_acc": "accuracy", "stg_miou": "iou",
    "tag_miou_03": "iou", "tag_miou_05": "iou", "dvc_f1": "f1",
}  # fmt: skip


def every_eval_ever(entry: EntryDetails, board: Leaderboard) -> str:
    """Return the record of an entry; `board` is its board in compat scoring, which dates it."""
    moment = board.updated_at.timestamp() if board.updated_at else 0
    name = f"medvidbench/{entry.board}/{entry.id}"
    record = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{name}/{int(moment)}",
        "evaluation_timestamp": entry.submitted_on.isoformat(),
        "retrieved_timestamp": str(int(moment)),
        "source_metadata": _source(entry, board),
        "eval_library": _library(entry),
        "model_info": _model(entry),
        "evaluation_results": [
            _result(entry, score, scoring)
            for score in entry.scores
            for scoring in SCORINGS
            if getattr(score, scoring) is not None
        ],
    }
    return orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() + "\n"


def _source(entry: EntryDetails, board: Leaderboard) -> dict[str, Any]:
    """Return who reports the values: this board, which scored the model's file unless imported."""
    row = next((each for each in board.entries if each.entry_id == entry.id), None)
    details = {"board": entry.board, "revision": str(board.revision)}
    if row is not None and row.rank is not None:
        details["rank"] = rank_text(row)
        details["ranked"] = str(sum(each.rank is not None for each in board.entries))
    if entry.badges:
        details["badges"] = ", ".join(entry.badges)
    found = {
        "source_name": "MedVidBench leaderboard",
        "source_type": "evaluation_run" if entry.submission_id else "documentation",
        "source_organization_name": site().maintainers,
        "evaluator_relationship": "third_party",
        "additional_details": details,
    }
    if site().origin:
        found["source_organization_url"] = site().absolute(url("official"))
        details["entry_url"] = site().absolute(entry.page)
    return found


def _library(entry: EntryDetails) -> dict[str, Any]:
    known = [score.provenance for score in entry.scores if score.provenance is not None]
    details = {
        "ground_truth_version": ", ".join(sorted({each.ground_truth_version for each in known})),
        "metric_version": ", ".join(sorted({each.metric_version for each in known})),
    }
    version = metadata.version("medvid") if known else "unknown"
    found = {name: text for name, text in details.items() if text}
    return {"name": "medvid", "version": version} | ({"additional_details": found} if found else {})


def _model(entry: EntryDetails) -> dict[str, Any]:
    facts = entry.facts.model_dump(mode="json", exclude={"prompt"}) if entry.facts else {}
    details = {
        "deployment_type": _DEPLOYMENT.get(facts.pop("access", None), "unknown"),
        "model_availability": _AVAILABILITY[facts.pop("open_weights", None)],
        **{name: _said(value) for name, value in facts.items() if value is not None},
    }
    given = {"team": entry.team, "authors": entry.authors, "url": entry.model_url,
             "track": entry.track}  # fmt: skip
    details |= {name: text for name, text in given.items() if text}
    return {
        "name": entry.model_name,
        "id": _model_id(entry),
        "developer": entry.organization,
        "additional_details": details,
    }


def _model_id(entry: EntryDetails) -> str:
    """Return developer and model as the Hub names them; with the entry's id where more is needed.

    Names in other letters than Latin have no slug that tells them apart.
    """
    names = (entry.organization, entry.model_name)
    found = "/".join(map(slug, names))
    return found if all(map(is_whole_slug, names)) else f"{found}-{str(entry.id)[:8]}"


def _said(value: object) -> str:
    """Return a fact as a text, which is what the schema has details as."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(entry: EntryDetails, score: EntryScore, scoring: Scoring) -> dict[str, Any]:
    metric = _METRICS[score.metric]
    strict = " (strict)" if scoring == "strict" else ""
    name = f"medvidbench.{score.metric}" + (".strict" if strict else "")
    details: dict[str, str] = {"scoring": scoring}
    if score.answered is not None:
        details["answered"] = str(score.answered)
    if score.expected is not None:
        details["expected"] = str(score.expected)
    return {
        "evaluation_result_id": f"{entry.id}/{score.metric}/{scoring}",
        "evaluation_name": f"medvidbench.{metric.task}",
        "source_data": _data(),
        "metric_config": {
            "evaluation_description": metric.description,
            "metric_id": name,
            "metric_name": f"{metric.label}{strict}",
            "metric_kind": _KINDS.get(score.metric, "judge_score"),
            "metric_unit": "proportion" if metric.step == 1 else "points",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": metric.minimum,
            "max_score": metric.maximum,
            **_scoring_by_judges(entry.judge, score, metric),
        },
        "score_details": {
            "score": getattr(score, scoring),
            "details": details,
            **_uncertainty(score, score.intervals.get(scoring)),
        },
    }


def _data() -> dict[str, Any]:
    """Return what the values were measured on, as far as the site says where that is."""
    named = {"dataset_name": "MedVidBench"}
    hub, data = site().hub_dataset, site().links.data
    if hub:
        return {**named, "source_type": "hf_dataset", "hf_repo": hub, "hf_split": "test"}
    if data:
        return {**named, "source_type": "url", "url": [data]}
    return {**named, "source_type": "other"}


def _scoring_by_judges(
    judge: JudgeResult | None, score: EntryScore, metric: Metric
) -> dict[str, Any]:
    """Return who judged, where that is recorded; the prompt is named by its rubric's version."""
    version = score.provenance.judge_version if score.provenance else None
    if metric.step == 1 or judge is None or version != judge.judge_version:
        return {}
    panel = Panel.read(judge.judge_version, judge.judge)
    config = {
        "judges": [
            {
                "model_info": {
                    "name": member.name,
                    "id": member.name,
                    "additional_details": {
                        "deployment_type": "unknown",
                        "model_availability": "unknown",
                        "judge_version": member.judge_version,
                    },
                },
                "weight": member.weight,
            }
            for member in panel.members
        ],
        "input_prompt": f"rubric {judge.judge.get('rubric', 'of its judges')}; see "
        + site().absolute(f"{url('about')}#judge"),
        "additional_details": {"judge_version": judge.judge_version},
    }
    if len(panel.members) > 1:
        config["aggregation_method"] = _AGGREGATION[panel.combine]
    return {"llm_scoring": config}


def _uncertainty(score: EntryScore, found: Interval | None) -> dict[str, Any]:
    if found is None or found.low is None or found.high is None or found.se is None:
        return {}
    known: dict[str, Any] = {
        "standard_error": {"value": round(found.se, DECIMALS), "method": _METHOD},
        "confidence_interval": {
            "lower": found.low,
            "upper": found.high,
            "confidence_level": _LEVEL,
            "method": _METHOD,
        },
        "num_bootstrap_samples": REPLICATES,
    }
    if score.answered is not None:
        known["num_samples"] = score.answered
    return {"uncertainty": known}
