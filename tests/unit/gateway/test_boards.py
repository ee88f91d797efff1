"""Boards in memory: what is served of a snapshot, marks, links, freshness."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from services.gateway.boards import wire as board_wire
from services.gateway.boards.current import Boards
from services.gateway.domain.standing import Standing
from services.gateway.pages.rendering import Pages, date_and_time, is_web_address
from services.gateway.submissions.ports import Snapshot, SnapshotRef
from shared.benchmark.tasks import METRIC_KEYS, Board
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


def snapshot(*rows: object, board: Board = "community") -> Snapshot:
    return Snapshot(3, board, "compat", 7, orjson.dumps(rows), MOMENT)


def test_only_known_fields_are_served() -> None:
    board = board_wire.leaderboard(snapshot({**ROW, "contact": "x@y.z", "secret": 1}))
    text = board.model_dump_json()
    assert "x@y.z" not in text
    assert "secret" not in text
    assert board.entries[0].values["rc_llm"] is None
    assert (board.revision, board.updated_at) == (7, MOMENT)


@pytest.mark.parametrize("content", [b"[NaN]", b"{}", b"[{}]", b"[", b"null"])
def test_a_broken_snapshot_is_not_served(content: bytes) -> None:
    with pytest.raises(ValidationError):
        board_wire.leaderboard(Snapshot(3, "community", "compat", 1, content, MOMENT))


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


async def test_a_rank_is_looked_for_before_it_is_missing() -> None:
    source = Snapshots()
    boards = Boards(source, Pages().board, poll_seconds=60)
    assert await boards.rank_of("community", ENTRY) is None
    source.newest = {1: snapshot(ROW)}
    assert await boards.rank_of("community", ENTRY) == 1
    source.fails = True
    assert await boards.rank_of("community", ENTRY) == 1  # known, so nobody is asked


def test_marks() -> None:
    standing = Standing.of([0.5, None, 0.9, 0.9, 0.7])
    assert [standing.mark(value) for value in (0.9, 0.7, 0.5, None)] == [
        "best",
        "second",
        None,
        None,
    ]
    assert Standing.of([None]).mark(None) is None
    assert Standing.of([0.0]).mark(0.0) == "best"


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
