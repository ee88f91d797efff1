"""How a reader looks at a board: what is searched for, shown and sorted by. Lives in the address.

The page of any view can be had from the server, so that it works without scripts, can be linked,
and is what an open page asks for when the board has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Generic, Literal, Protocol, TypeVar
from urllib.parse import urlencode

from medvid.benchmark.disclosure import FEWEST_ANSWERS
from medvid.benchmark.names import FIELD_LIMITS, in_one_spelling
from medvid.benchmark.series import NotRanked, SeriesRule
from medvid.benchmark.tasks import (
    JUDGE_METRIC_KEYS,
    METRIC_KEYS,
    METRICS,
    RULE_METRIC_KEYS,
    Board,
    Scoring,
)
from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.facts import EVERY_MODEL, BoardFacts, FactFilters

WHY_WITHHELD: Final = (
    f"too few answers: a value is shown from {FEWEST_ANSWERS} on, and half of a metric's samples"
)
Direction = Literal["ascending", "descending"]

_DESCENDING_FIRST: Final = {*METRIC_KEYS, "date"}
SORT_KEYS: Final = ("rank", "model", "mean_rank", *METRIC_KEYS, "date")
_SEARCH_CHARACTERS: Final = 100
_TRACK_CHARACTERS: Final = FIELD_LIMITS["track"] + 1
"""One more than any name has, so that a longer text matches no model."""
_ALL: Final = "all"
_HASH: Final = re.compile(r"[0-9a-f]{32,}")
_BRIEF: Final = 12
MOST_ROWS: Final = 1000
"""Rows on a page: half a second and two megabytes. More are found by search and order, or read as
JSON or CSV."""


class Row(Protocol):
    """What a view looks at in an entry."""

    @property
    def rank(self) -> int | None: ...  # noqa: D102 - an entry's own words
    @property
    def model_name(self) -> str: ...  # noqa: D102
    @property
    def organization(self) -> str: ...  # noqa: D102
    @property
    def team(self) -> str | None: ...  # noqa: D102
    @property
    def authors(self) -> str | None: ...  # noqa: D102
    @property
    def track(self) -> str | None: ...  # noqa: D102
    @property
    def badges(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def mean_rank(self) -> float | None: ...  # noqa: D102
    @property
    def view_rank(self) -> int | None: ...  # noqa: D102
    @property
    def view_mean_rank(self) -> float | None: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, float | None]: ...  # noqa: D102
    @property
    def submitted_on(self) -> date: ...  # noqa: D102
    @property
    def verified_on(self) -> date | None: ...  # noqa: D102
    @property
    def facts(self) -> BoardFacts | None: ...  # noqa: D102


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at a board. The default is the whole board by rank.

    `chosen` are the columns that were asked for; () where none were: a wide screen shows all of
    them then, a narrow one the mean rank. `filters` leave the models of which something is stated;
    with `rerank` these are ranked among themselves.
    """

    search: str = ""
    track: str = ""
    sort: str = "rank"
    descending: bool = False
    chosen: tuple[str, ...] = ()
    filters: FactFilters = EVERY_MODEL
    rerank: bool = False

    @classmethod
    def of(
        cls,
        query: Iterable[tuple[str, str]],
        filters: FactFilters = EVERY_MODEL,
        *,
        rerank: bool = False,
    ) -> View:
        """Read a view from an address. What it names and we do not have is left out.

        The last `sort` counts: a form sends the present one before the one that was asked for. It
        also sends every column, which is no choice.
        """
        search = track = ""
        sort, descending = "rank", False
        columns: set[str] = set()
        for name, value in query:
            if name == "q":
                search = " ".join(value.split())[:_SEARCH_CHARACTERS]
            elif name == "track":
                track = value[:_TRACK_CHARACTERS]
            elif name == "sort" and value.removeprefix("-") in SORT_KEYS:
                sort, descending = value.removeprefix("-"), value.startswith("-")
            elif name == "columns":
                columns.update(value.split(","))
        chosen = tuple(key for key in METRIC_KEYS if key in columns)
        if len(chosen) == len(METRIC_KEYS):
            chosen = ()
        chosen = METRIC_KEYS if _ALL in columns else chosen
        return cls(search, track, sort, descending, chosen, filters, rerank)

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics that a wide screen shows."""
        return self.chosen or METRIC_KEYS

    @property
    def single(self) -> str | None:
        """The one metric that is looked at, with ranks and intervals."""
        return self.chosen[0] if len(self.chosen) == 1 else None

    @property
    def narrowed(self) -> str:
        """The part of it that the board's other forms take, too: its track and facts."""
        given = ({"track": self.track} if self.track else {}) | self.narrowing
        return urlencode(given, errors="replace")

    def without_facts(self) -> View:
        """Return the same look at models of which anything is stated, or nothing."""
        return replace(self, filters=EVERY_MODEL, rerank=False)

    def widened(self) -> View:
        """Return the same look at the whole board."""
        return replace(self, search="", track="", filters=EVERY_MODEL, rerank=False)

    @property
    def query(self) -> str:
        """The view as an address has it, shortest form; empty for the default."""
        parts = {
            "q": self.search,
            "track": self.track,
            **self.narrowing,
            "sort": "" if self.sorting == "rank" else self.sorting,
            "columns": _ALL if self.chosen == METRIC_KEYS else ",".join(self.chosen),
        }
        given = {name: value for name, value in parts.items() if value}
        return urlencode(given, safe=",", errors="replace")

    @property
    def narrowing(self) -> dict[str, str]:
        """The part of it that narrows by facts, as an address has it."""
        return self.filters.texts() | ({"rerank": "true"} if self.rerank else {})

    @property
    def sorting(self) -> str:
        """What it sorts by as an address has it."""
        return f"-{self.sort}" if self.descending else self.sort

    @property
    def direction(self) -> Direction:
        """Which way it sorts."""
        return "descending" if self.descending else "ascending"

    def next_sorting(self, key: str) -> str:
        """Return what activating a column's header asks for: its better end first, then the other.

        For metrics the better end is the highest value, for ranks the smallest.
        """
        first = f"-{key}" if key in _DESCENDING_FIRST else key
        other = key if key in _DESCENDING_FIRST else f"-{key}"
        return other if self.sorting == first else first


