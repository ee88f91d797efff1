"""Boards in every way they can be asked for: past or present, a track, a page, JSON or CSV.

What is asked for often, the current boards in full, is ready in `boards`; the rest is made here and
kept for a while, by the snapshot that it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.comparisons import EntryComparison
from medvid.models.second_opinions import SecondOpinions
from services.gateway.boards import models as board_models
from services.gateway.boards.comparisons import comparison
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.cursors import BoardCursor, Form
from services.gateway.boards.forms import FORMS, content_type
from services.gateway.boards.models import MeasuredBoard
from services.gateway.boards.narrowing import WHOLE_BOARD, Narrowing
from services.gateway.boards.reader_weights import Weights, read_weights
from services.gateway.boards.second_opinions import second_opinions, weighted
from services.gateway.boards.store import BoardHistory, entry_not_found
from services.gateway.web.addresses import LOCAL
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.turns import USUAL, Turns, WaitingLimits
from shared.runtime.errors import NotFound

_KEPT_COMPARISONS: Final = 2_000
_WEIGHED_SHARE: Final = 4
_LASTING: Final = "public, max-age=3600"
"""Of what never changes but for its errata: readers learn of these within the hour."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a board are asked for, in what form; `limit` None: all of them.

    With a reader's `weights` they are in the order that these give; `narrowing` is by facts.
    """

    form: Form
    track: str | None = None
    offset: int = 0
    limit: int | None = None
    weights: tuple[tuple[str, float], ...] | None = None
    narrowing: Narrowing = WHOLE_BOARD
    lasting: bool = False

    @property
    def is_own(self) -> bool:
        """Whether hardly another reader asks for it."""
        return self.weights is not None or self.narrowing != WHOLE_BOARD


def weights_of(text: str | None) -> tuple[tuple[str, float], ...] | None:
    """Return a reader's weights, of every metric, as a window has them; raises InvalidInput."""
    return None if text is None else tuple(read_weights(text).items())


