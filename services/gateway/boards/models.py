"""What the API answers about boards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, Field

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.ranking import rank
from medvid.benchmark.series import ranked_values
from medvid.benchmark.statistics.ranks import MOST_ENTRIES
from medvid.benchmark.tasks import Ranking
from medvid.models.boards import (
    BoardLink,
    BoardSeries,
    BoardSummary,
    BoardView,
    Leaderboard,
    LeaderboardEntry,
    LeaderboardIndex,
    NoStatistics,
    RankStatistics,
    Track,
    ranking_rule,
)
from medvid.models.facts import EVERY_MODEL
from medvid.models.notes import PublicNote
from services.gateway.boards.cursors import BoardCursor, Form
from services.gateway.boards.narrowing import WHOLE_BOARD, Narrowing
from services.gateway.boards.notes import public_note
from services.gateway.boards.reader_weights import Weights, reordered, weights_text
from services.gateway.boards.store import Snapshot
from services.gateway.boards.urls import board_url, csv_url, page_url
from services.gateway.web.site import site
from services.gateway.web.urls import url


class MeasuredEntry(LeaderboardEntry):
    """A row with the ends of its values' intervals by metric, which pages and CSV show."""

    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict, exclude=True)


def intervals_of(entry: LeaderboardEntry) -> dict[str, tuple[float, float]]:
    """Return the ends of the intervals of a row's values by metric, as far as there are any."""
    return entry.intervals if isinstance(entry, MeasuredEntry) else {}


def rank_text(entry: LeaderboardEntry) -> str:
    """Return a rank as it is cited: with its 95 % interval where that is known; '' without one."""
    firm = entry.statistics
    if firm is None or firm.rank_low == firm.rank_high:
        return str(entry.rank or "")
    return f"{firm.rank_low}\N{EN DASH}{firm.rank_high}"


class MeasuredBoard(Leaderboard):
    """A board with what is known beside it, which its JSON leaves out.

    `is_final`: it has statistics, or will have none. `links` counts those of it,
    `note_steps` what happened to its notes, the last of it at `noted_at`.
    `minimum_detectable` has the difference that a comparison would find, by metric.
    """

    measured_at: datetime | None = Field(None, exclude=True)
    is_final: bool = Field(True, exclude=True)
    links: int = Field(0, exclude=True)
    note_steps: int = Field(0, exclude=True)
    noted_at: datetime | None = Field(None, exclude=True)
    minimum_detectable: dict[str, float | None] = Field(default_factory=dict, exclude=True)

    @property
    def modified_at(self) -> datetime | None:
        """When it was last changed: statistics come after the rows, notes at any time."""
        times = self.measured_at, self.updated_at, self.noted_at
        return max(filter(None, times), default=None)

    def with_notes(self, found: Sequence[PublicNote]) -> MeasuredBoard:
        """Return the board with those of its notes that stand; itself where it has them."""
        standing = [note for note in found if note.state == "published"]
        noted_at = max((note.changed_at for note in found), default=None)
        if (standing, noted_at) == (self.notes, self.noted_at):
            return self
        return self.model_copy(update={"notes": standing, "noted_at": noted_at})


B = TypeVar("B", bound=Leaderboard)


class _Rows(BaseModel):
    ranked: list[MeasuredEntry]
    unranked: list[MeasuredEntry]


def leaderboard(snapshot: Snapshot) -> MeasuredBoard:
    """Return a snapshot as it is served."""
    unranked = snapshot.unranked or b"[]"
    rows = _Rows.model_validate_json(
        b'{"ranked":' + snapshot.content + b',"unranked":' + unranked + b"}"
    )
    measured = orjson.loads(snapshot.statistics or b"{}")
    found = measured.get("entries", {})
    entries = [_measured(row, found.get(str(row.entry_id))) for row in rows.ranked] + rows.unranked
    return MeasuredBoard(
        board=snapshot.board,
        scoring=snapshot.scoring,
        revision=snapshot.revision,
        snapshot=snapshot.id,
        permalink=url("api_snapshot", id=snapshot.id),
        link=_link(snapshot),
        updated_at=snapshot.created_at,
        ranking=snapshot.ranking,
        ranking_rule=ranking_rule(snapshot.ranking),
        series=BoardSeries(**orjson.loads(snapshot.series)) if snapshot.series else None,
        no_statistics=_no_statistics(snapshot, len(entries)),
        total=len(entries),
        entries=entries,
        measured_at=snapshot.measured_at,
        is_final=snapshot.is_final,
        links=snapshot.links,
        minimum_detectable=measured.get("minimum_detectable", {}),
    ).with_notes([public_note(row) for row in snapshot.notes])