def narrow_views(view: View) -> list[tuple[str, View]]:
    """Return what a narrow screen can show of a board, by name: the present search's rows."""
    order = replace(view, sort="rank", descending=False) if view.sort in METRIC_KEYS else view
    return [
        ("Mean rank", replace(order, chosen=())),
        *(
            (metric.label, replace(view, sort=metric.key, descending=True, chosen=(metric.key,)))
            for metric in METRICS
        ),
        (f"{len(RULE_METRIC_KEYS)} computed", replace(order, chosen=RULE_METRIC_KEYS)),
        (f"{len(JUDGE_METRIC_KEYS)} judged", replace(order, chosen=JUDGE_METRIC_KEYS)),
        (f"All {len(METRIC_KEYS)}", replace(order, chosen=METRIC_KEYS)),
    ]


class Sheet(Generic[R]):
    """A board's rows with what views look at: words and numbers, found once for all views.

    Rows are named by their place on the board, from 0.
    """

    def __init__(self, rows: Sequence[R], board: Board) -> None:
        self.rows = rows
        self.texts = [searched_text(row) for row in rows]
        self._board = board
        self._values: dict[str, Sequence[float | None]] = {}

    def values(self, key: str) -> Sequence[float | None]:
        """Return one number for each row, by which a column sorts; None where it has no value."""
        if key not in self._values:
            self._values[key] = sort_values(self.rows, key, self._board)
        return self._values[key]

    def ordered(self, view: View) -> list[int]:
        """Return the rows that a view's filters leave, in its order, ties as on the board.

        In either direction missing values are last, and entries without a rank below all.
        """
        values = self.values(view.sort)
        sign = -1 if view.descending else 1

        def position(index: int) -> tuple[bool, bool, float]:
            value = values[index]
            return self.rows[index].rank is None, value is None, sign * (value or 0)

        return sorted(self._kept(view), key=position)

    def _kept(self, view: View) -> Iterable[int]:
        """Yield the rows that a view's filters by facts leave."""
        every = view.filters == EVERY_MODEL
        for index, row in enumerate(self.rows):
            if every or view.filters.keep(row.facts):
                yield index

    def shown(self, view: View) -> set[int]:
        """Return the rows that a view's search and filters leave; the search may be in any case."""
        words = in_one_spelling(view.search).lower().split()
        return {
            index
            for index in self._kept(view)
            if (not view.track or self.rows[index].track == view.track)
            and all(word in self.texts[index] for word in words)
        }

    def on_page(self, view: View, most: int = MOST_ROWS) -> tuple[list[int], bool]:
        """Return the rows that a page of a view holds, in order, and whether those are all.

        All that its filters leave: search and track then find every row there.

        A small board's page holds the hidden rows too, so that its script can show them again.
        """
        ordered = self.ordered(view)
        if len(ordered) <= most:
            return ordered, True
        shown = self.shown(view)
        return [index for index in ordered if index in shown][:most], False


