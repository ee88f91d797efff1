"""What the API answers about one entry of a board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from medvid.benchmark.disclosure import (
    Withheld,
    rounded,
    shown_interval,
    withheld,
    withheld_sources,
)
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRICS, SCORINGS, Scoring
from medvid.models.boards import BoardSeries, LeaderboardEntry, SentBefore
from medvid.models.entries import (
    EntryDetails,
    EntryScore,
    Interval,
    Intervals,
    Place,
    Provenance,
    RankSpan,
    SeriesBreak,
    SourceScore,
)
from medvid.models.facts import FactChange, fact_badges, facts_of, in_order
from medvid.models.judging import JudgeResult
from medvid.models.notes import objection_badges
from services.gateway.boards.notes import public_note
from services.gateway.boards.store import FoundEntry
from services.gateway.judging.models import shown_facts
from services.gateway.submissions.similarity_models import similarities
from services.gateway.web.urls import url

_COUNTS: Final = ("versions", "evaluate_only", "withdrawn")
_APART: Final = (*_COUNTS, "facts", "badges")


def entry_details(
    found: FoundEntry,
    places: Mapping[Scoring, tuple[LeaderboardEntry, int]],
    series: BoardSeries | None,
) -> EntryDetails:
    """Return an entry as it is served; `places` has its row by scoring, and how many are ranked."""
    entry = {name: value for name, value in found.entry.items() if name not in _APART}
    facts = orjson.loads(found.entry["facts"])
    objections = [each["state"] for each in found.notes if each["kind"] == "objection"]
    own = (*found.entry["badges"], *fact_badges(facts), *objection_badges(objections))
    counts = {name: found.entry[name] for name in _COUNTS}
    scores = {score["metric"]: score for score in found.scores}
    return EntryDetails(
        **entry,
        badges=list(dict.fromkeys(own)),
        sent_before=None if counts["versions"] is None else SentBefore(**counts),
        facts=facts_of(facts),
        fact_changes=[
            FactChange(
                at=each["at"],
                by=each["by"],
                before=in_order(orjson.loads(each["before"])),
                after=in_order(orjson.loads(each["after"])),
            )
            for each in found.fact_changes
        ],
        notes=[public_note(row) for row in found.notes],
        url=url("api_entry", board=entry["board"], id=entry["id"]),
        page=url("entry", board=entry["board"], id=entry["id"]),
        places=[
            Place(
                scoring=scoring,
                rank=row.rank,
                of=of,
                mean_rank=row.mean_rank,
                ranks=row.ranks,
                not_ranked=row.not_ranked,
            )
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
        series=series,
        breaks=[
            SeriesBreak(
                at=each["at"],
                before=each["before"],
                after=each["after"],
                snapshot=url("api_snapshot", id=each["snapshot_id"]),
            )
            for each in found.breaks
        ],
    )


def _score(score: Mapping[str, Any]) -> EntryScore:
    metric, answered, expected = score["metric"], score["answered"], score["expected"]
    why = withheld(metric, answered, expected)
    known = score["ground_truth_version"] is not None
    if why is not None:
        answered, expected = None, _told_expected(metric, expected)
    parts = orjson.loads(score["by_source"])
    withheld_parts = withheld_sources(why, parts)
    drawn = {} if why or score["intervals"] is None else orjson.loads(score["intervals"])
    return EntryScore(
        metric=metric,
        compat=None if why else rounded(score["compat"]),
        strict=None if why else rounded(score["strict"]),
        withheld=why,
        answered=answered,
        expected=expected,
        coverage=rounded(answered / expected) if answered is not None and expected else None,
        by_source={
            source: _source(
                metric,
                part,
                withheld_parts[source],
                {scoring: each["by_source"].get(source) for scoring, each in drawn.items()},
            )
            for source, part in parts.items()
        },
        intervals=_intervals({scoring: each["whole"] for scoring, each in drawn.items()}),
        provenance=Provenance(
            ground_truth_version=score["ground_truth_version"],
            metric_version=score["metric_version"],
            judge_version=score["judge_version"],
            file_sha256=score["file_sha256"],
        )
        if known
        else None,
    )


def _told_expected(metric: str, expected: int | None) -> int | None:
    """Return how many there are, with a value that is withheld: pairs tell what matched."""
    return None if metric in JUDGE_METRIC_KEYS else expected


def _intervals(drawn: Mapping[Scoring, Mapping[str, Any] | None]) -> Intervals:
    """Return the intervals of a value, or of a source's, that is shown."""
    stored = {scoring: drawn.get(scoring) for scoring in SCORINGS}
    return {
        scoring: Interval(**shown_interval(each)) if each else None
        for scoring, each in stored.items()
    }


def _source(
    metric: str,
    part: Mapping[str, Any],
    why: Withheld | None,
    drawn: Mapping[Scoring, Mapping[str, Any] | None],
) -> SourceScore:
    # Judged metrics count pairs, the others samples. Both tell of the truth: what matched it, and
    # of which samples it has anything that can be answered.
    expected = part.get("expected", part.get("pairs", 0))
    return SourceScore(
        compat=None if why else rounded(part.get("compat")),
        # A judged value is the same in both scorings, and stored once.
        strict=None if why else rounded(part.get("strict", part.get("compat"))),
        answered=None if why else part.get("answered", part.get("scored", 0)),
        expected=_told_expected(metric, expected) if why else expected,
        withheld=why,
        intervals=_intervals({} if why else drawn),
    )


def _judge(result: Mapping[str, Any]) -> JudgeResult:
    return JudgeResult(
        judge_version=result["judge_version"],
        judge=orjson.loads(result["judge"]),
        stub=result["is_stub"],
        completed_at=result["completed_at"],
        facts=shown_facts(orjson.loads(result["facts"])),
        calibration=orjson.loads(result["calibration"] or "null"),
    )
