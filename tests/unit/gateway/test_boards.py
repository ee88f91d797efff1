"""Boards in memory: what is served of a snapshot, marks, links, freshness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from medvid.benchmark.statistics.ranks import MOST_ENTRIES
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Board, Scoring
from medvid.models.boards import Leaderboard
from services.gateway.boards import models as board_models
from services.gateway.boards.current import Boards
from services.gateway.boards.spreadsheet import board_csv
from services.gateway.boards.standings import ranked_values
from services.gateway.boards.store import Snapshot, SnapshotRef
from services.gateway.pages.best_values import BestValues
from services.gateway.pages.rendering import Pages, date_and_time, is_web_address
from shared.runtime.errors import Transient

ENTRY = UUID("00000000-0000-4000-8000-000000000001")
ROW = {
    "rank": 1,
    "entry_id": str(ENTRY),
    "model_name": "A",
    "organization": "O",
    "submitted_on": "2026-04-15",
    "mean_rank": 1.0,
    "values": dict.fromkeys(METRIC_KEYS, 0.5) | {"rc_llm": None},
    "ranks": dict.fromkeys(METRIC_KEYS, 1),
}
MOMENT = datetime(2026, 4, 15, 12, 30, 1, 500_000, tzinfo=UTC)


UNRANKED = ROW | {
    "rank": None,
    "entry_id": "00000000-0000-4000-8000-000000000002",
    "model_name": "B",
    "mean_rank": None,
    "values": dict.fromkeys(METRIC_KEYS),
    "ranks": {},
}


def snapshot(*rows: object, board: Board = "community") -> Snapshot:
    return Snapshot(3, board, "compat", 7, orjson.dumps(rows), MOMENT)


def with_unranked(*rows: object, scoring: Scoring = "compat") -> Snapshot:
    """A snapshot of these ranked rows and one that is not."""
    content, below = orjson.dumps(rows), orjson.dumps([UNRANKED])
    return Snapshot(4, "community", scoring, 8, content, MOMENT, below, "dense")


def test_only_known_fields_are_served() -> None:
    board = board_models.leaderboard(snapshot({**ROW, "contact": "x@y.z", "secret": 1}))
    text = board.model_dump_json()
    assert "x@y.z" not in text
    assert "secret" not in text
    assert board.entries[0].values["rc_llm"] is None
    assert (board.revision, board.updated_at) == (7, MOMENT)


@pytest.mark.parametrize("content", [b"[NaN]", b"{}", b"[{}]", b"[", b"null"])
def test_a_broken_snapshot_is_not_served(content: bytes) -> None:
    with pytest.raises(ValidationError):
        board_models.leaderboard(Snapshot(3, "community", "compat", 1, content, MOMENT))


def test_who_is_not_ranked_follows_the_ranked_ones() -> None:
    board = board_models.leaderboard(with_unranked(ROW))
    assert [(entry.model_name, entry.rank) for entry in board.entries] == [("A", 1), ("B", None)]
    assert (board.total, board.ranking) == (2, "dense")
    assert "1, 2, 2, 3" in board.ranking_rule
    page = board_models.page_of(board, track=None, offset=1, limit=1, form="json")
    assert [entry.rank for entry in page.entries] == [None]
    assert page.next is None
    last = board_csv(board).splitlines()[-1].split(",")
    assert last[:6] == ["", "", "", "", "", "B"]
    summary = board_models.index([board]).boards[0]
    assert (summary.entries, summary.ranked, summary.ranking) == (2, 1, "dense")


@pytest.mark.parametrize(
    ("entries", "is_final", "statistics", "expected"),
    [
        (1, True, b'{"entries": {}}', None),
        (1, False, None, "coming"),
        (1, True, None, "not_made"),
        (MOST_ENTRIES, True, None, "not_made"),
        (MOST_ENTRIES + 1, True, None, "too_many_entries"),
        (0, True, None, None),
    ],
)
def test_a_board_says_why_it_has_no_statistics(
    entries: int, is_final: bool, statistics: bytes | None, expected: str | None
) -> None:
    shown = replace(snapshot(*[ROW] * entries), is_final=is_final, statistics=statistics)
    board = board_models.leaderboard(shown)
    assert board.no_statistics == expected
    few = board.model_copy(update={"entries": board.entries[:1]})
    assert ("more than 3,000 entries" in Pages().board(few)) is (expected == "too_many_entries")


class Snapshots:
    """A source that counts what it is asked."""

    def __init__(self) -> None:
        self.newest: dict[int, Snapshot] = {}
        self.read: list[int] = []
        self.fails = False

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        if self.fails:
            raise Transient("gone")
        return [SnapshotRef(id_, each.board, each.scoring) for id_, each in self.newest.items()]

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        self.read.append(snapshot_id)
        return self.newest[snapshot_id]


async def test_a_value_that_came_after_the_board_was_ranked_has_no_rank_yet() -> None:
    source = Snapshots()
    source.newest = {5: snapshot(ROW)}
    boards = Boards(source, Pages().board, poll_seconds=60)
    await boards.refresh()
    ranked = {metric for metric, _ in ranked_values(boards, "community", ENTRY)}
    assert ranked == {*METRIC_KEYS} - {"rc_llm"}
    assert ranked_values(boards, "official", ENTRY) == set()


async def test_each_snapshot_is_read_once_and_older_ones_never() -> None:
    source = Snapshots()
    boards = Boards(source, Pages().board, poll_seconds=60)
    empty = boards.index
    source.newest = {5: snapshot(ROW)}
    await boards.refresh()
    await boards.refresh()
    source.newest = {4: snapshot()}
    await boards.refresh()
    assert source.read == [5]
    ready = boards.get("community", "compat")
    assert len(ready.board.entries) == 1
    assert boards.by_address["/community"] is ready.page
    assert boards.by_address["/api/v1/leaderboards/community"] is ready.json
    assert ready.json.last_modified == MOMENT.replace(microsecond=0)
    assert boards.index is not empty


async def test_both_scorings_of_a_board_change_at_once() -> None:
    source, seen = Snapshots(), list[tuple[int, ...]]()

    def shown() -> tuple[int, ...]:
        return tuple(len(boards.get("community", each).entries) for each in SCORINGS)

    def render(board: Leaderboard, _: frozenset[Scoring]) -> str:
        if board.entries:  # while one is written, none of them is served yet
            seen.append(shown())
        return ""

    boards = Boards(source, render, poll_seconds=60)
    source.newest = {1: snapshot(ROW), 2: replace(snapshot(ROW), id=2, scoring="strict")}
    await boards.refresh()
    assert seen == [(0, 0), (0, 0)]
    assert shown() == (1, 1)


async def test_a_rank_is_looked_for_before_it_is_missing() -> None:
    source = Snapshots()
    boards = Boards(source, Pages().board, poll_seconds=60)
    assert await boards.rank_of("community", ENTRY) is None
    source.newest = {1: snapshot(ROW)}
    assert await boards.rank_of("community", ENTRY) == 1
    source.fails = True
    assert await boards.rank_of("community", ENTRY) == 1  # known, so nobody is asked


async def test_who_has_no_rank_is_on_the_board_all_the_same() -> None:
    source = Snapshots()
    boards = Boards(source, Pages().board, poll_seconds=60)
    source.newest = {1: with_unranked(ROW)}
    await boards.refresh()
    source.fails = True
    unranked = UUID(str(UNRANKED["entry_id"]))
    assert await boards.rank_of("community", unranked) is None, "and nobody is asked about it"
    ready = boards.get("community", "compat")
    assert (len(ready.entries), ready.ranked) == (2, 1)


async def test_a_scoring_without_any_value_is_not_offered_until_it_has_one() -> None:
    source = Snapshots()
    boards = Boards(source, Pages().board, poll_seconds=60)
    source.newest = {1: snapshot(ROW), 2: with_unranked(scoring="strict")}
    await boards.refresh()
    compat, strict = (boards.get("community", scoring) for scoring in SCORINGS)
    assert compat.valueless == strict.valueless == {"strict"}
    link = b'href="/community?scoring=strict"'
    for ready in (compat, strict):
        page = ready.page.identity.body.partition(b'aria-label="Scoring"')[2]
        assert page.count(b'aria-disabled="true"') == 1
        assert b"no strict scores" in page
        assert link not in page.partition(b"</nav>")[0]
    assert b"medal" not in strict.page.identity.body
    assert b"Not ranked: no strict scores." in strict.page.identity.body
    source.newest = {3: with_unranked(ROW, scoring="strict")}
    await boards.refresh()
    page = boards.get("community", "compat").page.identity.body
    assert link in page
    assert b"aria-disabled" not in page
    assert boards.by_address["/community"].identity.body == page
    assert not boards.get("official", "compat").valueless


def test_marks() -> None:
    standing = BestValues.of([0.5, None, 0.9, 0.9, 0.7])
    assert [standing.mark(value) for value in (0.9, 0.7, 0.5, None)] == [
        "best",
        "second",
        None,
        None,
    ]
    assert BestValues.of([None]).mark(None) is None
    assert BestValues.of([0.0]).mark(0.0) == "best"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/x", True),
        ("HTTP://EXAMPLE.ORG", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("https://", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_links_are_web_addresses(url: str, shown: bool) -> None:
    assert is_web_address(url) is shown


def test_times_are_told_in_utc() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
    assert date_and_time(elsewhere) == "15 Apr 2026, 12:30 UTC"
