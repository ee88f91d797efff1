"""The commands on a server, as the command line has them. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from medvid.cli.offline import Json
from medvid.cli.parameters import (
    ApiKey,
    Board,
    Check,
    Contact,
    DryRun,
    File,
    GroundTruth,
    JudgeMetric,
    ModelUrl,
    NoWait,
    Scoring,
    Submission,
    Sure,
    TestSet,
    Text,
    Token,
    Track,
    Url,
    VerdictState,
    Webhook,
    options,
)

_STATUSES = (
    "Exit status: 0 done; 1 refused or failed; 2 wrong usage, configuration or file; "
    "3 server out of reach or quota used up, try later; 130 interrupted."
)


def register(app: typer.Typer) -> None:
    """Add the commands on a server to the `medvid` command."""
    panel = "On a server"
    commands: tuple[Callable[..., None], ...] = (
        submit, status, watch, submissions, replace, withdraw, judge, verdicts, board, entry,
        quotas, register_key,
    )  # fmt: skip
    for command in commands:
        app.command(rich_help_panel=panel, epilog=_STATUSES)(command)


def submit(
    file: File,
    model_name: Annotated[str, typer.Option("--model-name", "-m", help="unique on the board")],
    organization: Annotated[str, typer.Option("--organization", "-o", help="who submits")],
    team: Text = None,
    authors: Text = None,
    contact: Contact = None,
    model_url: ModelUrl = None,
    track: Track = None,
    webhook: Webhook = None,
    evaluate_only: Annotated[
        bool, typer.Option("--evaluate-only", help="score and rank it for my eyes only")
    ] = False,
    ground_truth: GroundTruth = None,
    test_set: TestSet = None,
    check: Check = True,
    dry_run: DryRun = False,
    sure: Sure = False,
    no_wait: NoWait = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Submit predictions and follow them to the board.

    An upload that was cut off is sent again, and never becomes two submissions: not even when the
    command itself is killed and repeated. The owner token is remembered for the other commands.
    """
    from medvid.cli.submit import Plan
    from medvid.cli.submit import submit as body

    plan = Plan(
        file,
        {
            "model_name": model_name,
            "organization": organization,
            "team": team,
            "authors": authors,
            "contact": contact,
            "model_url": model_url,
            "track": track,
            "webhook_url": webhook,
        },
        evaluate_only=evaluate_only,
        ground_truth=ground_truth,
        test_set=test_set,
        check=check or dry_run,
        dry_run=dry_run,
        sure=sure,
        wait=not no_wait,
    )
    raise typer.Exit(body(options(url, api_key, as_json=as_json), plan))


