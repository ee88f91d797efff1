"""The administrator's commands, as the command line has them. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.offline import Json
from client.online import Board, Url

if TYPE_CHECKING:
    from client.session import Options

_PANEL = "On a server, with the administrator's key"
Key = Annotated[
    str | None,
    typer.Option("--key", help="administrator's key (or MEDVID_ADMIN_KEY, or your API key)"),
]
Why = Annotated[
    str | None,
    typer.Option("--why", "-w", help="a reason, for the audit log; asked for when left out"),
]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
Entry = Annotated[str, typer.Argument(help="id of the entry, or name of the model")]
OnBoard = Annotated[
    Board | None,
    typer.Option("--board", help="where both boards have the name"),
]
Job = Annotated[
    str | None,
    typer.Argument(help="id of the re-score job; the newest when left out"),
]
Text = Annotated[str | None, typer.Option(help="'' empties it")]
Number = Annotated[int | None, typer.Option(min=0)]


class Form(StrEnum):
    """How boards are written."""

    JSON = "json"
    CSV = "csv"


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Scope(StrEnum):
    """What a key may be used for."""

    SUBMIT = "submit"
    JUDGE = "judge"
    ADMIN = "admin"


def register(admin: typer.Typer) -> None:
    """Add the commands to `medvid admin`."""
    commands: dict[str, Callable[..., None]] = {
        "entries": entries, "promote": promote, "demote": demote, "add": add, "remove": remove,
        "restore-entry": restore_entry, "withdraw": withdraw, "rename": rename, "edit": edit,
        "import": import_boards, "export": export, "rescore": rescore, "rescores": rescores,
        "difference": difference, "apply": apply, "discard": discard, "judging": judging,
        "pause": pause, "resume": resume, "dead-letters": dead_letters, "replay": replay,
        "discard-letters": discard_letters, "audit": audit,
    }  # fmt: skip
    for name, command in commands.items():
        admin.command(name, rich_help_panel=_PANEL)(command)
    truths = typer.Typer(help="Versions of the ground truth.", no_args_is_help=True)
    for name, command in (("list", truth_list), ("load", truth_load), ("choose", truth_choose)):
        truths.command(name)(command)
    admin.add_typer(truths, name="ground-truth", rich_help_panel=_PANEL)
    keys = typer.Typer(help="API keys and their quotas.", no_args_is_help=True)
    for name, command in (
        ("list", key_list), ("make", key_make), ("revoke", key_revoke), ("quotas", key_quotas),
    ):  # fmt: skip
        keys.command(name)(command)
    admin.add_typer(keys, name="keys", rich_help_panel=_PANEL)


def _options(url: str | None, key: str | None, as_json: bool) -> Options:
    from client.admin_session import options

    return options(url, key, as_json=as_json)


def entries(
    board: OnBoard = None,
    removed: Annotated[bool, typer.Option("--removed", help="removed ones too")] = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List entries with their ids and what is not public."""
    from client.admin_entries import entries as body

    raise typer.Exit(body(_options(url, key, as_json), board, removed=removed))


