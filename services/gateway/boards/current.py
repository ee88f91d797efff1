"""The current boards in memory, as bytes that are ready to be sent.

The newest snapshots in the database are the truth; they are looked for regularly, and at once when
the bus hints that a board was ranked. A request never waits for the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.boards import models as board_models
from services.gateway.boards.models import MeasuredBoard
from services.gateway.boards.store import SnapshotRef, SnapshotSource
from services.gateway.boards.urls import board_url, page_url
from services.gateway.web.endpoints import HTML, JSON
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import PAGE_HEADERS, READ_HEADERS
from services.gateway.web.urls import inside
from shared.runtime.errors import Transient

# Short, so that readers see new ranks soon; one second still absorbs a crowd at a shared cache.
CACHE_CONTROL: Final = "public, max-age=1, must-revalidate"
_log = structlog.get_logger(__name__)

PageRenderer = Callable[[Leaderboard, frozenset[Scoring]], str]
"""Renders a board's page; given the scorings in which no entry of it has a value."""


@dataclass(frozen=True, slots=True)
class ReadyBoard:
    """One board in one scoring: what is known about it, and its two representations.

    `ranked` counts the entries that have a rank; `valueless` are the scorings in which no entry of
    the board has a value, which its page says.
    """

    snapshot_id: int
    board: MeasuredBoard
    json: Representation
    page: Representation
    entries: Mapping[UUID, LeaderboardEntry]
    ranked: int
    valueless: frozenset[Scoring]

    @property
    def state(self) -> tuple[int, bool, int, int]:
        """Which snapshot it shows, whether with statistics, with how many links and notes."""
        board = self.board
        return self.snapshot_id, board.measured_at is not None, board.links, board.note_steps


class Boards:
    """Keeps the boards current. Implements Ranks.

    `index` is the list of boards; `by_address` has the boards by the addresses that we link to.
    """

    index: Representation
    by_address: Mapping[str, Representation]

    def __init__(self, source: SnapshotSource, render: PageRenderer, *, poll_seconds: float):
        self._source = source
        self._render = render
        self._poll_seconds = poll_seconds
        self._hinted = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._ready: dict[tuple[Board, Scoring], ReadyBoard] = {
            (board, scoring): self._build(0, MeasuredBoard.empty(board, scoring), frozenset())
            for board in BOARDS
            for scoring in SCORINGS
        }
        self._announce()

    def get(self, board: Board, scoring: Scoring) -> ReadyBoard:
        """Return a board by its name, which is one of BOARDS."""
        return self._ready[board, scoring]

    def all(self) -> Iterable[ReadyBoard]:
        """Return the boards, each in every scoring."""
        return self._ready.values()

    @property
    def valueless(self) -> frozenset[tuple[Board, Scoring]]:
        """The boards and scorings in which there are entries, and none of them has a value."""
        return frozenset(
            (board, scoring)
            for board in BOARDS
            for scoring in self._ready[board, "compat"].valueless
        )

    async def rank_of(self, board: Board, entry_id: UUID) -> int | None:
        """Return an entry's rank by compat scoring; None where it has no value, or is not there.

        Looks for a newer board before it says that an entry is not there. So a submission
        that is ranked is found on the board of the same gateway.
        """
        entry = self._ready[board, "compat"].entries.get(entry_id)
        if entry is None:
            await self.refresh()
            entry = self._ready[board, "compat"].entries.get(entry_id)
        return entry.rank if entry is not None else None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever boards have changed, once their new bytes are served."""
        self._listeners.append(listener)

    def hint(self, _: bytes = b"") -> None:
        """Look for newer boards soon (the bus said so)."""
        self._hinted.set()

    async def keep_current(self) -> None:
        """Refresh for ever; a database that does not answer leaves the boards as they are."""
        while True:
            self._hinted.clear()
            try:
                await self.refresh()
            except Transient as error:
                _log.warning("board_refresh_failed", error=error.detail)
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._hinted.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Take over newer snapshots, if there are any; raises Transient."""
        async with self._refreshing:
            newest = await self._source.newest_snapshots()
            newer = [ref for ref in newest if ref.state > self._ready[ref.board, ref.scoring].state]
            if newer:
                await self._take(newer)
                self._announce()
                for listener in self._listeners:
                    listener()

    async def _take(self, newer: Sequence[SnapshotRef]) -> None:
        boards = {key: ready.board for key, ready in self._ready.items()}
        ids = {key: ready.snapshot_id for key, ready in self._ready.items()}
        for ref in newer:
            snapshot = await self._source.snapshot(ref.id)
            # In a thread, as below: a board of thousands takes a while.
            read = await asyncio.to_thread(board_models.leaderboard, snapshot)
            read = read.model_copy(update={"note_steps": ref.notes})
            boards[ref.board, ref.scoring], ids[ref.board, ref.scoring] = read, ref.id
        built: dict[tuple[Board, Scoring], ReadyBoard] = {}
        for key, board in boards.items():
            valueless = _valueless(boards, board.board)
            before = self._ready[key]
            if board is before.board and valueless == before.valueless:
                continue
            built[key] = await asyncio.to_thread(self._build, ids[key], board, valueless)
            _log.info(
                "board_updated",
                board=board.board,
                scoring=board.scoring,
                revision=board.revision,
                entries=len(board.entries),
            )
        # At once: a reader of both scorings finds an entry in both or in neither.
        self._ready.update(built)

    def _build(
        self, snapshot_id: int, board: MeasuredBoard, valueless: frozenset[Scoring]
    ) -> ReadyBoard:
        return ReadyBoard(
            snapshot_id=snapshot_id,
            board=board,
            json=_api(board.model_dump_json().encode(), board.modified_at),
            page=represent(
                self._render(board, valueless).encode(),
                content_type=HTML,
                cache_control=CACHE_CONTROL,
                headers=PAGE_HEADERS,
                last_modified=board.modified_at,
            ),
            entries={entry.entry_id: entry for entry in board.entries},
            ranked=sum(entry.rank is not None for entry in board.entries),
            valueless=valueless,
        )

    def _announce(self) -> None:
        """Replace the index of boards and the table of addresses by new ones."""
        boards = [ready.board for ready in self._ready.values()]
        times = [board.updated_at for board in boards if board.updated_at]
        self.index = _api(
            board_models.index(boards).model_dump_json().encode(), max(times, default=None)
        )
        self.by_address = {
            address: representation
            for ready in self._ready.values()
            for address, representation in _addresses(ready)
        }


def _valueless(
    boards: Mapping[tuple[Board, Scoring], Leaderboard], board: Board
) -> frozenset[Scoring]:
    """Return the scorings in which a board has entries, and none of them a value."""
    found = {scoring: boards[board, scoring].entries for scoring in SCORINGS}
    return frozenset(
        scoring
        for scoring, entries in found.items()
        if entries and all(entry.rank is None for entry in entries)
    )


def _addresses(ready: ReadyBoard) -> Iterator[tuple[str, Representation]]:
    board, scoring = ready.board.board, ready.board.scoring
    yield inside(board_url(board, scoring)), ready.json
    yield inside(page_url(board, scoring)), ready.page


def _api(body: bytes, last_modified: datetime | None) -> Representation:
    return represent(
        body,
        content_type=JSON,
        cache_control=CACHE_CONTROL,
        headers={**READ_HEADERS, "Vary": "Accept, Accept-Encoding"},
        last_modified=last_modified,
    )
