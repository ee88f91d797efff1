"""Submissions and their states."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.disclosure import Withheld
from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, NumberedPage, Open, Page
from medvid.models.boards import WHY_WITHHELD
from medvid.models.entries import Intervals, Place, Similarity
from medvid.models.facts import FACTS_HELD, ModelFacts
from medvid.models.judging import JudgingStatus
from medvid.models.reports import ValidationReport

State = Literal["accepted", "scored", "ranked", "failed", "withdrawn", "replaced"]


class SubmissionReceipt(Answer):
    """A submission was accepted. The owner token is shown here only."""

    id: UUID
    state: Open[Literal["accepted"]] = "accepted"
    status_url: str
    page: str | None = Field(
        None,  # of servers of version 0.1
        description="the submission for people; whole where the site's own address is set",
    )
    owner_token: str
    webhook_secret: str | None = Field(
        None, description="signs what your webhook gets (standardwebhooks.com); shown here only"
    )


class Step(Answer):
    """A change of state: of the submission, or of a judge run of it."""

    kind: Open[Literal["submission", "judging"]]
    state: str
    reason: str | None = Field(None, description="why judging paused or failed: a stable code")
    at: datetime


class Failure(Answer):
    """Why a submission got no scores."""

    code: str
    reason: str


class EntryLink(Answer):
    """Where a submission's entry is; `rank` is set once the board is ranked with it."""

    id: UUID
    board: Open[Board]
    model_name: str
    organization: str
    rank: int | None
    url: str = Field(description="the entry as data")
    page: str


class ScoreStanding(Answer):
    """One metric of a submission on its board; values and changes have 4 decimals."""

    metric: str
    compat: float | None = Field(description="null: no value (yet), or withheld")
    strict: float | None
    withheld: Open[Withheld] | None = Field(None, description=WHY_WITHHELD)
    intervals: Intervals = Field(default_factory=dict, description="of 95 %, by scoring")
    ranks: dict[Open[Scoring], int] = Field(
        default_factory=dict, description="in this metric, by scoring; empty: not ranked"
    )
    change: dict[Open[Scoring], float] = Field(
        default_factory=dict,
        description="value less that of the version before, by scoring, where both are shown",
    )
    best: dict[Open[Scoring], float] = Field(
        default_factory=dict, description="the board's best value, of 3 decimals, by scoring"
    )


class Standing(Answer):
    """Where a submission stands on its board."""

    places: list[Place]
    scores: list[ScoreStanding] = Field(description="all ten, in the order of the board's columns")


class SubmissionStatus(Answer):
    """The state of a submission. What is null without the owner token is in `OwnedSubmission`."""

    id: UUID
    state: Open[State]
    final: bool
    waits_for_judging: bool = Field(
        False,  # of servers of version 0.1
        description="a new version that has its rule-based scores: the version before keeps its "
        "rank until this one is judged, or its judging has ended",
    )
    timeline: list[Step]
    ahead: int | None = Field(None, description="submissions that wait for scores longer")
    judging: JudgingStatus
    similarities: dict[str, Similarity | None] = Field(
        default_factory=dict,  # of servers of version 0.1
        description="auxiliary, never ranked: how near captions are to their references; "
        "null while not measured",
    )


class Withdrawal(Answer):
    """Who took a submission back, and what they said about it."""

    by: Open[Literal["owner", "administrator"]]
    note: str | None


class HypotheticalStanding(Answer):
    """Where an evaluate-only submission would stand; nobody else sees it."""

    scoring: Open[Scoring]
    rank: int | None = Field(description="null: not ranked, having no value in this scoring")
    entries: int = Field(description="that the community board ranks, and this one")
    mean_rank: float | None = Field(description="null: not ranked")
    values: dict[str, float | None] = Field(
        description="rounded to `steps`; an earlier answer to the key where chance explains the "
        "difference from it (`repeats`); of 4 decimals where it beats all earlier answers by "
        "more than chance"
    )
    ranks: dict[str, int] = Field(description="of these values, not of exact ones")
    withheld: dict[str, Open[Withheld]] = Field(
        default_factory=dict, description="the metrics whose value is not shown, and why"
    )
    steps: dict[str, float] = Field(
        default_factory=dict,  # of servers of version 0.2
        description="to what each value is rounded: 0.0001 in full, else the step of its metric",
    )
    repeats: list[str] = Field(
        default_factory=list,
        description="the metrics that repeat an earlier answer to the same API key",
    )
    ranked_at: datetime


class OwnedSubmission(SubmissionStatus):
    """What the owner sees in addition."""

    mode: Open[Literal["ranked", "evaluate_only"]]
    version: int = Field(description="of the model: 1, and one more with each replacement")
    replaces: UUID | None = Field(description="the submission of the version before")
    replaced_by: UUID | None = Field(description="the submission of the version after")
    withdrawal: Withdrawal | None
    hypothetical: list[HypotheticalStanding] = Field(
        description="where it would stand, by scoring; empty unless it is evaluate-only"
    )
    failure: Failure | None
    entry: EntryLink | None
    facts: ModelFacts | None = Field(None, description="of its model; null: nothing is stated")
    facts_held: list[str] = Field(default_factory=list, description=FACTS_HELD)
    standing: Standing | None = Field(
        None, description="null: not ranked, not on a board any more, or evaluate-only"
    )
    file_sha256: str
    file_bytes: int
    ground_truth_version: str
    report: ValidationReport


class ParsedPrediction(Answer):
    """How one prediction of a file is read; nothing of it depends on what is true."""

    index: int = Field(description="of the sample in the test set")
    id: str
    qa_type: str
    prediction: str | None = Field(description="null: the file has none for this sample")
    is_read: bool = Field(description="whether anything of it is read")
    parsed: list[Any] | dict[str, Any] | str | None = Field(
        description=(
            "tal: [[start, end], ...] in seconds; dense captions: [[start, end, caption], ...]; "
            'stg: {"seconds": box} or [box, ...]; cvs and skills: {name: score}; next action: the '
            "label, null where similarity decides; other captions: the text"
        )
    )
    styles: list[str] = Field(
        description="codes of ways of writing that are not read as they may be meant"
    )


class ParsedPage(NumberedPage):
    """A page of a submission's predictions, in test-set order."""

    predictions: list[ParsedPrediction]


class SubmissionLine(Answer):
    """A submission in a list."""

    id: UUID
    state: Open[State]
    mode: Open[Literal["ranked", "evaluate_only"]]
    board: Open[Board]
    model_name: str
    organization: str
    version: int
    created_at: datetime
    changed_at: datetime
    url: str


class SubmissionPage(Page):
    """Submissions, newest first; `next_cursor` is null on the last page."""

    submissions: list[SubmissionLine]
    next_cursor: str | None