def promote(
    entry: Entry,
    verified_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; today when left out")] = None,
    note: Annotated[str | None, typer.Option(help="how it was verified")] = None,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Verify an entry: it moves from the community board to the official one."""
    from client.admin_entries import act

    raise typer.Exit(act(_options(url, key, as_json), "promote", entry, board, why, sure=sure,
                         verified_on=verified_on, note=note))  # fmt: skip


def demote(
    entry: Entry,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Bring an official entry back to the community board."""
    from client.admin_entries import act

    raise typer.Exit(
        act(_options(url, key, as_json), "demote", entry, Board.OFFICIAL, why, sure=sure)
    )


def remove(
    entry: Entry,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Take an entry off its board; its name is free, its row and scores stay."""
    from client.admin_entries import act

    raise typer.Exit(act(_options(url, key, as_json), "remove", entry, board, why, sure=sure))


def restore_entry(
    entry: Annotated[str, typer.Argument(help="id of the entry ('entries --removed')")],
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Bring a removed entry back, if its name is still free."""
    from client.admin_entries import act

    raise typer.Exit(act(_options(url, key, as_json), "restore", entry, None, why, sure=True))


def withdraw(
    entry: Entry,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Withdraw the submission of an entry, as its owner could; for good."""
    from client.admin_entries import withdraw as body

    raise typer.Exit(body(_options(url, key, as_json), entry, board, why, sure=sure))


def rename(
    entry: Entry,
    model_name: Annotated[str, typer.Argument(help="the new name")],
    board: OnBoard = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Give an entry another name."""
    from client.admin_entries import act

    raise typer.Exit(act(_options(url, key, as_json), "rename", entry, board, why, sure=True,
                         model_name=model_name))  # fmt: skip


def edit(
    entry: Entry,
    organization: Text = None,
    team: Text = None,
    authors: Text = None,
    model_url: Text = None,
    track: Text = None,
    contact: Text = None,
    board: OnBoard = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Change an entry's metadata; what is left out stays."""
    from client.admin_entries import act

    raise typer.Exit(act(_options(url, key, as_json), "edit", entry, board, why, sure=True,
                         organization=organization, team=team, authors=authors,
                         model_url=model_url, track=track, contact=contact))  # fmt: skip


def add(
    file: Annotated[Path, typer.Argument(help="JSON: model_name, organization, date, metric keys")],
    board: Annotated[Board, typer.Option(help="where to")] = Board.OFFICIAL,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Add an entry with given scores, from a file with one row."""
    from client.admin_entries import add as body

    raise typer.Exit(body(_options(url, key, as_json), board, file, why))


def import_boards(
    file: Annotated[Path, typer.Argument(help="an export, .json or .csv")],
    update: Annotated[
        bool, typer.Option("--update", help="names that are there become as in the file")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what would change")] = False,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Import boards: all rows or none, after showing what would change."""
    from client.admin_entries import load

    raise typer.Exit(load(_options(url, key, as_json), file, why, update=update, dry_run=dry_run,
                          sure=sure))  # fmt: skip


def export(
    board: OnBoard = None,
    form: Annotated[Form, typer.Option("--format")] = Form.JSON,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write boards so that importing them again changes nothing."""
    from client.admin_entries import export as body

    raise typer.Exit(body(_options(url, key, as_json=False), board, form, output))


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
    from client.admin_operations import rescore as body

    raise typer.Exit(body(_options(url, key, as_json), ground_truth, board, entry or [], why,
                          wait=not no_wait))  # fmt: skip


def rescores(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List re-score jobs."""
    from client.admin_operations import rescores as body

    raise typer.Exit(body(_options(url, key, as_json)))


def difference(job: Job = None, as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Show what a re-score job would change."""
    from client.admin_operations import difference as body

    raise typer.Exit(body(_options(url, key, as_json), job))


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
        typer.Option("--judge-again", help="judge where judged scores are of another ground truth"),
    ] = False,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Put a re-score job's scores in force, all at once."""
    from client.admin_operations import apply as body

    raise typer.Exit(body(_options(url, key, as_json), job, preview, why, sure=sure,
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
    from client.admin_operations import discard as body

    raise typer.Exit(body(_options(url, key, as_json), job, why, sure=sure))


def judging(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Tell whether judging is paused."""
    from client.admin_operations import judging as body

    raise typer.Exit(body(_options(url, key, as_json)))


def pause(
    why: Why = None, sure: Sure = False, as_json: Json = False, url: Url = None, key: Key = None
) -> None:
    """Pause all judging, also of runs to come."""
    from client.admin_operations import steer

    raise typer.Exit(steer(_options(url, key, as_json), "pause", why, sure=sure))


def resume(why: Why = None, as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """Resume judging."""
    from client.admin_operations import steer

    raise typer.Exit(steer(_options(url, key, as_json), "resume", why, sure=True))


def dead_letters(
    state: Annotated[LetterState, typer.Option()] = LetterState.OPEN,
    queue: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List messages that could not be handled, with their reason."""
    from client.admin_operations import dead_letters as body

    raise typer.Exit(body(_options(url, key, as_json), state, queue, limit))


Ids = Annotated[list[int] | None, typer.Argument(help="numbers of dead letters")]
Every = Annotated[bool, typer.Option("--all", help="all open ones (that match)")]
Queue = Annotated[str | None, typer.Option(help="with --all: of this queue")]
Code = Annotated[str | None, typer.Option("--reason", help="with --all: with this reason's code")]


def replay(
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Send dead letters anew; what their death had settled goes on."""
    from client.admin_operations import letters

    raise typer.Exit(letters(_options(url, key, as_json), "replay", ids or [], why, every=every,
                             queue=queue, reason=reason, sure=sure))  # fmt: skip


def discard_letters(
    ids: Ids = None,
    every: Every = False,
    queue: Queue = None,
    reason: Code = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Close dead letters without sending them."""
    from client.admin_operations import letters

    raise typer.Exit(letters(_options(url, key, as_json), "discard", ids or [], why, every=every,
                             queue=queue, reason=reason, sure=sure))  # fmt: skip


def audit(
    who: Annotated[str | None, typer.Option()] = None,
    action: Annotated[str | None, typer.Option()] = None,
    subject_kind: Annotated[str | None, typer.Option("--kind")] = None,
    subject: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str | None, typer.Option(help="a moment, as in 2026-04-15T00:00:00Z")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print what administrators did, newest first."""
    from client.admin_operations import audit as body

    raise typer.Exit(body(_options(url, key, as_json), limit, who=who, action=action,
                          subject_kind=subject_kind, subject=subject, since=since))  # fmt: skip


def truth_list(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List versions; the current one is marked."""
    from client.admin_operations import ground_truths

    raise typer.Exit(ground_truths(_options(url, key, as_json)))


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
    from client.admin_operations import load_truth

    raise typer.Exit(load_truth(_options(url, key, as_json), file, on_server, why, current=current))


def truth_choose(
    version: Annotated[str, typer.Argument(help="the version or its beginning")],
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Choose the version that uploads are checked against."""
    from client.admin_operations import choose_truth

    raise typer.Exit(choose_truth(_options(url, key, as_json), version, why, sure=sure))


def key_list(as_json: Json = False, url: Url = None, key: Key = None) -> None:
    """List API keys."""
    from client.admin_operations import keys

    raise typer.Exit(keys(_options(url, key, as_json)))


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
    from client.admin_operations import make_key

    raise typer.Exit(make_key(
        _options(url, key, as_json), label, owner, scope or ["submit", "judge"], why,
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
    from client.admin_operations import change_key

    raise typer.Exit(change_key(_options(url, key, as_json), key_id, "revoke", why, sure=sure))


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
    from client.admin_operations import change_key

    raise typer.Exit(change_key(
        _options(url, key, as_json), key_id, "quotas", why, sure=True,
        submissions_per_day=submissions_per_day, bytes_per_day=bytes_per_day,
        judge_runs_per_month=judge_runs_per_month,
    ))  # fmt: skip
