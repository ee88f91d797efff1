"""`medvid tracks`: the tracks of challenges, their rules and their final results."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from medvid.benchmark.tasks import Scoring
from medvid.cli.board import show_board
from medvid.cli.failures import WrongUsage
from medvid.cli.printing import plain_table
from medvid.cli.session import Session, public
from medvid.models.tracks import ChallengeTrack, ChallengeTracks, FinalResults


@public
def tracks(
    session: Session,
    track: Annotated[str | None, typer.Argument(help="its id: show its dates and rules")] = None,
    final: Annotated[bool, typer.Option("--final", help="show its final results")] = False,
    scoring: Annotated[Scoring, typer.Option(help="of the final results")] = "compat",
) -> int:
    """Show the tracks of challenges: when each takes submissions, and what it requires.

    A track's board of today is 'medvid board community --track NAME'.
    """
    client = session.client
    if track is None:
        if final:
            raise WrongUsage("--final needs a track.", fix="Name one: 'medvid tracks ID --final'.")
        found = client.tracks()
        return session.answer(found, _table(found))
    if final:
        results = client.final_results(track, scoring=scoring)
        return session.answer(results, lambda: _show_final(results))
    one = client.track(track)
    return session.answer(one, lambda: _show(one))


def _table(found: ChallengeTracks) -> Table:
    table = plain_table("Id", "Name", "State", "Closes")
    for each in found.tracks:
        table.add_row(each.id, each.name, each.state, each.closes)
    return table


def _show(track: ChallengeTrack) -> None:
    print(f"{track.name} ({track.state})")
    print(f"Opens   {track.opens}\nCloses  {track.closes}")
    for name, what in track.required.items():
        print(f"Needs   --{name.replace('_', '-')}: {what}")
    for limit, period in (
        (track.submissions_per_day, "in 24 hours"),
        (track.submissions_total, "in all"),
    ):
        if limit is not None:
            print(f"At most {limit} submission{'s' if limit != 1 else ''} {period}")
    if not track.evaluate_only:
        print("No evaluate-only submissions")
    for rule in track.rules:
        print(f"- {rule}")
    if track.rules_url:
        print(track.rules_url)


def _show_final(results: FinalResults) -> None:
    frozen = f"{results.frozen_at.astimezone():%Y-%m-%d %H:%M}"
    print(f"{results.name}: final results, frozen {frozen}")
    show_board(results.board, Console(highlight=False), ())
    names = {entry.entry_id: entry.model_name for entry in results.board.entries}
    for each in results.left_since:
        at = f" on {each.at:%Y-%m-%d}" if each.at else ""
        print(f"{names.get(each.entry_id, each.entry_id)}: {each.state}{at}, its place stays")
