"""Models of judging. References and raw replies are in none, reasons in those of administrators."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import asdict, replace
from typing import Any, Final
from uuid import UUID

from medvid.benchmark.disclosure import about, few, rounded
from medvid.benchmark.tasks import ASPECTS
from medvid.models.judging import (
    ExplainedPage,
    ExplainedVerdict,
    JudgeResult,
    JudgeRun,
    JudgeSeries,
    JudgingReceipt,
    JudgingStatus,
    Verdict,
    VerdictPage,
    WastedCalls,
)
from medvid.spreadsheets import table
from services.gateway.judging.service import FoundVerdicts, JudgingSummary, Rationales
from services.gateway.judging.store import ShownSources, StoredRun, VerdictQuery
from services.gateway.web.urls import url

_MEASURED: Final = ("value", "coverage", "variance", "verdict_variance")
_NUMBERS: Final = (
    "uses", "repeat", "prompt_tokens", "completion_tokens", "latency_ms", "attempts", "cost_usd",
)  # fmt: skip
_OWNERS_ONLY: Final = ("detail", "estimate", "spent_usd", "estimated", "wasted")


def judge_run(run: StoredRun, *, owner: bool, judging: JudgingSummary | None = None) -> JudgeRun:
    """Build the response from a run; some of it is for its owner only."""
    rate = judging.items_per_second if judging else None
    eta = judging.eta_seconds if judging else None
    if run.evaluate_only:  # exact counts and bills tell how many captions matched
        owner, run, rate = False, _about(run), None
    facts = asdict(run) | {
        "progress": run.items_done / run.items if run.items else None,
        "items_per_second": round(rate, 2) if rate is not None else None,
        "eta_seconds": round(eta, 1) if eta is not None else None,
        "requested_at": run.created_at,
        "spent_usd": _usd(run.spent_microusd) if run.spent_microusd else None,
        "estimated": run.cost_estimated,
        "wasted": WastedCalls(
            calls=run.wasted_calls,
            usd=_usd(run.wasted_microusd),
            reasons=dict(run.wasted_reasons),
        ),
    }
    return JudgeRun(**facts | ({} if owner else dict.fromkeys(_OWNERS_ONLY)))


def _about(run: StoredRun) -> StoredRun:
    """Return a run with its counts to two digits."""
    items = about(run.items)
    return replace(
        run,
        items=items,
        items_cached=min(about(run.items_cached), items),
        items_done=min(about(run.items_done), items),
        items_at_provider=min(about(run.items_at_provider), items),
    )


def _usd(microusd: int) -> float:
    return microusd / 1e6


def _verdict(row: Mapping[str, Any], shown: ShownSources) -> Verdict:
    """Build the response from a row of `verdicts_page`; of its sources, those that are shown."""
    scores, cost = row["scores"], row["cost_microusd"]
    shared = set.intersection(*(set(shown.get(metric, ())) for metric in row["metrics"]))
    given = dict(row) | {
        "pair": row["ordinal"],
        "prediction": row["prediction"].decode(),
        "state": "scored" if scores else "unscored" if row["unscored"] else "open",
        "scores": dict(zip(ASPECTS, scores, strict=True)) if scores else None,
        "unscored_reason": row["unscored"],
        "cost_usd": cost / 1e6 if cost is not None else None,
        "mean": rounded(row["mean"]),
        "sources": [source for source in row["sources"] if source in shared],
    }
    return Verdict(**given)


def verdict_page(found: FoundVerdicts, query: VerdictQuery) -> VerdictPage:
    """Build the response from what was found."""
    return VerdictPage(
        page=query.page,
        page_size=query.page_size,
        total=found.total,
        verdicts=[_verdict(dict(row), found.shown_sources) for row in found.rows],
    )


def explained_page(found: FoundVerdicts, reasons: Rationales, query: VerdictQuery) -> ExplainedPage:
    """Build the same with the judge's reasons, for administrators."""
    page = verdict_page(found, query)
    verdicts = [
        ExplainedVerdict(
            **verdict.model_dump(),
            rationale=reasons.get((verdict.pair, verdict.repeat, verdict.judge_version)),
        )
        for verdict in page.verdicts
    ]
    return ExplainedPage(**page.model_dump(exclude={"verdicts"}), verdicts=verdicts)