class BoardViews:
    """Makes representations of boards, and keeps past boards and views of them within limits."""

    def __init__(
        self,
        boards: Boards,
        history: BoardHistory,
        *,
        kept_entries: int = 50_000,
        kept_bytes: int = 32 << 20,
        limits: WaitingLimits = USUAL,
    ) -> None:
        self._boards = boards
        self._history = history
        turns = Turns(limits)
        self._past = RenderCache[MeasuredBoard](
            # One that is about to get its statistics is not kept.
            turns,
            lambda board: len(board.entries) if board.is_final else kept_entries + 1,
            kept_entries,
        )
        self._compared = RenderCache[EntryComparison](turns, lambda _: 1, _KEPT_COMPARISONS)
        self._opinions = RenderCache[SecondOpinions](
            turns, lambda found: len(found.entries), kept_entries
        )
        self._made = RenderCache(turns, bytes_of, kept_bytes, largest=kept_bytes // 2)
        # Every reader may have weights and filters of their own: they push out one another, and
        # nothing else.
        self._own = RenderCache(turns, bytes_of, kept_bytes // _WEIGHED_SHARE)
        self._weighed_opinions = RenderCache[SecondOpinions](
            turns, lambda found: len(found.entries), kept_entries // _WEIGHED_SHARE
        )

    async def current(
        self, board: Board, scoring: Scoring, window: Window, *, address: str = LOCAL
    ) -> Representation:
        """Return a board as it is now."""
        ready = self._boards.get(board, scoring)
        if window == Window("json"):
            return ready.json
        return await self._represent(ready.board, window, address)

    async def past(
        self,
        board: Board,
        scoring: Scoring,
        as_of: int | datetime,
        window: Window,
        *,
        address: str = LOCAL,
    ) -> Representation:
        """Return a board as it was at a moment or in a snapshot; raises NotFound."""
        if not isinstance(as_of, int) and as_of >= datetime.now(UTC):
            return await self.current(board, scoring, window, address=address)
        shown = await self._past_board(board, scoring, as_of, address)
        return await self._represent(shown, window, address)

    async def _past_board(
        self, board: Board, scoring: Scoring, as_of: int | datetime, address: str
    ) -> MeasuredBoard:
        """Return a board as it was at a moment or in a snapshot; raises NotFound."""
        if isinstance(as_of, int):
            shown = await self.snapshot(as_of, address=address)
            if (shown.board, shown.scoring) != (board, scoring):
                raise NotFound(
                    f"snapshot {as_of} shows the {shown.board} board in {shown.scoring} scoring.",
                    fix=f"Ask for {shown.permalink}.",
                    code="snapshot_not_found",
                )
            return shown
        if as_of >= datetime.now(UTC):
            return self._boards.get(board, scoring).board
        snapshot_id = await self._history.snapshot_id_at(board, scoring, as_of)
        if snapshot_id is None:
            return MeasuredBoard.empty(board, scoring)
        return await self.snapshot(snapshot_id, address=address)

    async def second_opinions(
        self,
        board: Board,
        scoring: Scoring,
        as_of: int | datetime | None,
        weights: Weights | None,
        *,
        address: str = LOCAL,
    ) -> SecondOpinions:
        """Return what other rules say of a board's order; raises NotFound, InvalidInput."""
        current = self._boards.get(board, scoring).board
        shown = current
        if as_of is not None:
            shown = await self._past_board(board, scoring, as_of, address)
        is_current = shown.snapshot == current.snapshot

        async def opine() -> SecondOpinions:
            # Scores by source are those of now: a past board has none.
            scores = await self._history.sources(board) if is_current else ()
            return await asyncio.to_thread(second_opinions, shown, scores)

        key = ("opinions", board, scoring, shown.snapshot, shown.measured_at, is_current)
        found = await self._opinions.get(address, key, opine)
        if weights is None:
            return found
        return await self._weighed_opinions.get(
            address,
            (*key, tuple(weights.items())),
            lambda: asyncio.to_thread(weighted, found, shown, weights),
        )

    async def page(
        self, board: Board, cursor: BoardCursor, form: Form, *, address: str = LOCAL
    ) -> Representation:
        """Return the page that a cursor names; raises NotFound where it is another board's."""
        try:
            shown = await self.snapshot(cursor.snapshot_id, address=address)
        except NotFound:
            shown = None
        if shown is None or shown.board != board:
            raise NotFound(
                "the cursor is of no snapshot of this board.",
                fix="Begin at the top, without a cursor.",
                code="snapshot_not_found",
            )
        weights = weights_of(cursor.weights)
        narrowing = Narrowing.in_cursor(cursor.narrowed)
        window = Window(form, cursor.track, cursor.offset, cursor.limit, weights, narrowing)
        return await self._represent(shown, window, address)

    async def comparison(
        self, boards: Sequence[Board], scoring: Scoring, a: UUID, b: UUID, *, address: str = LOCAL
    ) -> EntryComparison:
        """Return how two entries of a board, or of either, differ; raises NotFound, Transient."""
        ready = [self._boards.get(board, scoring) for board in boards]
        # What a comparison finds depends on how a board's entries differ.
        detectable = ready[0].board.minimum_detectable if len(ready) == 1 else {}

        async def compare() -> EntryComparison:
            rows = await self._history.scores(boards, [a, b], scoring)
            found = {row["entry_id"] for row in rows}
            for each in (a, b):
                if each not in found:
                    raise entry_not_found(" or ".join(boards), str(each))
            # In a thread, as what is made above.
            return await asyncio.to_thread(comparison, a, b, scoring, rows, detectable)

        return await self._compared.get(
            address,
            ("comparison", tuple(boards), scoring, *(each.state for each in ready), a, b),
            compare,
        )

    async def permalink(
        self,
        snapshot_id: int,
        form: Form,
        *,
        track: str | None = None,
        narrowing: Narrowing = WHOLE_BOARD,
        address: str = LOCAL,
    ) -> Representation:
        """Return a snapshot, or a part of it, whose rows never change; raises NotFound."""
        shown = await self.snapshot(snapshot_id, address=address)
        window = Window(form, track, narrowing=narrowing, lasting=True)
        return await self._represent(shown, window, address)

    async def snapshot(self, snapshot_id: int, *, address: str = LOCAL) -> MeasuredBoard:
        """Return a board as a snapshot has it; raises NotFound."""
        for ready in self._boards.all():
            if ready.snapshot_id == snapshot_id and snapshot_id:
                return ready.board.with_notes([each for each in ready.board.notes if each.corrects])

        past = await self._past.get(
            address, ("snapshot", snapshot_id), lambda: self._read(snapshot_id)
        )
        # Rows never change, and are kept; errata come at any time.
        return past.with_notes(await self._history.errata(snapshot_id))

    async def _read(self, snapshot_id: int) -> MeasuredBoard:
        snapshot = await self._history.find_snapshot(snapshot_id)
        if snapshot is None:
            raise NotFound(
                f"there is no snapshot {snapshot_id}, or it is no longer kept.",
                fix="Boards name theirs in 'permalink'. Of days past at least the last board of "
                "each month is kept: ask for it with '?as_of=2026-04-15'.",
                code="snapshot_not_found",
            )
        return await asyncio.to_thread(board_models.leaderboard, snapshot)

    async def _represent(
        self, shown: MeasuredBoard, window: Window, address: str
    ) -> Representation:
        notes = tuple(note.id for note in shown.notes)
        state = (shown.snapshot or 0, shown.measured_at, shown.links, notes, shown.noted_at)
        key = (shown.board, shown.scoring, state, window)
        # In a thread: a board of thousands takes a while to write.
        kept = self._own if window.is_own else self._made
        return await kept.get(address, key, lambda: asyncio.to_thread(_make, shown, window))


def _make(shown: MeasuredBoard, window: Window) -> Representation:
    page = board_models.page_of(
        shown,
        track=window.track,
        offset=window.offset,
        limit=window.limit,
        form=window.form,
        weights=None if window.weights is None else dict(window.weights),
        narrowing=window.narrowing,
    )
    headers = {**READ_HEADERS, "Vary": "Accept, Accept-Encoding"}
    lasts = window.lasting and shown.is_final and shown.link is not None
    links = [*_links(shown), *([f'<{page.next}>; rel="next"'] if page.next else [])]
    if links:
        headers["Link"] = ", ".join(links)
    form = FORMS[window.form]
    if window.form != "json":
        name = f"medvidbench-{shown.board}-{shown.scoring}-{shown.snapshot or 0}.{form.suffix}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        headers["X-Total-Count"] = str(page.total)
    return represent(
        form.write(page).encode(),
        content_type=content_type(form.media_type),
        cache_control=_LASTING if lasts else CACHE_CONTROL,
        headers=headers,
        last_modified=shown.modified_at,
    )


def _links(shown: MeasuredBoard) -> Iterator[str]:
    """Yield links to the snapshots that correct this one, or that it corrects (RFC 5829)."""
    for note in shown.notes:
        if note.corrects and note.corrected_by:
            is_faulty = note.corrects.number == shown.snapshot
            other = note.corrected_by if is_faulty else note.corrects
            yield f'<{other.url}>; rel="{"successor" if is_faulty else "predecessor"}-version"'
