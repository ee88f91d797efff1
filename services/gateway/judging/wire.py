"""What the API answers about judging. References and raw replies are in none of these models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from medvid.benchmark.disclosure import few, rounded
from medvid.benchmark.tasks import ASPECTS
from services.gateway.judging.handlers import Judging
from services.gateway.judging.ports import StoredRun, StoredVerdict, VerdictQuery
from services.gateway.web.models import API, Answer
from services.gateway.web.spreadsheets import table

_MEASURED: Final = ("value", "coverage", "variance", "verdict_variance")
_NUMBERS: Final = (
    "uses", "repeat", "prompt_tokens", "completion_tokens", "latency_ms", "attempts", "cost_usd",
)  # fmt: skip


class EventHeaders(Answer):
    """The header with which a stream goes on where it broke off."""

    last_event_id: str | None = Field(
        None, alias="Last-Event-ID", pattern=r"^[0-9]{0,18}$", description="the last id received"
    )


class JudgeRun(Answer):
    """A run; `items` are distinct pairs times repeats. `detail`, `estimate`: the owner's only."""

    id: UUID
    state: str
    reason: str | None
    items: int
    items_cached: int = Field(description="known before the run, and not paid for again")
    items_done: int
    items_unscored: int
    progress: float | None = Field(description="share of the items that are done")
    items_per_second: float | None = None
    eta_seconds: float | None = None
    requested_by: str
    requested_at: datetime
    changed_at: datetime
    detail: str | None = None
    estimate: dict[str, Any] | None = None

    @classmethod
    def of(cls, run: StoredRun, *, owner: bool, judging: Judging | None = None) -> JudgeRun:
        """Return a run as its asker may see it."""
        rate = judging.items_per_second if judging else None
        eta = judging.eta_seconds if judging else None
        return cls(
            id=run.id,
            state=run.state,
            reason=run.reason,
            items=run.items,
            items_cached=run.items_cached,
            items_done=run.items_done,
            items_unscored=run.items_unscored,
            progress=run.items_done / run.items if run.items else None,
            items_per_second=round(rate, 2) if rate is not None else None,
            eta_seconds=round(eta, 1) if eta is not None else None,
            requested_by=run.requested_by,
            requested_at=run.created_at,
            changed_at=run.changed_at,
            detail=run.detail if owner else None,
            estimate=dict(run.estimate) if owner and run.estimate is not None else None,
        )


class JudgeResult(Answer):
    """What the judged numbers on the board rest on. Public."""

    judge_version: str
    judge: dict[str, Any] = Field(description="what the version is made of")
    stub: bool = Field(description="judged by the stand-in: for demonstration only")
    completed_at: datetime
    facts: dict[str, Any] = Field(
        description="pairs, coverage and aspect means by metric; null, with `withheld`, of a "
        "metric of too few pairs"
    )
    calibration: dict[str, Any] | None = Field(
        None, description="how this judge agreed with humans when it was last held against them"
    )


class JudgingStatus(Answer):
    """How the judging of a submission stands."""

    run: JudgeRun | None
    result: JudgeResult | None


class JudgingReceipt(Answer):
    """A run was asked for. `estimate` is null while it is still being made."""

    run: JudgeRun
    estimate: dict[str, Any] | None
    status_url: str
    events_url: str


class Verdict(Answer):
    """One item of a run: the owner's text and its scores."""

    pair: int
    repeat: int
    metrics: list[str]
    uses: int = Field(description="in how many matched pairs it counts")
    prediction: str
    state: str
    scores: dict[str, int] | None
    unscored_reason: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: float | None
    attempts: int | None
    cost_usd: float | None
    judged_at: datetime | None


class VerdictPage(Answer):
    """A page of verdicts."""

    page: int
    page_size: int
    total: int
    verdicts: list[Verdict]


def judging_status(judging: Judging, *, owner: bool) -> JudgingStatus:
    """Return how judging stands, as its asker may see it."""
    run, result = judging.run, judging.result
    return JudgingStatus(
        run=JudgeRun.of(run, owner=owner, judging=judging) if run else None,
        result=JudgeResult(
            judge_version=result.judge_version,
            judge=dict(result.judge),
            stub=result.is_stub,
            completed_at=result.completed_at,
            facts=told_facts(result.facts),
            calibration=dict(result.calibration) if result.calibration is not None else None,
        )
        if result
        else None,
    )


def told_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run found as it leaves the server; `facts` as the judge stored them."""
    metrics = {key: _told_metric(found) for key, found in facts.get("metrics", {}).items()}
    told = {**facts, **({"metrics": metrics} if metrics else {})}
    if any("withheld" in found for found in metrics.values()):
        # The totals, less what is shown, would tell how many captions matched.
        told |= dict.fromkeys(facts.keys() & {"pairs", "distinct_pairs"})
    return told


def _told_metric(found: Mapping[str, Any]) -> dict[str, Any]:
    why = few(found.get("scored") or 0)
    if why is not None:
        return {**dict.fromkeys(found), "aspects": {}, "withheld": why}
    aspects = {aspect: rounded(mean) for aspect, mean in found.get("aspects", {}).items()}
    numbers = {key: rounded(found[key]) for key in _MEASURED if key in found}
    return {**found, "aspects": aspects, **numbers}


def judging_receipt(submission_id: UUID, run: StoredRun) -> JudgingReceipt:
    """Return the answer to whoever asked for a run."""
    url = f"{API}/submissions/{submission_id}"
    return JudgingReceipt(
        run=JudgeRun.of(run, owner=True),
        estimate=dict(run.estimate) if run.estimate is not None else None,
        status_url=url,
        events_url=f"{url}/events",
    )


def verdict_page(verdicts: Sequence[StoredVerdict], total: int, query: VerdictQuery) -> VerdictPage:
    """Return a page of verdicts."""
    return VerdictPage(
        page=query.page,
        page_size=query.page_size,
        total=total,
        verdicts=[_verdict(verdict) for verdict in verdicts],
    )


def _verdict(found: StoredVerdict) -> Verdict:
    state = "scored" if found.scores else "unscored" if found.unscored else "open"
    cost = found.cost_microusd
    return Verdict(
        pair=found.ordinal,
        repeat=found.repeat,
        metrics=list(found.metrics),
        uses=found.uses,
        prediction=found.prediction,
        state=state,
        scores=dict(zip(ASPECTS, found.scores, strict=True)) if found.scores else None,
        unscored_reason=found.unscored,
        model=found.model,
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        latency_ms=found.latency_ms,
        attempts=found.attempts,
        cost_usd=cost / 1e6 if cost is not None else None,
        judged_at=found.judged_at,
    )


def verdicts_csv(page: VerdictPage) -> str:
    """Return a page as CSV, in which no cell is a formula to a spreadsheet."""
    columns = ["pair", *_NUMBERS[:2], "metrics", "state", *ASPECTS, "unscored_reason", "model",
               *_NUMBERS[2:], "judged_at", "prediction"]  # fmt: skip
    rows = []
    for verdict in page.verdicts:
        row = verdict.model_dump(mode="json")
        row |= dict.fromkeys(ASPECTS) | (row["scores"] or {})
        row["metrics"] = " ".join(row["metrics"])
        rows.append([row[column] for column in columns])
    return table(columns, rows)
