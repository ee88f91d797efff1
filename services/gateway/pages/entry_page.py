"""An entry's page: everything that the API tells about it, drawn and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from medvid.benchmark.tasks import ASPECTS, METRICS
from medvid.models.boards import COLUMNS, Leaderboard
from medvid.models.entries import EntryDetails, Provenance
from services.gateway.boards.models import intervals_of
from services.gateway.boards.urls import compare_url, page_url
from services.gateway.pages import plots, rank_history
from services.gateway.pages.board_view import is_hash
from services.gateway.pages.citing import citing_entry
from services.gateway.pages.rendering import Pages

_NAMES_FIRST: Final = ("model", "rubric")
_LABELS = {metric.key: metric.label for metric in METRICS}


def render_entry(pages: Pages, board: Leaderboard, entry: EntryDetails, now: datetime) -> str:
    """Return the page; `board` is the entry's board in compat scoring."""
    row = next((each for each in board.entries if each.entry_id == entry.id), None)
    best = [each for each in board.entries[:2] if each.rank is not None]
    rivals = [each for each in best if each.entry_id != entry.id][:1]
    drawn = ([row] if row else []) + rivals
    spans = [span for span in entry.history if span.scoring == "compat"]
    changed = [each for each in entry.breaks if each.before is not None]
    facts = entry.judge.facts if entry.judge else {}
    names, hashes = _judge_facts(entry)
    panel = facts.get("panel")
    return pages.render(
        "entry.html",
        board=board,
        entry=entry,
        row=row,
        rivals=rivals,
        place=next((place for place in entry.places if place.scoring == "compat"), None),
        around=plots.radar(
            [each.values for each in drawn],
            [each.values for each in board.entries],
            [intervals_of(each) for each in drawn],
        ),
        history=rank_history.draw(
            spans, now, [(each.at, f"From here on by judge {each.after}") for each in changed]
        ),
        changed_series=changed,
        spans=spans,
        columns={column.key: column for column in COLUMNS},
        sourced=[score for score in entry.scores if score.by_source],
        provenances=_provenances(entry),
        aspects=ASPECTS,
        judged=_judged(entry),
        judge_names=names,
        judge_hashes=hashes,
        panel=panel,
        pairs=_pairs(panel) if panel else [],
        own_family=facts.get("own_family", ()),
        page_url=page_url(board.board, board.scoring),
        compare_url=compare_url(
            board.board, board.scoring, [str(entry.id), *(str(each.entry_id) for each in rivals)]
        ),
        **citing_entry(entry, board),
    )


def _provenances(entry: EntryDetails) -> list[tuple[str, Provenance]]:
    """Return what scores were made from, with the metrics that share it."""
    known = [(score.metric, score.provenance) for score in entry.scores if score.provenance]
    known.sort(key=lambda pair: pair[1].model_dump_json())
    found = []
    for _, group in groupby(known, key=lambda pair: pair[1].model_dump_json()):
        members: Sequence[tuple[str, Provenance]] = list(group)
        found.append((", ".join(_LABELS[metric] for metric, _ in members), members[0][1]))
    return found


def _judge_facts(entry: EntryDetails) -> tuple[list[tuple[str, object]], list[tuple[str, object]]]:
    """Return what names the judge, model and rubric first; and apart from it the hashes."""
    judge = entry.judge.judge if entry.judge else {}
    known = [each for each in judge.items() if isinstance(each[1], str | int | float)]
    known.sort(key=lambda each: _NAMES_FIRST.index(each[0]) if each[0] in _NAMES_FIRST else 9)
    hashes = [each for each in known if is_hash(each[1])]
    return [each for each in known if each not in hashes], hashes


def _pairs(panel: Mapping[str, Any]) -> list[tuple[str, dict[str, float | None]]]:
    """Return each two judges of a panel by name, and their kappa by metric."""
    names = {each["judge_version"]: each["model"] for each in panel["members"]}
    found: dict[str, dict[str, float | None]] = {}
    for metric, agreement in panel["agreement"].items():
        for each in agreement["kappas"]:
            pair = f"{names[each['a']]} and {names[each['b']]}"
            found.setdefault(pair, {})[metric] = each["kappa"]
    return [*found.items()]


def _judged(entry: EntryDetails) -> list[dict[str, object]]:
    """Return the judge's facts by metric, in the order of the board's columns."""
    metrics = entry.judge.facts.get("metrics", {}) if entry.judge else {}
    if not isinstance(metrics, dict):
        return []
    return [
        {"metric": key, "label": _LABELS[key], "aspects": {}, "coverage": None, **metrics[key]}
        for key in _LABELS
        if isinstance(metrics.get(key), dict)
    ]
