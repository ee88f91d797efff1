"""Tables for papers and pages: a board, or models side by side, in Markdown and LaTeX.

Each says what it shows and when, and has the 95 % intervals of its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from medvid.benchmark.disclosure import FEWEST_ANSWERS
from medvid.benchmark.series import NotRanked, SeriesRule
from medvid.benchmark.tasks import METRICS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from medvid.models.comparisons import EntryComparison, MetricDifference
from medvid.models.facts import TEST_VIDEOS, FactFilters
from medvid.spreadsheets import table
from services.gateway.boards.citations import corrected
from services.gateway.boards.comparisons import decision
from services.gateway.boards.models import intervals_of, rank_text
from services.gateway.boards.quoting import is_latin, latex, latex_address, markdown_text
from services.gateway.boards.urls import BOTH, compare_url, state_url
from services.gateway.web.site import site

_NONE: Final = "n/a"
_WITHHELD: Final = "\N{EN DASH}"
_MARKS: Final[Mapping[NotRanked, str]] = {
    "other_judge": "\N{DOUBLE DAGGER}",
    "published": "\N{DAGGER}",
}
_MARKS_SAY: Final = {
    "\N{DOUBLE DAGGER}": "of another judge than the board's",
    "\N{DAGGER}": "published, its judge is not recorded",
}
_SEEN: Final = "\N{SECTION SIGN}"
_AMONG: Final = {"track": "within the track", "filters": "among these models"}
_INTERVALS: Final = "Brackets: 95 % intervals, of which videos were drawn."
_NUMBER: Final = re.compile(r"[+-]?\d+\.\d+")
_WORDS: Final = ("Model", "Organization", "Metric")
_COMMANDS: Final = {
    "\N{DOUBLE DAGGER}": r"\textsuperscript{\ddag}",
    "\N{DAGGER}": r"\textsuperscript{\dag}",
    "\N{EN DASH}": "--",
}


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its text, the ends of its interval, and whether it is the best of its column.

    `mark` is a sign behind a number, which the notes explain.
    """

    text: str
    ends: tuple[str, str] | None = None
    best: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table; `key` names it in LaTeX, `numbers` tells from which column on cells are numbers."""

    key: str
    caption: str
    address: str
    columns: tuple[str, ...]
    left: frozenset[int]
    """The columns of words."""
    rows: tuple[tuple[TableCell, ...], ...]
    notes: tuple[str, ...]


def board_table(board: Leaderboard) -> ResultTable:
    """Return a board, or a view of it, an entry a row."""
    viewed, rule = board.view is not None, _rule(board)
    columns = ["Rank", "95 %", "Model", "Organization", "Mean rank", *(m.label for m in METRICS)]
    rows = [
        (
            *([TableCell(_whole(entry.view_rank))] if viewed else []),
            TableCell(_whole(entry.rank)),
            TableCell(_firmness(entry)),
            TableCell(entry.model_name, mark=_SEEN if TEST_VIDEOS in entry.badges else ""),
            TableCell(entry.organization),
            TableCell(_NONE if entry.mean_rank is None else f"{entry.mean_rank:.2f}"),
            *(_value(rule, entry, metric.key) for metric in METRICS),
        )
        for entry in board.entries
    ]
    if viewed:
        columns = ["Place", *columns]
    return ResultTable(
        key=f"medvidbench-{board.board}-{board.revision}",
        caption=", ".join(("MedVidBench", _state(board), *_shown(board))),
        address=state_url(board),
        columns=tuple(columns),
        left=frozenset(place for place, name in enumerate(columns) if name in _WORDS),
        rows=tuple(rows),
        notes=_notes([(board, entry) for entry in board.entries], rows),
    )


def side_by_side(
    placed: Sequence[tuple[Leaderboard, LeaderboardEntry]], found: Sequence[EntryComparison]
) -> ResultTable:
    """Return models, each with its board, a metric a row.

    `found` compares the others with the first.
    """
    boards = list({board.board: board for board, _ in placed}.values())
    chosen, rules = [each for _, each in placed], [_rule(board) for board, _ in placed]
    several = len(boards) > 1
    of_boards = (TableCell("Board"), *(TableCell(board.board) for board, _ in placed))
    rows = [
        *([of_boards] if several else []),
        (TableCell("Rank"), *(TableCell(_whole(each.rank)) for each in chosen)),
        (TableCell("Rank, 95 %"), *(TableCell(_firmness(each)) for each in chosen)),
        *(
            (
                TableCell(metric.label),
                *(
                    _value(rule, each, metric.key, within=chosen)
                    for rule, each in zip(rules, chosen, strict=True)
                ),
            )
            for metric in METRICS
        ),
        *_differences(chosen, found),
    ]
    notes = _notes(placed, rows)
    if several:
        notes = (*notes, "Each rank is on the model's own board.")
    if found:
        against = f"Differences are to {chosen[0].model_name}, paired over the same draws of videos"
        notes = (*notes, f"{against}; * beyond chance (p below 0.05, Holm).")
    return ResultTable(
        key="-".join(
            ("medvidbench", *(f"{each.board}-{each.revision}" for each in boards), "compared")
        ),
        caption=f"MedVidBench, {'; '.join(map(_state, boards))}, {len(chosen)} models",
        address=_compared_url(boards, chosen),
        columns=("Metric", *(each.model_name for each in chosen)),
        left=frozenset({0}),
        rows=tuple(rows),
        notes=notes,
    )


def _compared_url(boards: Sequence[Leaderboard], chosen: Sequence[LeaderboardEntry]) -> str:
    """Return where the board stays as it is; of several, where their models are compared."""
    if len(boards) == 1:
        return state_url(boards[0])
    return compare_url(BOTH, boards[0].scoring, [str(each.entry_id) for each in chosen])


def _differences(
    chosen: Sequence[LeaderboardEntry], found: Sequence[EntryComparison]
) -> list[tuple[TableCell, ...]]:
    """Return how the others differ from the first, a metric a row; nothing without comparisons."""
    by_entry = {each.a: each.metrics for each in found}
    return [
        (
            TableCell(f"{metric.label}, difference"),
            TableCell(""),
            *(_difference(by_entry.get(each.entry_id, {}).get(metric.key)) for each in chosen[1:]),
        )
        for metric in METRICS
        if by_entry
    ]


def _difference(found: MetricDifference | None) -> TableCell:
    if found is None:
        return TableCell(_NONE)
    ends = None
    if found.low is not None and found.high is not None:
        ends = f"{found.low:+.3f}", f"{found.high:+.3f}"
    star = "*" if decision(found) == "beyond chance" else ""
    return TableCell(f"{found.difference:+.3f}", ends, mark=star)


def _rule(board: Leaderboard) -> SeriesRule | None:
    return None if board.series is None else SeriesRule(**board.series.model_dump())


def _value(
    rule: SeriesRule | None,
    entry: LeaderboardEntry,
    metric: str,
    within: Sequence[LeaderboardEntry] = (),
) -> TableCell:
    """Return a value with its interval; it is the best of its column, or of those it is within."""
    value = entry.values.get(metric)
    if value is None:
        return TableCell(_WITHHELD if metric in entry.withheld else _NONE)
    best = entry.ranks.get(metric) == 1 and metric not in entry.not_ranked
    if within:
        judges = {each.series.get(metric) for each in within} - {None}
        others = [each.values.get(metric) for each in within]
        best = len(judges) < 2 and value == max(each for each in others if each is not None)
    ends = intervals_of(entry).get(metric)
    return TableCell(
        f"{value:.3f}",
        None if ends is None else (f"{ends[0]:.3f}", f"{ends[1]:.3f}"),
        best,
        _mark(rule, entry, metric),
    )


def _mark(rule: SeriesRule | None, entry: LeaderboardEntry, metric: str) -> str:
    mark = rule and rule.mark(entry.series.get(metric))
    return _MARKS[mark] if mark else ""


def _firmness(entry: LeaderboardEntry) -> str:
    return rank_text(entry) if entry.statistics else ""


def _whole(number: int | None) -> str:
    return "\N{EN DASH}" if number is None else str(number)


def _state(board: Leaderboard) -> str:
    when = f" of {board.updated_at:%Y-%m-%d}" if board.updated_at else ""
    return f"{board.board} board, {board.scoring} scoring, revision {board.revision}{when}"


def _shown(board: Leaderboard) -> Iterator[str]:
    """Yield which of a board's entries there are, and in whose order."""
    if board.track:
        yield f"track {board.track}"
    if board.view and board.view.by == "weights":
        yield "by a reader's own weights"
    if board.filters:
        asked = FactFilters(**board.filters).texts()
        yield f"models with {' and '.join(f'{name}={text}' for name, text in asked.items())}"
    if len(board.entries) < board.total:
        yield f"{len(board.entries)} of {board.total} models"


