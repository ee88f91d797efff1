"""What the API answers about one entry of a board."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import Field

from medvid.benchmark.disclosure import Withheld, few_in, rounded, withheld
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRICS, Board, Scoring
from services.gateway.boards.models import LeaderboardEntry
from services.gateway.boards.store import FoundEntry
from services.gateway.judging.models import JudgeResult, shown_facts
from services.gateway.submissions.similarity_models import Similarity, similarities
from services.gateway.web.models import Answer
from services.gateway.web.urls import url

_WHY: Final = "why there are no values; null: they are shown"


class SourceScore(Answer):
    """A metric within one source dataset."""

    compat: float | None
    strict: float | None
    answered: int | None = Field(
        description="samples, or judged pairs, that count; null: withheld with the value"
    )
    expected: int | None = Field(description="those that there are; null: pairs that are withheld")
    withheld: Withheld | None = Field(None, description=_WHY)


class Provenance(Answer):
    """What a score was computed from, and with."""

    ground_truth_version: str = Field(description="SHA-256 of the test set")
    metric_version: str = Field(description="version of the metric's code")
    judge_version: str | None = Field(description="null: no judge had a part in it")
    file_sha256: str = Field(description="of the unpacked predictions file")


class EntryScore(Answer):
    """One metric of an entry; values have 4 decimals."""

    metric: str
    compat: float | None
    strict: float | None
    withheld: Withheld | None = Field(None, description=_WHY)
    answered: int | None = Field(
        description="null: not known, as with imported numbers, or withheld with the value"
    )
    expected: int | None
    coverage: float | None = Field(description="answered / expected, of 4 decimals")
    by_source: dict[str, SourceScore]
    provenance: Provenance | None = Field(description="null: imported from a publication")


class Place(Answer):
    """Where an entry stands in one scoring."""

    scoring: Scoring
    rank: int | None = Field(ge=1, description="null: not ranked, having no value in this scoring")
    of: int = Field(description="entries that the board ranks")
    mean_rank: float | None = Field(description="null: not ranked")
    ranks: dict[str, int] = Field(description="by metric; empty: not ranked")


class RankSpan(Answer):
    """A rank for as long as it lasted."""

    scoring: Scoring
    rank: int = Field(ge=1)
    since: datetime
    until: datetime | None = Field(description="null: it stands there now")
    snapshot: str = Field(description="the first board that shows it, while that is kept")


class EntryDetails(Answer):
    """Everything that is public about an entry."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: list[str]
    submitted_on: date
    verified_on: date | None
    submission_id: UUID | None = Field(description="null: added by hand or imported")
    url: str
    page: str
    places: list[Place] = Field(description="empty for a moment after the entry is listed")
    scores: list[EntryScore] = Field(description="in the order of the board's columns")
    similarities: dict[str, Similarity | None] = Field(
        description="how near captions are to their references; never ranked; null: not measured"
    )
    judge: JudgeResult | None = Field(description="what the judged scores rest on")
    history: list[RankSpan] = Field(description="the newest 1,000 ranks, newest first")


def entry_details(
    found: FoundEntry, places: Mapping[Scoring, tuple[LeaderboardEntry, int]]
) -> EntryDetails:
    """Return an entry as it is served; `places` has its row by scoring, and how many are ranked."""
    entry = found.entry
    scores = {score["metric"]: score for score in found.scores}
    return EntryDetails(
        **entry,
        url=url("api_entry", board=entry["board"], id=entry["id"]),
        page=url("entry", board=entry["board"], id=entry["id"]),
        places=[
            Place(scoring=scoring, rank=row.rank, of=of, mean_rank=row.mean_rank, ranks=row.ranks)
            for scoring, (row, of) in places.items()
        ],
        scores=[_score(scores[each.key]) for each in METRICS if each.key in scores],
        similarities=similarities(
            {
                row["metric"]: {**row, "by_source": orjson.loads(row["by_source"])}
                for row in found.similarities
            }
        ),
        judge=_judge(found.judge) if found.judge is not None else None,
        history=[
            RankSpan(
                scoring=span["scoring"],
                rank=span["rank"],
                since=span["since"],
                until=span["until"],
                snapshot=url("api_snapshot", id=span["since_snapshot"]),
            )
            for span in found.ranks
        ],
    )


def _score(score: Mapping[str, Any]) -> EntryScore:
    metric, answered, expected = score["metric"], score["answered"], score["expected"]
    why = withheld(metric, answered, expected)
    known = score["ground_truth_version"] is not None
    if why is not None:
        answered, expected = None, _told_expected(metric, expected)
    parts = orjson.loads(score["by_source"])
    counts = {source: _samples(part) for source, part in parts.items()}
    withheld_parts = dict.fromkeys(parts, why) if why else few_in(counts)
    return EntryScore(
        metric=metric,
        compat=None if why else rounded(score["compat"]),
        strict=None if why else rounded(score["strict"]),
        withheld=why,
        answered=answered,
        expected=expected,
        coverage=rounded(answered / expected) if answered is not None and expected else None,
        by_source={
            source: _source(metric, part, withheld_parts[source]) for source, part in parts.items()
        },
        provenance=Provenance(
            ground_truth_version=score["ground_truth_version"],
            metric_version=score["metric_version"],
            judge_version=score["judge_version"],
            file_sha256=score["file_sha256"],
        )
        if known
        else None,
    )


def _samples(part: Mapping[str, Any]) -> int:
    """Return how many samples, and pairs, a source's value rests on."""
    answered: int = part.get("answered", part.get("scored", 0))
    samples: int = part.get("samples", answered)  # of captions, since 0.2
    return min(answered, samples)


def _told_expected(metric: str, expected: int | None) -> int | None:
    """Return how many there are, with a value that is withheld: pairs tell what matched."""
    return None if metric in JUDGE_METRIC_KEYS else expected


def _source(metric: str, part: Mapping[str, Any], why: Withheld | None) -> SourceScore:
    # Judged metrics count pairs, the others samples. Both tell of the truth: what matched it, and
    # of which samples it has anything that can be answered.
    expected = part.get("expected", part.get("pairs", 0))
    return SourceScore(
        compat=None if why else rounded(part.get("compat")),
        strict=None if why else rounded(part.get("strict")),
        answered=None if why else part.get("answered", part.get("scored", 0)),
        expected=_told_expected(metric, expected) if why else expected,
        withheld=why,
    )


def _judge(result: Mapping[str, Any]) -> JudgeResult:
    return JudgeResult(
        judge_version=result["judge_version"],
        judge=orjson.loads(result["judge"]),
        stub=result["is_stub"],
        completed_at=result["completed_at"],
        facts=shown_facts(orjson.loads(result["facts"])),
    )
