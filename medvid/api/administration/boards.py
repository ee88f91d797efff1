"""Calls about boards: their rules, and boards as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medvid.api.administration.actions import do
from medvid.api.calls import get, text_of
from medvid.api.methods import method
from medvid.api.transport import Transport
from medvid.models.administration import ChangeAnswer, ImportAnswer
from medvid.models.jobs import SeriesDifference


async def set_ranking(transport: Transport, board: str, ranking: str, *, why: str) -> ChangeAnswer:
    """Choose how a board ranks: `competition` or `dense`; it is ranked again."""
    return await do(transport, f"/boards/{board}/ranking", ChangeAnswer, why, ranking=ranking)


async def series_difference(
    transport: Transport,
    board: str,
    *,
    current: str | None = None,
    other_judges: str | None = None,
    published: str | None = None,
) -> SeriesDifference:
    """Return what another series would do to a board's ranks; without any, its series as it is.

    `current` is a judge version; `other_judges` and `published` are `ranked` or `missing`.
    """
    call = get(
        f"/admin/boards/{board}/series", current=current, other_judges=other_judges,
        published=published,
    )  # fmt: skip
    return await transport.ask(call, SeriesDifference)


async def set_series(
    transport: Transport,
    board: str,
    *,
    why: str,
    revision: int,
    current: str | None = None,
    other_judges: str | None = None,
    published: str | None = None,
) -> ChangeAnswer:
    """Have a board rank by another series; `revision` is that of the difference."""
    return await do(
        transport, f"/boards/{board}/series", ChangeAnswer, why, revision=revision,
        current=current, other_judges=other_judges, published=published,
    )  # fmt: skip


async def export_boards(
    transport: Transport, *, board: str | None = None, form: str = "json"
) -> str:
    """Return one board or all as `json` or `csv` text; importing it again changes nothing."""
    call = get("/admin/boards/export", board=board, format=form)
    return await transport.repeating(call, text_of)


async def import_boards(
    transport: Transport,
    *,
    why: str,
    boards: Mapping[str, Any] | None = None,
    csv: str | None = None,
    existing: str = "keep",
    dry_run: bool = False,
) -> ImportAnswer:
    """Import boards, rows by board or CSV text: all rows or none.

    `existing` says what becomes of names that a board has: `keep` or `update`.
    """
    return await do(
        transport, "/boards/import", ImportAnswer, why, boards=boards, csv=csv,
        existing=existing, dry_run=dry_run,
    )  # fmt: skip


class BoardMethods:
    """Calls about boards, in the form of the client that has them."""

    set_ranking = method(set_ranking)
    series_difference = method(series_difference)
    set_series = method(set_series)
    export_boards = method(export_boards)
    import_boards = method(import_boards)
