"""Versions of the ground truth: the commands. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.cli.administration.parameters import Key, Sure, Why, options
from medvid.cli.offline import Json
from medvid.cli.parameters import Url


def truth_list(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List versions; the current one is marked."""
    from medvid.cli.administration.truths import ground_truths

    raise typer.Exit(ground_truths(options(url, key, as_json)))


def truth_load(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="JSON, plain or gzip")
    ] = None,
    on_server: Annotated[
        str | None, typer.Option(help="a file of the server's folder instead")
    ] = None,
    current: Annotated[bool, typer.Option("--current", help="make it current")] = False,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Load a version."""
    from medvid.cli.administration.truths import load_truth

    raise typer.Exit(load_truth(options(url, key, as_json), file, on_server, why, current=current))


def truth_choose(
    version: Annotated[str, typer.Argument(help="the version or its beginning")],
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Choose the version that uploads are checked against."""
    from medvid.cli.administration.truths import choose_truth

    raise typer.Exit(choose_truth(options(url, key, as_json), version, why, sure=sure))


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "list": truth_list, "load": truth_load, "choose": truth_choose,
}  # fmt: skip