def _no_statistics(snapshot: Snapshot, entries: int) -> NoStatistics | None:
    if snapshot.statistics is not None or not entries:
        return None
    if not snapshot.is_final:
        return "coming"
    return "too_many_entries" if entries > MOST_ENTRIES else "not_made"


def _link(snapshot: Snapshot) -> BoardLink | None:
    if snapshot.link is None:
        return None
    return BoardLink(
        number=snapshot.link,
        sha256=snapshot.link_sha256,
        key_id=snapshot.link_key_id,
        evidence=url("api_evidence", board=snapshot.board, query={"snapshot": snapshot.id}),
    )


def _measured(row: MeasuredEntry, found: dict[str, Any] | None) -> MeasuredEntry:
    if found is None:
        return row
    ends = {key: (each["low"], each["high"]) for key, each in found.pop("intervals").items()}
    return row.model_copy(update={"statistics": RankStatistics(**found), "intervals": ends})


def page_of(
    board: B,
    *,
    track: str | None,
    offset: int = 0,
    limit: int | None = None,
    form: Form = "json",
    weights: Weights | None = None,
    narrowing: Narrowing = WHOLE_BOARD,
) -> B:
    """Return some of a board's entries, of one track or of all; ranks stay the whole board's.

    With a reader's weights they are in the order that these give the whole board; else those of a
    track are in the order in which they rank among themselves. Narrowing by facts leaves this
    order, unless those that are left are to be ranked among themselves.
    """
    entries = board.entries if weights is None else reordered(board.entries, weights)
    if track is not None:
        entries = [entry for entry in entries if entry.track == track]
    if track is not None and weights is None and not narrowing.rerank:
        entries = ranked_within(entries, board.ranking)
    entries = narrowed(entries, board.ranking, narrowing)
    end = len(entries) if limit is None else min(offset + limit, len(entries))
    following = None
    if limit is not None and board.snapshot is not None and end < len(entries):
        own = None if weights is None else weights_text(weights)
        narrow = narrowing.text or None
        cursor = BoardCursor(board.snapshot, end, limit, track, own, narrow).text()
        asked = {"cursor": cursor} | ({"format": form} if form != "json" else {})
        following = url("api_board", board=board.board, query=asked)
    return board.model_copy(
        update={
            "track": track,
            "total": len(entries),
            "next": following,
            "entries": entries[offset:end],
            "filters": narrowing.filters.asked(),
            "view": _view(track, weights, narrowing),
        }
    )


def narrowed(
    entries: list[LeaderboardEntry], ranking: Ranking, narrowing: Narrowing
) -> list[LeaderboardEntry]:
    """Return the entries that pass filters, in their order or ranked among themselves."""
    if narrowing.filters != EVERY_MODEL:
        entries = [entry for entry in entries if narrowing.filters.keep(entry.facts)]
    return ranked_within(entries, ranking) if narrowing.rerank else entries


def _view(track: str | None, weights: Weights | None, narrowing: Narrowing) -> BoardView | None:
    if weights is not None:
        return BoardView(by="weights", weights=dict(weights))
    if narrowing.rerank:
        return BoardView(by="filters")
    return None if track is None else BoardView(by="track")


def ranked_within(entries: Sequence[LeaderboardEntry], ranking: Ranking) -> list[LeaderboardEntry]:
    """Return entries in the order in which they rank if there are no others, each with its place.

    A board's values have 3 decimals, which rank as the exact ones do.
    """
    rows = [
        {"model_name": entry.model_name, **ranked_values(entry.values, entry.not_ranked)}
        for entry in entries
    ]
    placed, unranked = rank(rows, ranking)
    viewed = [
        entries[row.index].model_copy(
            update={"view_rank": row.rank, "view_mean_rank": rounded(row.mean_rank)}
        )
        for row in placed
    ]
    return viewed + [entries[index] for index in unranked]


def index(boards: Sequence[Leaderboard]) -> LeaderboardIndex:
    """Return the list of boards."""
    return LeaderboardIndex(
        boards=[
            BoardSummary(
                board=board.board,
                scoring=board.scoring,
                revision=board.revision,
                updated_at=board.updated_at,
                snapshot=board.snapshot,
                permalink=board.permalink,
                ranking=board.ranking,
                entries=len(board.entries),
                ranked=sum(entry.rank is not None for entry in board.entries),
                tracks=_tracks(board),
                url=board_url(board.board, board.scoring),
                csv=csv_url(board.board, board.scoring),
                page=page_url(board.board, board.scoring),
            )
            for board in boards
        ],
        links=site().links,
    )


def _tracks(board: Leaderboard) -> list[Track]:
    counts = Counter(entry.track for entry in board.entries if entry.track is not None)
    return [Track(name=name, entries=count) for name, count in sorted(counts.items())]
