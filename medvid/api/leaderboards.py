"""Calls about boards. All of them are public."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

from medvid.api.calls import Call, bytes_of, get, text_of
from medvid.api.transport import Transport
from medvid.models.boards import EvidenceKeys, Leaderboard, LeaderboardEntry, LeaderboardIndex
from medvid.models.comparisons import BothBoards, EntryComparison
from medvid.models.entries import EntryDetails
from medvid.models.fact_texts import fact_text
from medvid.models.figures import MEAN_RANK, BestOverTime, SizeAndCost, TaskLeaders
from medvid.models.second_opinions import SecondOpinions
from medvid.models.tombstones import Tombstone, WithdrawnPage
from medvid.models.tracks import ChallengeTrack, ChallengeTracks, FinalResults

_LARGEST_ARCHIVE: Final = 256 << 20
_PAGE_SIZE: Final = 500
_TAR: Final = "application/x-tar"


async def boards(transport: Transport) -> LeaderboardIndex:
    """Return which boards there are, their columns, tracks and the ranking rule."""
    return await transport.ask(get("/leaderboards"), LeaderboardIndex)


async def board(
    transport: Transport,
    name: str = "official",
    *,
    scoring: str = "compat",
    track: str | None = None,
    as_of: str | None = None,
    filters: Mapping[str, object] | None = None,
    rerank: bool = False,
) -> Leaderboard:
    """Return a whole board: `official` or `community`, scored `compat` or `strict`.

    `as_of` is a date (its end, UTC), a time, or the number of a snapshot. `filters` narrow it by
    facts of the models (`medvid.models.facts.FactFilters`), with the ranks that it gives them;
    `rerank` ranks those that are left among themselves, too.
    """
    call = _board(name, scoring, track, as_of, filters, rerank=rerank)
    return await transport.ask(call, Leaderboard)


async def both_boards(
    transport: Transport,
    *,
    scoring: str = "compat",
    filters: Mapping[str, object] | None = None,
) -> BothBoards:
    """Return the models of both boards, each with its rank on its own; `filters` as of `board`."""
    asked = _narrowing(None, filters, rerank=False)
    return await transport.ask(get("/leaderboards/both", **asked, scoring=scoring), BothBoards)


async def second_opinions(
    transport: Transport,
    board: str,
    *,
    scoring: str | None = None,
    as_of: str | int | None = None,
    weights: Mapping[str, float] | str | None = None,
) -> SecondOpinions:
    """Return what other rules say of a board's order; `weights` are your own, by metric."""
    if weights is not None and not isinstance(weights, str):
        weights = ",".join(f"{metric}:{weight}" for metric, weight in weights.items())
    call = get(
        f"/leaderboards/{board}/second-opinions", scoring=scoring, as_of=as_of, weights=weights
    )
    return await transport.ask(call, SecondOpinions)


async def best_over_time(
    transport: Transport, board: str = "official", *, scoring: str = "compat"
) -> BestOverTime:
    """Return how the best value of each metric grew, by the day of submission."""
    path = f"/leaderboards/{quote(board, safe='')}/best-over-time"
    return await transport.ask(get(path, scoring=scoring), BestOverTime)


async def size_and_cost(
    transport: Transport,
    board: str = "official",
    *,
    score: str = MEAN_RANK,
    fact: str = "parameters",
    scoring: str = "compat",
) -> SizeAndCost:
    """Return what scores of a board cost: a metric or `mean_rank` by a stated fact."""
    path = f"/leaderboards/{quote(board, safe='')}/size-and-cost"
    return await transport.ask(get(path, score=score, fact=fact, scoring=scoring), SizeAndCost)


async def task_leaders(
    transport: Transport, task: str, board: str = "official", *, scoring: str = "compat"
) -> TaskLeaders:
    """Return the leaders of a task, as `tal`, over all and within each source dataset."""
    path = f"/leaderboards/{quote(board, safe='')}/tasks/{quote(task, safe='')}"
    return await transport.ask(get(path, scoring=scoring), TaskLeaders)


async def board_csv(
    transport: Transport,
    name: str = "official",
    *,
    scoring: str = "compat",
    track: str | None = None,
    as_of: str | None = None,
    filters: Mapping[str, object] | None = None,
    rerank: bool = False,
) -> str:
    """Return a board as CSV, in which no cell is a formula to a spreadsheet."""
    call = _board(name, scoring, track, as_of, filters, rerank=rerank)
    return await transport.repeating(replace(call, headers={"Accept": "text/csv"}), text_of)


