"""Results in files for other tools: of an entry, of a board's history, and all that are public.

They say what the JSON says, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from medvid.benchmark.tasks import BOARDS, Board
from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails
from medvid.models.history import BoardRank
from services.gateway.boards.citations import entry_bibtex
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.entries import details_of
from services.gateway.boards.every_eval_ever import every_eval_ever
from services.gateway.boards.forms import content_type
from services.gateway.boards.hub_results import eval_results, model_index
from services.gateway.boards.lines import row_facts, written
from services.gateway.boards.models import index
from services.gateway.boards.store import Row, SnapshotStore
from services.gateway.web.endpoints import BIBTEX, JSON, JSON_LINES, YAML
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.turns import USUAL, Turns, WaitingLimits
from services.gateway.web.urls import url

EntryForm = Literal["bibtex", "eval-results", "model-index", "every-eval-ever"]
_SPANS: Final = 1_000
_BATCH: Final = 100
_KEPT_BYTES: Final = 64 << 20
_LARGEST: Final = 48 << 20
"""All results of seven thousand entries: seconds of work, not to be done for each reader."""
_FRESH_SECONDS: Final = 60
"""How old a file of all results may be where no board has changed: names and similarities do."""


@dataclass(frozen=True, slots=True)
class EntryFile:
    """A form of entries: its media type, what files of it are called, and what writes it."""

    media_type: str
    name: str
    write: Callable[[EntryDetails, Leaderboard], str]


ENTRY_FILES: Final[Mapping[EntryForm, EntryFile]] = {
    "bibtex": EntryFile(BIBTEX, "medvidbench.bib", entry_bibtex),
    "eval-results": EntryFile(YAML, "medvidbench.yaml", eval_results),
    "model-index": EntryFile(YAML, "model-index.yaml", model_index),
    "every-eval-ever": EntryFile(JSON, "every-eval-ever.json", every_eval_ever),
}


def entry_file(form: EntryForm, entry: EntryDetails, board: Leaderboard) -> Representation:
    """Return an entry as a file; `board` is its board in compat scoring. Raises NotFound."""
    found = ENTRY_FILES[form]
    return _file(found.write(entry, board).encode(), found.media_type, found.name)


class ResultFiles:
    """Files of many results, made in fair turns and kept until a board changes."""

    def __init__(
        self, boards: Boards, store: SnapshotStore, *, limits: WaitingLimits = USUAL
    ) -> None:
        self._boards = boards
        self._store = store
        self._made = RenderCache(Turns(limits), bytes_of, _KEPT_BYTES, largest=_LARGEST)

    async def history(
        self, board: Board, after: UUID | None, limit: int, *, address: str
    ) -> Representation:
        """Return the ranks of a page of entries by their ids, a rank a line; raises Transient."""

        async def make() -> Representation:
            entries, ranks, more = await self._store.ranks(board, after, limit, spans=_SPANS)
            following = {"after": entries[-1]["id"], "limit": limit} if more else None
            return await asyncio.to_thread(_history, board, entries, ranks, following)

        key = ("history", board, after, limit, self._state())
        return await self._made.get(address, key, make)

    async def everything(self, *, address: str) -> Representation:
        """Return all public results; raises Transient."""

        async def make() -> Representation:
            parts = [await asyncio.to_thread(self._of_boards)]
            for board in BOARDS:
                ids = [*self._boards.get(board, "compat").entries]
                parts += [
                    await self._of_entries(board, ids[start : start + _BATCH])
                    for start in range(0, len(ids), _BATCH)
                ]
            name = "medvidbench-results.jsonl"
            return await asyncio.to_thread(_file, b"".join(parts), JSON_LINES, name)

        key = ("everything", self._state(), int(time.monotonic()) // _FRESH_SECONDS)
        return await self._made.get(address, key, make)

    def _state(self) -> tuple[object, ...]:
        return tuple(ready.state for ready in self._boards.all())

    def _of_boards(self) -> bytes:
        """Return the lines of what the file is about, of boards and of their rows."""
        shown = [ready.board for ready in self._boards.all()]

        def lines() -> Iterator[dict[str, Any]]:
            yield {"kind": "about", **index(shown).model_dump(mode="json")}
            for board in shown:
                yield {"kind": "board", **board.model_dump(mode="json", exclude={"entries"})}
                for entry in board.entries:
                    yield {"kind": "row", **row_facts(board, entry)}

        return written(lines())

    async def _of_entries(self, board: Board, ids: Sequence[UUID]) -> bytes:
        """Return the lines of entries, in this order, with all that is public but their history."""
        found = await self._store.entries(board, ids, spans=0)
        order = {entry_id: place for place, entry_id in enumerate(ids)}

        def lines() -> Iterator[dict[str, Any]]:
            for each in sorted(found, key=lambda each: order[each.entry["id"]]):
                details = details_of(self._boards, board, each)
                yield {"kind": "entry", **details.model_dump(mode="json", exclude={"history"})}

        # In a thread: of all entries of a board of thousands, it takes seconds.
        return await asyncio.to_thread(lambda: written(lines()))


def _history(
    board: Board,
    entries: Sequence[Row],
    ranks: Sequence[Row],
    following: Mapping[str, object] | None,
) -> Representation:
    """Return ranks of entries as lines; `following` is the query of the next page."""
    names = {entry["id"]: entry for entry in entries}
    lines = (
        BoardRank(
            board=board,
            entry_id=rank["entry_id"],
            model_name=names[rank["entry_id"]]["model_name"],
            organization=names[rank["entry_id"]]["organization"],
            scoring=rank["scoring"],
            rank=rank["rank"],
            since=rank["since"],
            until=rank["until"],
            snapshot=url("api_snapshot", id=rank["since_snapshot"]),
        ).model_dump(mode="json")
        for rank in ranks
    )
    headers = {}
    if following is not None:
        address = url("api_board_history", board=board, query=following)
        headers["Link"] = f'<{address}>; rel="next"'
    return _file(written(lines), JSON_LINES, f"medvidbench-{board}-history.jsonl", headers)


def _file(
    content: bytes, media_type: str, name: str, headers: Mapping[str, str] | None = None
) -> Representation:
    return represent(
        content,
        content_type=content_type(media_type),
        cache_control=CACHE_CONTROL,
        headers={
            **READ_HEADERS,
            "Content-Disposition": f'attachment; filename="{name}"',
            **(headers or {}),
        },
    )
