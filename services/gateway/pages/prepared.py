"""What all views of a board share: its rows' HTML and numbers, made once while they are kept.

A row is kept as the pieces between its slots. A view fills the slots, which takes a hundredth of
the time that rendering takes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import jinja2
from markupsafe import Markup

from medvid.benchmark.series import ranked_values
from medvid.models.boards import COLUMNS, Leaderboard, LeaderboardEntry
from services.gateway.boards.models import intervals_of, page_of
from services.gateway.pages.best_values import standings
from services.gateway.pages.board_view import Sheet, View

_SLOT: Final = "\0"
"""No text from a database holds it, and escaping leaves it as it is."""
_KEPT_ROWS: Final = 4_000
_KEPT_BOARDS: Final = 8
_KEPT_PAST_ENTRIES: Final = 4_000


_Key = tuple[str, str, int | None, str]
"""Board, scoring, snapshot where it is a past one, and track."""


class _Templates(Protocol):
    """The macros of `_prepared.html`."""

    def line(self, *values: object) -> str: ...
    def more(self, *values: object) -> str: ...
    def choices(self, *values: object) -> str: ...


class _Ranking:
    """An entry's values as they rank."""

    def __init__(self, entry: LeaderboardEntry) -> None:
        self.values = ranked_values(entry.values, entry.not_ranked)


class PreparedBoard:
    """A board's sheet, and the HTML of the rows that were asked for; of one track or of all.

    Those of a track are ranked among themselves.
    """

    def __init__(self, whole: Leaderboard, templates: _Templates, track: str = "") -> None:
        self.whole = whole
        self.board = board = page_of(whole, track=track) if track else whole
        self.sheet: Sheet[LeaderboardEntry] = Sheet(board.entries, board.board)
        self.everyone = [entry.values for entry in board.entries]
        self._templates = templates
        self._standings = standings([_Ranking(entry) for entry in board.entries])
        self._rows: dict[int, list[str]] = {}
        self._choices: list[str] | None = None
        self._places = {entry.entry_id: place for place, entry in enumerate(board.entries)}
        self._changing = threading.Lock()

    def rows(self, view: View, places: Sequence[int], shown: set[int]) -> Markup:
        """Return rows as HTML in this order; those that are not shown are there, hidden."""
        slots = ["", _slot(on=view.sort == "mean_rank", off=False)]
        ends = {}
        for column in COLUMNS:
            slots.append(_slot(on=view.sort == column.key, off=column.key not in view.columns))
            ends[column.key] = len(slots)
            slots.append("")
        with self._changing:
            pieces = [self._pieces(place) for place in places]
            while len(self._rows) > max(_KEPT_ROWS, len(places)):
                del self._rows[next(iter(self._rows))]
        rows = []
        for place, each in zip(places, pieces, strict=True):
            slots[0] = "" if place in shown else " hidden"
            if view.single is not None:
                slots[ends[view.single]] = self._more(self.board.entries[place], view.single)
            rows.append(_filled(each, slots))
        return Markup("").join(map(Markup, rows))  # of what a template escaped, and our own words

    def _more(self, entry: LeaderboardEntry, key: str) -> str:
        """Return an entry's rank in a metric, of the whole board, and its value's interval."""
        if entry.values.get(key) is None:
            return ""
        ranks = key not in entry.not_ranked and self.board is self.whole
        return str(
            self._templates.more(
                entry.ranks.get(key) if ranks else None, intervals_of(entry).get(key)
            )
        )

    def _pieces(self, place: int) -> list[str]:
        found = self._rows.get(place)
        if found is None:
            entry, names = self.board.entries[place], self.sheet.values("model")
            text = self._templates.line(
                self.board, entry, place + 1, names[place], self.sheet.texts[place], COLUMNS,
                self._standings, _SLOT,
            )  # fmt: skip
            found = self._rows[place] = str(text).split(_SLOT)
        return found

    def choices(self, chosen: Iterable[LeaderboardEntry]) -> Markup:
        """Return a box for each entry; the chosen ones are checked, if they are of this board."""
        with self._changing:
            if self._choices is None:
                text = self._templates.choices(self.board, _SLOT)
                self._choices = str(text).split(_SLOT)
        filled = [""] * len(self.board.entries)
        for entry in chosen:
            if entry.entry_id in self._places:
                filled[self._places[entry.entry_id]] = " checked"
        return Markup(_filled(self._choices, filled))  # noqa: S704 - as above


class PreparedBoards:
    """Keeps the present boards prepared, and some of the past and of tracks."""

    def __init__(self, environment: jinja2.Environment) -> None:
        self._environment = environment
        self._kept: OrderedDict[_Key, PreparedBoard] = OrderedDict()
        self._changing = threading.Lock()

    def of(self, board: Leaderboard, *, past: bool = False, track: str = "") -> PreparedBoard:
        """Return a board or a track, prepared; of the present ones only the newest is kept."""
        key = (board.board, board.scoring, board.snapshot if past else None, track)
        with self._changing:
            found = self._kept.get(key)
            if found is None or found.whole is not board:
                found = self._kept[key] = self.once(board, track)
            self._kept.move_to_end(key)
            self._forget()
        return found

    def once(self, board: Leaderboard, track: str = "") -> PreparedBoard:
        """Return a board that hardly another reader asks for, prepared; it is not kept."""
        templates = self._environment.get_template("_prepared.html").module
        return PreparedBoard(board, templates, track)  # type: ignore[arg-type]

    def _forget(self) -> None:
        """Drop what is past or a track, the longest unused first, until there is not much of it."""
        parts = [key for key in self._kept if key[2] is not None or key[3]]
        while parts[:-1] and (
            len(parts) > _KEPT_BOARDS
            or sum(len(self._kept[key].board.entries) for key in parts) > _KEPT_PAST_ENTRIES
        ):
            del self._kept[parts.pop(0)]


def _slot(*, on: bool, off: bool) -> str:
    """Return what closes a cell's class: whether its column sorts, and whether it is hidden."""
    return (' sorted"' if on else '"') + (" hidden" if off else "")


def _filled(pieces: Sequence[str], slots: Sequence[str]) -> str:
    whole = [""] * (len(pieces) + len(slots))
    whole[0::2] = pieces
    whole[1::2] = slots
    return "".join(whole)
