"""Re-scoring: the commands. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from medvid.cli.administration.parameters import Job, Key, OnBoard, Sure, Why, options
from medvid.cli.offline import Json
from medvid.cli.parameters import Url


def rescore(
    entry: Annotated[list[str] | None, typer.Argument(help="entries; all when left out")] = None,
    ground_truth: Annotated[
        str | None, typer.Option(help="version; the current one when left out")
    ] = None,
    board: OnBoard = None,
    why: Why = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="return at once")] = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Score entries anew, beside the scores in force, and show what would change.

    Under another ground truth, or after an update of the metric code. Nothing changes on a board
    until 'medvid admin apply'.
    """
    from medvid.cli.administration.rescoring import rescore as body

    raise typer.Exit(body(options(url, key, as_json), ground_truth, board, entry or [], why,
                          wait=not no_wait))  # fmt: skip


def rescores(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List re-score jobs."""
    from medvid.cli.administration.rescoring import rescores as body

    raise typer.Exit(body(options(url, key, as_json)))


def difference(job: Job = None, as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Show what a re-score job would change."""
    from medvid.cli.administration.rescoring import difference as body

    raise typer.Exit(body(options(url, key, as_json), job))


def apply(
    job: Job = None,
    preview: Annotated[
        int | None, typer.Option(help="number of the difference you looked at")
    ] = None,
    without_failed: Annotated[
        bool, typer.Option("--without-failed", help="although some entries failed")
    ] = False,
    make_current: Annotated[
        bool, typer.Option("--make-current", help="check uploads against its ground truth")
    ] = False,
    judge_again: Annotated[
        bool,
        typer.Option(
            "--judge-again",
            help="judge where judged scores are of another ground truth or older code",
        ),
    ] = False,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Put a re-score job's scores in force, all at once."""
    from medvid.cli.administration.rescoring import apply as body

    raise typer.Exit(body(options(url, key, as_json), job, preview, why, sure=sure,
                          without_failed=without_failed, make_current=make_current,
                          judge_again=judge_again))  # fmt: skip


def discard(
    job: Job = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Drop a re-score job; the scores in force stay."""
    from medvid.cli.administration.rescoring import discard as body

    raise typer.Exit(body(options(url, key, as_json), job, why, sure=sure))


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "rescore": rescore, "rescores": rescores, "difference": difference, "apply": apply,
    "discard": discard,
}  # fmt: skip
