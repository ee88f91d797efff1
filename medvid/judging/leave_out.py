"""A board's ranks without one judge of the panels that judged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.ranking import rank
from medvid.benchmark.tasks import Ranking
from medvid.judging.panels import Panel

PanelValues = Mapping[str, tuple[Panel, Sequence[float | None]]]
"""Of an entry, by metric: the panel that judged it, and its members' values in their order."""


def judges_out(
    rows: Sequence[Mapping[str, Any]], judged: Sequence[PanelValues], ranking: Ranking
) -> list[dict[str, int]]:
    """Return each entry's places without each judge, by judge version; none without panels.

    `rows` as `rank` takes them, with the values that rank; of entries of other judges they stay.
    """
    versions = {
        member.judge_version
        for each in judged
        for panel, _ in each.values()
        if not panel.is_single
        for member in panel.members
    }
    places: list[dict[str, int]] = [{} for _ in rows]
    for version in sorted(versions):
        ranked, _ = rank(
            [_without(row, each, version) for row, each in zip(rows, judged, strict=True)], ranking
        )
        for place in ranked:
            places[place.index][version] = place.rank
    return places


def _without(row: Mapping[str, Any], judged: PanelValues, version: str) -> dict[str, Any]:
    changed = {
        metric: rounded(panel.without({version}).value(_others(panel, values, version)))
        for metric, (panel, values) in judged.items()
        if not panel.is_single and any(m.judge_version == version for m in panel.members)
    }
    return {**row, **{key: value for key, value in changed.items() if row.get(key) is not None}}


def _others(panel: Panel, values: Sequence[float | None], version: str) -> list[float | None]:
    members = zip(panel.members, values, strict=True)
    return [value for member, value in members if member.judge_version != version]