def _notes(
    placed: Sequence[tuple[Leaderboard, LeaderboardEntry]],
    rows: Sequence[Sequence[TableCell]],
) -> tuple[str, ...]:
    """Return what the table needs to be read: only of what is in it."""
    cells = [cell for row in rows for cell in row]
    notes = [_INTERVALS] if any(cell.ends for cell in cells) else []
    boards = {board.board: board for board, _ in placed}
    rules = {name: _rule(board) for name, board in boards.items()}
    shown = {
        _mark(rules[board.board], each, key)
        for board, each in placed
        for key, value in each.values.items()
        if value is not None
    }
    notes += [f"{mark}: {says}." for mark, says in _MARKS_SAY.items() if mark in shown]
    if any(each.withheld for _, each in placed):
        notes.append(f"{_WITHHELD}: not shown, of fewer than {FEWEST_ANSWERS} answers or half.")
    if any(cell.mark == _SEEN for cell in cells):
        notes.append(f"{_SEEN}: {TEST_VIDEOS}.")
    for board in boards.values():
        if board.view and board.view.by in _AMONG:
            notes.append(f"Place: {_AMONG[board.view.by]}; rank: on the whole board.")
        if correction := corrected(board).removeprefix(", "):
            notes.append(f"{correction.capitalize()}.")
    return tuple(notes)