def searched_text(row: Row) -> str:
    """Return what a search looks at: every word that the row shows."""
    texts = (row.model_name, row.organization, row.team, row.authors, row.track, *row.badges)
    return in_one_spelling(" ".join(text for text in texts if text)).lower()


def sort_values(rows: Sequence[Row], key: str, board: Board) -> Sequence[float | None]:
    """Return one number for each row by which a column sorts, None where it has no value.

    Names give their place in alphabetical order, so that a script sorts as we do.
    """
    if key == "model":
        names = sorted({row.model_name for row in rows}, key=lambda name: (name.casefold(), name))
        places = {name: float(place) for place, name in enumerate(names)}
        return [places[row.model_name] for row in rows]
    if key == "date":
        return [float(shown_day(row, board).toordinal()) for row in rows]
    if key == "rank":
        return [row.view_rank or row.rank for row in rows]
    if key == "mean_rank":
        return [row.mean_rank if row.view_rank is None else row.view_mean_rank for row in rows]
    return [row.values.get(key) for row in rows]


class Shown(Protocol):
    """Something of which values may be withheld."""

    @property
    def withheld(self) -> object: ...  # noqa: D102 - its name says it


def why_unranked(scoring: Scoring, unranked: Iterable[Shown] = ()) -> str:
    """Return why entries, or the scores of one, have no value in a scoring: "not ranked: …"."""
    few = [bool(each.withheld) for each in unranked]
    reasons = [f"{WHY_WITHHELD}."] if any(few) else []
    if not all(few) or not few:
        reasons.append(_without_scores(scoring))
    return " Or: ".join(reasons)


def _without_scores(scoring: Scoring) -> str:
    if scoring == "compat":
        return "no compat scores."
    return "no strict scores. Published numbers that were taken over exist in compat scoring only."


def shown_day(row: Row, board: Board) -> date:
    """Return the day that a board shows: of verification on the official one, else submission."""
    return (row.verified_on if board == "official" else None) or row.submitted_on


def is_hash(text: object) -> bool:
    """Tell whether a text is a hash, which says nothing to a reader."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def brief(version: str) -> str:
    """Return what people are shown of a version: of a hash its beginning."""
    return version[:_BRIEF] if is_hash(version) else version


def other_series(board: Leaderboard, entry: LeaderboardEntry, metric: str) -> str:
    """Return what marks a value that is not of the board's series, in words; else ''."""
    series = entry.series.get(metric)
    if board.series is None or series is None:
        return ""
    rule = SeriesRule(**board.series.model_dump())
    mark = rule.mark(series)
    if mark is None:
        return ""
    judge = (
        "published; its judge is not recorded" if mark == "published" else f"judge {brief(series)}"
    )
    return f"{judge}; not ranked" if metric in entry.not_ranked else judge


def marked(
    board: Leaderboard,
    rows: Sequence[LeaderboardEntry] | None = None,
    metrics: Iterable[str] = METRIC_KEYS,
) -> set[NotRanked]:
    """Return which marks there are on a board, or in these rows and metrics of it."""
    if board.series is None:
        return set()
    rule = SeriesRule(**board.series.model_dump())
    shown = board.entries if rows is None else rows
    found = {rule.mark(row.series.get(metric)) for metric in metrics for row in shown}
    return {mark for mark in found if mark is not None}


def tracks(rows: Iterable[Row]) -> list[str]:
    """Return the tracks that a board has."""
    return sorted({row.track for row in rows if row.track})