def replace(
    submission: Annotated[
        str,
        typer.Argument(help="the version before: its id, the beginning of it, or the model name"),
    ],
    file: File,
    model_name: Annotated[
        str | None,
        typer.Option("--model-name", "-m", help="its name, if that changes"),
    ] = None,
    organization: Annotated[
        str | None,
        typer.Option("--organization", "-o", help="who submits, if that changes"),
    ] = None,
    team: Text = None,
    authors: Text = None,
    contact: Contact = None,
    model_url: ModelUrl = None,
    track: Track = None,
    webhook: Webhook = None,
    ground_truth: GroundTruth = None,
    test_set: TestSet = None,
    check: Check = True,
    sure: Sure = False,
    no_wait: NoWait = False,
    token: Token = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Submit a new version of a model; the old one is ranked until this one is scored."""
    from medvid.cli.submit import Plan
    from medvid.cli.submit import submit as body

    plan = Plan(
        file,
        {
            "model_name": model_name,
            "organization": organization,
            "team": team,
            "authors": authors,
            "contact": contact,
            "model_url": model_url,
            "track": track,
            "webhook_url": webhook,
        },
        replaces=submission,
        ground_truth=ground_truth,
        test_set=test_set,
        check=check,
        sure=sure,
        wait=not no_wait,
    )
    raise typer.Exit(body(options(url, api_key, token, as_json), plan))


def withdraw(
    submission: Submission = None,
    note: Annotated[
        str | None,
        typer.Option(help="why; administrators must say it"),
    ] = None,
    sure: Sure = False,
    token: Token = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Take a submission back: it leaves its board, and its name is free again."""
    from medvid.cli.lifecycle import withdraw as body

    raise typer.Exit(body(options(url, api_key, token, as_json), submission, note=note, sure=sure))


def status(
    submission: Submission = None,
    token: Token = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show how a submission fares; exit status 1 if it failed."""
    from medvid.cli.follow import status as body

    raise typer.Exit(body(options(url, api_key, token, as_json), submission))


def watch(
    submission: Submission = None,
    token: Token = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Follow a submission until nothing more happens by itself; --json gives a line a change."""
    from medvid.cli.follow import watch as body

    raise typer.Exit(body(options(url, api_key, token, as_json), submission))


def submissions(
    on_server: Annotated[
        bool, typer.Option("--all", help="ask the server for those sent with the API key")
    ] = False,
    token: Token = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List the submissions that were made from here, or with an API key."""
    from medvid.cli.lifecycle import submissions as body

    raise typer.Exit(body(options(url, api_key, token, as_json), on_server=on_server))


def judge(
    submission: Submission = None,
    token: Token = None,
    no_wait: NoWait = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Have a submission's captions judged, or take up a run that was paused."""
    from medvid.cli.judge import judge as body

    raise typer.Exit(body(options(url, api_key, token, as_json), submission, wait=not no_wait))


def verdicts(
    submission: Submission = None,
    metric: Annotated[
        JudgeMetric | None,
        typer.Option(help="only this metric's"),
    ] = None,
    state: Annotated[
        VerdictState | None,
        typer.Option(help="only these"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write to this file"),
    ] = None,
    token: Token = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of CSV")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Read the judge's verdicts on a submission's captions, as CSV."""
    from medvid.cli.judge import verdicts as body

    raise typer.Exit(
        body(
            options(url, api_key, token, as_json),
            submission,
            metric=metric.value if metric else None,
            state=state.value if state else None,
            output=output,
        )
    )


def board(
    name: Annotated[Board, typer.Argument(help="which board")] = Board.OFFICIAL,
    scoring: Annotated[Scoring, typer.Option(help="which reading of the metrics")] = Scoring.COMPAT,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="only this metric's column; may be repeated"),
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(help="only entries of this track"),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="as it was: a date, a time, or the number of a snapshot"),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    as_json: Json = False,
    url: Url = None,
) -> None:
    """Show a board, in a table that fits the terminal."""
    from medvid.cli.board import board as body

    raise typer.Exit(
        body(
            options(url, None, as_json=as_json),
            name.value,
            scoring=scoring.value,
            track=track,
            as_of=as_of,
            as_csv=as_csv,
            metrics=metric or (),
        )
    )


def entry(
    name: Annotated[str, typer.Argument(help="the model's name, or the entry's id")],
    on: Annotated[Board, typer.Option("--board", help="which board")] = Board.OFFICIAL,
    as_json: Json = False,
    url: Url = None,
) -> None:
    """Show an entry: every metric by source, coverage, and where it stood when."""
    from medvid.cli.entry import entry as body

    raise typer.Exit(body(options(url, None, as_json=as_json), on.value, name))


def quotas(as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Show what may still be submitted and judged, and when there is room again."""
    from medvid.cli.access import quotas as body

    raise typer.Exit(body(options(url, api_key, as_json=as_json)))


def register_key(
    label: Annotated[str, typer.Option(help="what the key is for")],
    owner: Annotated[str, typer.Option(help="who holds it: a lab, a person")],
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make an API key of your own, where the server lets everyone, and keep it."""
    from medvid.cli.access import register as body

    raise typer.Exit(body(options(url, api_key, as_json=as_json), label, owner))