def markdown(found: ResultTable) -> str:
    """Return a table in GitHub's Markdown."""
    aligned = [":---" if place in found.left else "---:" for place in range(len(found.columns))]
    lines = [
        f"**{markdown_text(found.caption)}** ([source](<{site().absolute(found.address)}>))",
        "",
        _line(markdown_text(name) for name in found.columns),
        _line(aligned),
        *(_line(map(_markdown_cell, row)) for row in found.rows),
        "",
        *(f"{markdown_text(note)}  " for note in found.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: TableCell) -> str:
    text = markdown_text(cell.text + cell.mark)
    text = f"**{text}**" if cell.best else text
    return f"{text} [{cell.ends[0]}, {cell.ends[1]}]" if cell.ends else text


def latex_table(found: ResultTable) -> str:
    """Return a table for LaTeX with the package booktabs."""
    kinds = "".join("l" if place in found.left else "r" for place in range(len(found.columns)))
    caption = " ".join((f"{found.caption}.", *found.notes))
    lines = [
        *_needs(found),
        r"\begin{table*}",
        r"\centering\footnotesize",
        rf"\caption{{{latex(caption)} {latex_address(site().absolute(found.address))}}}",
        rf"\label{{tab:{found.key}}}",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        _row(map(latex, found.columns)),
        r"\midrule",
        *(_row(map(_latex_cell, row)) for row in found.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _needs(found: ResultTable) -> list[str]:
    """Return what a table needs of a document, as comments."""
    needs = [r"% needs \usepackage{booktabs,url} and, for its marks, UTF-8 input"]
    cells = [*found.columns, *(cell.text for row in found.rows for cell in row)]
    if not all(map(is_latin, cells)):
        needs.append("% has names in other letters than Latin: XeLaTeX or LuaLaTeX, with a font")
    return needs


def _row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _latex_cell(cell: TableCell) -> str:
    text = latex(cell.text + cell.mark)
    for mark, command in _COMMANDS.items():
        text = text.replace(mark, command)
    text = rf"\textbf{{{text}}}" if cell.best else text
    return rf"{text} {{\tiny [{cell.ends[0]}, {cell.ends[1]}]}}" if cell.ends else text


def table_csv(found: ResultTable) -> str:
    """Return a table for spreadsheets: intervals and marks have columns behind their values'."""
    ended = [any(row[place].ends for row in found.rows) for place in range(len(found.columns))]
    marked = [any(row[place].mark for row in found.rows) for place in range(len(found.columns))]
    kinds = list(zip(ended, marked, strict=True))
    columns = [
        name
        for column, (has_ends, has_marks) in zip(found.columns, kinds, strict=True)
        for name in (
            column,
            *((f"{column} low", f"{column} high") if has_ends else ()),
            *((f"{column} mark",) if has_marks else ()),
        )
    ]
    rows = [
        [
            value
            for cell, (has_ends, has_marks) in zip(row, kinds, strict=True)
            for value in (
                _plain_number(cell.text),
                *(map(_plain_number, cell.ends or ("", "")) if has_ends else ()),
                *((cell.mark,) if has_marks else ()),
            )
        ]
        for row in found.rows
    ]
    return table(columns, rows)


def _plain_number(text: str) -> Decimal | str:
    """Return a number as such: no formula, so that it gets no mark against them."""
    return Decimal(text) if _NUMBER.fullmatch(text) else text