def judging_status(judging: JudgingSummary, *, owner: bool) -> JudgingStatus:
    """Build the response from a summary; some of it is for its owner only."""
    run, result = judging.run, judging.result
    return JudgingStatus(
        run=judge_run(run, owner=owner, judging=judging) if run else None,
        result=JudgeResult(
            judge_version=result.judge_version,
            judge=dict(result.judge),
            stub=result.is_stub,
            completed_at=result.completed_at,
            # The mean over the aspects is the exact value.
            facts={} if result.evaluate_only else shown_facts(result.facts),
            calibration=dict(result.calibration) if result.calibration is not None else None,
        )
        if result
        else None,
        series=judging.series,
    )


def shown_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a run without what is withheld; `facts` as the judge stored them."""
    metrics = {key: _shown_metric(found) for key, found in facts.get("metrics", {}).items()}
    shown = {**facts, **({"metrics": metrics} if metrics else {})}
    if "panel" in facts:
        withheld = {key for key, found in metrics.items() if "withheld" in found}
        shown["panel"] = _shown_panel(facts["panel"], withheld)
    if any("withheld" in found for found in metrics.values()):
        # The totals, less what is shown, would tell how many captions matched.
        shown |= dict.fromkeys(facts.keys() & {"pairs", "distinct_pairs"})
    return shown


def _shown_panel(panel: Mapping[str, Any], withheld: Set[str]) -> dict[str, Any]:
    """Return what members gave and how they agree, of the metrics that are shown."""
    agreement = {
        key: {
            "alpha": rounded(found["alpha"]),
            "kappas": [{**each, "kappa": rounded(each["kappa"])} for each in found["kappas"]],
        }
        for key, found in panel["agreement"].items()
        if key not in withheld
    }
    members = [
        {
            **member,
            "metrics": {
                key: _shown_metric(found)
                for key, found in member["metrics"].items()
                if key not in withheld
            },
        }
        for member in panel["members"]
    ]
    return {**panel, "members": members, "agreement": agreement}


def _shown_metric(found: Mapping[str, Any]) -> dict[str, Any]:
    why = few(found.get("scored") or 0)
    if why is not None:
        return {**dict.fromkeys(found), "aspects": {}, "withheld": why}
    aspects = {aspect: rounded(mean) for aspect, mean in found.get("aspects", {}).items()}
    numbers = {key: rounded(found[key]) for key in _MEASURED if key in found}
    return {**found, "aspects": aspects, **numbers}


def judging_receipt(
    submission_id: UUID, run: StoredRun, series: JudgeSeries | None
) -> JudgingReceipt:
    """Build the response to a request for a run."""
    return JudgingReceipt(
        run=judge_run(run, owner=True),
        estimate=dict(run.estimate) if run.estimate and not run.evaluate_only else None,
        series=series,
        status_url=url("api_submission", id=submission_id),
        events_url=url("api_submission_events", id=submission_id),
    )


def verdicts_csv(page: VerdictPage | ExplainedPage) -> str:
    """Return a page as CSV, in which no cell is a formula to a spreadsheet."""
    columns = ["pair", *_NUMBERS[:2], "metrics", "state", *ASPECTS, "unscored_reason", "model",
               *_NUMBERS[2:], "judged_at", "prediction", "mean", "sources", "cut",
               "judge_version"]  # fmt: skip
    if isinstance(page, ExplainedPage):
        columns.append("rationale")
    rows = []
    for verdict in page.verdicts:
        row = verdict.model_dump(mode="json")
        row |= dict.fromkeys(ASPECTS) | (row["scores"] or {})
        row |= {"metrics": " ".join(verdict.metrics), "sources": " ".join(verdict.sources)}
        rows.append([row[column] for column in columns])
    return table(columns, rows)
