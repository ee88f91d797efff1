"""Judge runs, what came of them, and their verdicts. References and raw replies are in none.

A judge's reasons, which may repeat a reference, are in what administrators read alone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from medvid.models.base import Answer, NumberedPage, Open


class WastedCalls(Answer):
    """Billed calls that gave no verdict."""

    calls: int
    usd: float
    reasons: dict[str, int] = Field(description="reason -> calls")


class JudgeRun(Answer):
    """A run; `items` are distinct pairs times repeats, for each judge of a panel.

    From `detail` on: the owner's only.
    """

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
    reply_form: str | None = Field(
        None, description="in which form the judge's endpoint replies: schema or lines"
    )
    fast: bool = Field(False, description="one call for each pair, where others are in batches")
    items_at_provider: int = Field(
        0, description="in batches of the provider's, which take up to a day"
    )
    detail: str | None = None
    estimate: dict[str, Any] | None = None
    spent_usd: float | None = Field(None, description="settled so far; null where nothing was")
    estimated: bool | None = Field(
        None, description="a part of the cost is an estimate: the endpoint sent no usable bill"
    )
    wasted: WastedCalls | None = Field(None, description="billed calls that gave no verdict")

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.state in ("completed", "failed")


class JudgeResult(Answer):
    """What the judged numbers on the board rest on. Public."""

    judge_version: str
    judge: dict[str, Any] = Field(description="what the version is made of")
    stub: bool = Field(description="judged by the stand-in: for demonstration only")
    completed_at: datetime
    facts: dict[str, Any] = Field(
        description="pairs, coverage and aspect means by metric; null, with `withheld`, of a "
        "metric of too few pairs. Of several judges `panel`: how many of how many judged, each "
        "one's own means, who is missing, and by metric Krippendorff's ordinal alpha of all and "
        "the quadratic kappa of each two. `own_family`: judges of the model's own family or of its "
        "base model's, `base_model`, as far as that is stated"
    )
    calibration: dict[str, Any] | None = Field(
        None, description="how this judge agreed with humans when it was last held against them"
    )


class JudgeSeries(Answer):
    """What becomes of values of the judge that runs now, on the board of a submission's entry."""

    board: str
    board_judge: str | None = Field(description="the judge version that the board ranks by")
    judge: str | None = Field(description="the one that judges now; null: nobody does")
    ranked: bool = Field(
        description="false: its values will be shown with a mark and count as missing in the ranks"
    )
    by_batch: bool = Field(
        False,
        description="pairs travel in batches of the provider's, within a day at half the price, "
        "unless a run is asked to be fast",
    )


class JudgeInForce(Answer):
    """Who judges now and until when, or why nobody does."""

    judge_version: str | None
    model: str | None
    stub: bool = Field(description="the stand-in judges: for demonstration only")
    off: Open[Literal["no_provider", "no_model"]] | None = Field(
        description="why nobody judges: no provider, or a provider and no model, is set"
    )
    ends: date | None = Field(
        description="the day (UTC) on which the model's provider takes it away, where it is known"
    )
    says: str = Field(description="the same for a human")
    fix: str | None = Field(None, description="where nobody judges: what an operator sets")


class JudgingStatus(Answer):
    """How the judging of a submission stands."""

    run: JudgeRun | None
    result: JudgeResult | None
    series: JudgeSeries | None = Field(
        None, description="of values that a run would give now; null: there is no entry"
    )


class JudgingReceipt(Answer):
    """A run was asked for. `estimate` is null while it is still being made."""

    run: JudgeRun
    estimate: dict[str, Any] | None
    series: JudgeSeries | None = Field(None, description="what becomes of the run's values")
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
    mean: float | None = Field(None, description="of the five scores")
    sources: list[str] = Field(
        [], description="where the captions come from, as far as values by source are shown"
    )
    cut: bool = Field(False, description="too long: the judge saw the beginning alone")
    judge_version: str | None = Field(None, description="who gave it: of a panel, its member")


class VerdictPage(NumberedPage):
    """A page of verdicts."""

    verdicts: list[Verdict]


class ExplainedVerdict(Verdict):
    """The same for administrators: with the judge's reason, which may repeat the reference."""

    rationale: str | None = Field(description="null: none was asked for, or there is no verdict")


class ExplainedPage(NumberedPage):
    """A page of verdicts with reasons, for administrators."""

    verdicts: list[ExplainedVerdict]
