"""API keys and their quotas: the commands. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from medvid.cli.administration.parameters import Key, Number, Scope, Sure, Why, options
from medvid.cli.offline import Json
from medvid.cli.parameters import Url


def key_list(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List API keys."""
    from medvid.cli.administration.keys import keys

    raise typer.Exit(keys(options(url, key, as_json)))


def key_make(
    label: Annotated[str, typer.Argument(help="what it is for")],
    owner: Annotated[str, typer.Argument(help="who answers for it")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="submit and judge when left out")
    ] = None,
    submissions_per_day: Number = None,
    bytes_per_day: Number = None,
    judge_runs_per_month: Number = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Make an API key; it is shown once."""
    from medvid.cli.administration.keys import make_key

    raise typer.Exit(make_key(
        options(url, key, as_json), label, owner, scope or ["submit", "judge"], why,
        submissions_per_day=submissions_per_day, bytes_per_day=bytes_per_day,
        judge_runs_per_month=judge_runs_per_month,
    ))  # fmt: skip


def key_revoke(
    key_id: Annotated[str, typer.Argument(help="its id")],
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Revoke an API key, for ever."""
    from medvid.cli.administration.keys import change_key

    raise typer.Exit(change_key(options(url, key, as_json), key_id, "revoke", why, sure=sure))


def key_quotas(
    key_id: Annotated[str, typer.Argument(help="its id")],
    submissions_per_day: Number = None,
    bytes_per_day: Number = None,
    judge_runs_per_month: Number = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Give an API key quotas of its own; those left out are the ones all keys have."""
    from medvid.cli.administration.keys import change_key

    raise typer.Exit(change_key(
        options(url, key, as_json), key_id, "quotas", why, sure=True,
        submissions_per_day=submissions_per_day, bytes_per_day=bytes_per_day,
        judge_runs_per_month=judge_runs_per_month,
    ))  # fmt: skip


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "list": key_list, "make": key_make, "revoke": key_revoke, "quotas": key_quotas,
}  # fmt: skip