async def snapshot(
    transport: Transport,
    number: int,
    *,
    track: str | None = None,
    filters: Mapping[str, object] | None = None,
    rerank: bool = False,
) -> Leaderboard:
    """Return a board as it was ranked once, which never changes.

    `filters` and `rerank` as of `board`; they look at the facts that were stated then.
    """
    asked = _narrowing(track, filters, rerank=rerank)
    return await transport.ask(get(f"/snapshots/{number}", **asked), Leaderboard)


async def entries(
    transport: Transport,
    name: str = "official",
    *,
    scoring: str = "compat",
    track: str | None = None,
    as_of: str | None = None,
    filters: Mapping[str, object] | None = None,
    rerank: bool = False,
    page_size: int = _PAGE_SIZE,
) -> AsyncGenerator[LeaderboardEntry, None]:
    """Yield the entries of one snapshot of a board, best first, page after page."""
    call = _board(name, scoring, track, as_of, filters, rerank=rerank, limit=page_size)
    while True:
        page = await transport.ask(call, Leaderboard)
        for entry in page.entries:
            yield entry
        if page.next is None:
            return
        following = urlsplit(page.next)  # which the server names, and is on the same server
        call = replace(call, path=following.path, query=dict(parse_qsl(following.query)))


async def entry(transport: Transport, board: str, entry: UUID | str) -> EntryDetails:
    """Return everything that is public about an entry."""
    return await transport.ask(
        get(f"/leaderboards/{quote(board, safe='')}/entries/{entry}"), EntryDetails
    )


async def withdrawn(transport: Transport, board: str) -> AsyncGenerator[Tombstone, None]:
    """Yield the entries that had a rank and were taken off a board, the last one first."""
    call = get(f"/leaderboards/{quote(board, safe='')}/withdrawn")
    async for page in transport.pages(call, WithdrawnPage):
        for entry in page.entries:
            yield entry


async def comparison(
    transport: Transport, board: str, a: UUID | str, b: UUID | str, *, scoring: str = "compat"
) -> EntryComparison:
    """Return how two entries of a board differ, and whether chance explains it."""
    path = f"/leaderboards/{quote(board, safe='')}/comparisons"
    return await transport.ask(get(path, a=str(a), b=str(b), scoring=scoring), EntryComparison)


async def tracks(transport: Transport) -> ChallengeTracks:
    """Return the tracks of challenges."""
    return await transport.ask(get("/tracks"), ChallengeTracks)


async def track(transport: Transport, track: str) -> ChallengeTrack:
    """Return a track by its id: its times, what it requires, its rules."""
    return await transport.ask(get(f"/tracks/{quote(track, safe='')}"), ChallengeTrack)


async def final_results(
    transport: Transport, track: str, *, scoring: str = "compat"
) -> FinalResults:
    """Return the final results of a track by its id, which never change."""
    path = f"/tracks/{quote(track, safe='')}/final"
    return await transport.ask(get(path, scoring=scoring), FinalResults)


async def evidence(
    transport: Transport,
    board: str = "official",
    *,
    snapshot: int | None = None,
    scoring: str = "compat",
) -> bytes:
    """Return the archive of a board's snapshot, None for the newest; `medvid.evidence` reads it."""
    path = f"/leaderboards/{quote(board, safe='')}/evidence"
    call = replace(
        get(path, snapshot=snapshot, scoring=scoring),
        headers={"Accept": _TAR},
        largest=_LARGEST_ARCHIVE,
    )
    return await transport.repeating(call, lambda reply: bytes_of(reply, _TAR))


async def signing_keys(transport: Transport) -> EvidenceKeys:
    """Return the public keys that have signed links of boards."""
    return await transport.ask(get("/evidence/keys"), EvidenceKeys)


def _board(
    name: str,
    scoring: str,
    track: str | None,
    as_of: str | None,
    filters: Mapping[str, object] | None,
    *,
    rerank: bool,
    limit: int | None = None,
) -> Call:
    return get(
        f"/leaderboards/{quote(name, safe='')}",
        **_narrowing(track, filters, rerank=rerank),
        scoring=scoring,
        as_of=as_of,
        limit=limit,
    )


def _narrowing(
    track: str | None, filters: Mapping[str, object] | None, *, rerank: bool
) -> dict[str, str | None]:
    asked = {key: fact_text(value) for key, value in (filters or {}).items() if value is not None}
    return {**asked, "track": track, "rerank": "true" if rerank else None}
