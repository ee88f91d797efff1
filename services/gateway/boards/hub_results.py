"""An entry's values as metadata of its model on Hugging Face's Hub (YAML).

`.eval_results/*.yaml` (hub-docs, eval_results.yaml of 2026-06-24) is read by the leaderboard of the
benchmark's own data set; `model-index` in a model card (modelcard.md of 2026-04-17) by the card.
"""

from __future__ import annotations

from typing import Any, Final

from medvid.benchmark.tasks import METRICS
from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails, EntryScore
from medvid.models.facts import TEST_VIDEOS
from services.gateway.boards.models import rank_text
from services.gateway.boards.quoting import yaml_text
from services.gateway.web.site import site
from shared.runtime.errors import NotFound

_METRICS: Final = {metric.key: metric for metric in METRICS}
_SOURCE: Final = "MedVidBench leaderboard"
_TASK: Final = "video-text-to-text"
_WIDTH: Final = 1_000


def eval_results(entry: EntryDetails, board: Leaderboard) -> str:
    """Return the file for `.eval_results/`; raises NotFound where the data set is not known.

    A task of the data set's eval.yaml is named like the metric that it is measured by.
    """
    dataset = site().hub_dataset
    if dataset is None:
        raise NotFound(
            "this server does not say which data set of the Hub its results belong to.",
            fix="Its operator sets MEDVID_DATA_URL=https://huggingface.co/datasets/OWNER/NAME.",
            code="hub_dataset_not_set",
        )
    found = [
        {
            "dataset": {"id": dataset, "task_id": score.metric},
            "value": score.compat,
            "date": entry.submitted_on.isoformat(),
            **_source(entry),
            "notes": _notes(entry, score, board),
        }
        for score in entry.scores
        if score.compat is not None
    ]
    return yaml_text(found, width=_WIDTH)


def model_index(entry: EntryDetails, board: Leaderboard) -> str:
    """Return the `model-index` of a model card."""
    result = {
        "task": {"type": _TASK, "name": "Medical and surgical video understanding"},
        "dataset": {
            "type": site().hub_dataset or "medvidbench",
            "name": "MedVidBench",
            "split": "test",
        },
        "metrics": [
            {"type": score.metric, "value": score.compat, "name": _METRICS[score.metric].label}
            for score in entry.scores
            if score.compat is not None
        ],
        **_source(entry, _rank(entry, board)),
    }
    return yaml_text(
        {"model-index": [{"name": entry.model_name, "results": [result]}]}, width=_WIDTH
    )


def _source(entry: EntryDetails, rank: str = "") -> dict[str, Any]:
    """Return where the values are from; the Hub wants a whole address, or nothing."""
    if not site().origin:
        return {}
    name = f"{_SOURCE}, {rank}" if rank else _SOURCE
    return {"source": {"name": name, "url": site().absolute(entry.page)}}


def _notes(entry: EntryDetails, score: EntryScore, board: Leaderboard) -> str:
    """Return what a reader of the value must know: scoring, interval, judge, board."""
    parts = [f"{entry.board} board, compat scoring"]
    interval = score.intervals.get("compat")
    if interval and interval.low is not None and interval.high is not None:
        few = ", of few videos" if interval.few_videos else ""
        parts.append(f"95 % interval {interval.low:.4f} to {interval.high:.4f}{few}")
    if score.provenance is None:
        parts.append("taken over from a publication")
    elif score.provenance.judge_version:
        parts.append(f"judge {score.provenance.judge_version}")
    if entry.facts is not None and entry.facts.uses_test_videos:
        parts.append(TEST_VIDEOS)
    rank = _rank(entry, board)
    return "; ".join([*parts, rank] if rank else parts)


def _rank(entry: EntryDetails, board: Leaderboard) -> str:
    row = next((each for each in board.entries if each.entry_id == entry.id), None)
    if row is None or row.rank is None or board.updated_at is None:
        return ""
    of = sum(each.rank is not None for each in board.entries)
    return f"rank {rank_text(row)} of {of} on {board.updated_at:%Y-%m-%d}"
