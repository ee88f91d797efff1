"""The `medvid` command: which commands there are, and where each is declared."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from medvid.cli import completion, server, terminal
from medvid.cli.loading import add_commands, exiting
from medvid.cli.parameters import Json

_ON_A_SERVER: Final = {
    "test-set": "get_test_set:get_test_set",
    "submit": "submit:submit",
    "status": "watch:status",
    "watch": "watch:watch",
    "submissions": "submissions:submissions",
    "predictions": "predictions:predictions",
    "replace": "submit:replace",
    "facts": "facts:facts",
    "withdraw": "submissions:withdraw",
    "judge": "judge:judge",
    "verdicts": "judge:verdicts",
    "board": "board:board",
    "second-opinions": "second_opinions:second_opinions",
    "entry": "entry:entry",
    "compare": "compare:compare",
    "tracks": "tracks:tracks",
    "changes": "objection:changes",
    "export": "export:export",
    "export-evidence": "evidence:export_evidence",
    "quotas": "keys:quotas",
    "register-key": "keys:register_key",
    "login": "sign_in:login",
    "logout": "sign_in:logout",
}
_OBJECTION: Final = {
    "file": "objection:file_objection",
    "list": "objection:list_objections",
    "show": "objection:show",
    "withdraw": "objection:withdraw",
    "answer": "objection:answer",
}
_ON_YOUR_MACHINE: Final = {
    "predict": "predict:predict",
    "sample": "sample:sample",
    "overlay": "overlay:overlay",
    "peek": "peek:peek",
    "validate": "validate:validate",
    "schema": "schema:schema",
    "convert": "convert:convert",
    "score": "score:score",
    "compare-files": "compare_files:compare_files",
    "rank": "rank:rank",
    "verify": "verify:verify",
    "completion": "completion:completion",
}
_REWARDS: Final = {
    "fit": "rewards:fit",
}
_CONFIG: Final = {
    "set": "config:set_setting",
    "unset": "config:unset_setting",
}
_ADMINISTRATION: Final = {
    "entries": "entries:entries",
    "promote": "entries:promote",
    "demote": "entries:demote",
    "add": "entries:add",
    "remove": "entries:remove",
    "restore-entry": "entries:restore_entry",
    "erase-entry": "entries:erase_entry",
    "withdraw": "entries:withdraw",
    "rename": "entries:rename",
    "edit": "entries:edit",
    "facts": "entries:facts",
    "import": "boards:import_boards",
    "export": "boards:export",
    "ranking": "boards:ranking",
    "series": "boards:series",
    # Names that 'rescoring start', 'list', 'show', 'apply' and 'discard' had before.
    "rescore": "rescoring:start",
    "rescores": "rescoring:list_jobs",
    "difference": "rescoring:show",
    "apply": "rescoring:apply",
    "discard": "rescoring:discard",
    "judging": "judging:judging",
    "verdicts": "verdicts:verdicts",
    "costs": "costs:costs",
    "pause": "judging:pause",
    "resume": "judging:resume",
    "dead-letters": "dead_letters:dead_letters",
    "replay": "dead_letters:replay",
    "discard-letters": "dead_letters:discard_letters",
    "audit": "audit:audit",
}
_JOBS: Final = {
    "rescoring": "Scores computed anew beside those in force, applied whole or discarded.",
    "succession": "Entries judged by the judge that runs now, beside the values in force.",
    "reread": "A judge's kept replies, read with another parser: applied whole or discarded.",
}
"""Each kind of job, with its help; a module of its name has a function for each verb."""
_JOB_VERBS: Final = {
    "start": "start",
    "list": "list_jobs",
    "show": "show",
    "apply": "apply",
    "discard": "discard",
}
_GROUND_TRUTH: Final = {
    "list": "ground_truths:list_versions",
    "load": "ground_truths:load",
    "choose": "ground_truths:choose",
}
_KEYS: Final = {
    "list": "keys:list_keys",
    "make": "keys:make",
    "revoke": "keys:revoke",
    "quotas": "keys:set_quotas",
}
_NOTES: Final = {
    "list": "notes:list_notes",
    "add": "notes:add",
    "correct": "notes:correct",
    "publish": "notes:publish",
    "refuse": "notes:refuse",
    "resolve": "notes:resolve",
    "withdraw": "notes:withdraw",
}
_POOL: Final = {
    "list": "pool:list_endpoints",
    "drain": "pool:drain",
    "restore": "pool:restore",
}
_STATUSES: Final = (
    "Exit status: 0 done; 1 refused or failed; 2 wrong usage, configuration or file; "
    "3 server out of reach or quota used up, try later; 130 interrupted."
)
_SERVER_PANEL: Final = "On a server"
_LOCAL_PANEL: Final = "On your machine"
_ADMIN_PANEL: Final = "On a server, with the administrator's key"

app = typer.Typer(
    name="medvid",
    no_args_is_help=True,
    add_completion=False,  # 'medvid completion' does it, for a named shell
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=server.Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
)
admin = typer.Typer(
    help="What operators do on the database directly, and administrators on a server.",
    no_args_is_help=True,
    cls=server.Commands,
)
config = typer.Typer(
    help="Show and change settings: this client's, and those of the services.",
    invoke_without_command=True,
)
objection = typer.Typer(
    help="Objections to entries: yours, and your answer to those of others.", no_args_is_help=True
)
notes = typer.Typer(help="Objections, public notes, errata of snapshots.", no_args_is_help=True)
rewards = typer.Typer(help="Rewards for reinforcement learning.", no_args_is_help=True)
ground_truth = typer.Typer(help="Versions of the ground truth.", no_args_is_help=True)
keys = typer.Typer(help="API keys and their quotas.", no_args_is_help=True)
pool = typer.Typer(help="Endpoints that serve the judge's model.", no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"medvid {version('medvid')}")
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """MedVidBench leaderboard: submit and follow, check and score offline, run the server."""


@config.callback()
def show_settings(context: typer.Context, as_json: Json = False) -> None:
    """Show every setting, its value, where it comes from and its meaning; secrets are hidden."""
    if context.invoked_subcommand is None:
        from medvid.cli.config import show_settings

        exiting(show_settings)(as_json=as_json)


add_commands(app, "medvid.cli", _ON_A_SERVER, _SERVER_PANEL, _STATUSES)
add_commands(app, "medvid.cli", _ON_YOUR_MACHINE, _LOCAL_PANEL)
add_commands(objection, "medvid.cli", _OBJECTION)
add_commands(rewards, "medvid.cli", _REWARDS)
add_commands(config, "medvid.cli", _CONFIG)
app.add_typer(objection, name="objection", rich_help_panel=_SERVER_PANEL)
app.add_typer(rewards, name="rewards", rich_help_panel=_LOCAL_PANEL)
app.add_typer(config, name="config", rich_help_panel=_LOCAL_PANEL)
app.add_typer(admin, name="admin", rich_help_panel=server.OPERATORS)
server.register(app, admin)
add_commands(admin, "medvid.cli.administration", _ADMINISTRATION, _ADMIN_PANEL)
add_commands(ground_truth, "medvid.cli.administration", _GROUND_TRUTH)
add_commands(keys, "medvid.cli.administration", _KEYS)
add_commands(pool, "medvid.cli.administration", _POOL)
add_commands(notes, "medvid.cli.administration", _NOTES)
for kind, about in _JOBS.items():
    jobs = typer.Typer(help=about, no_args_is_help=True)
    functions = {verb: f"{kind}:{function}" for verb, function in _JOB_VERBS.items()}
    add_commands(jobs, "medvid.cli.administration", functions)
    admin.add_typer(jobs, name=kind, rich_help_panel=_ADMIN_PANEL)
admin.add_typer(ground_truth, name="ground-truth", rich_help_panel=_ADMIN_PANEL)
admin.add_typer(keys, name="keys", rich_help_panel=_ADMIN_PANEL)
admin.add_typer(notes, name="notes", rich_help_panel=_ADMIN_PANEL)
admin.add_typer(pool, name="pool", rich_help_panel=_ADMIN_PANEL)


def main() -> None:
    """Run the command line. With --json wrong usage, too, is printed as JSON."""
    completion.answer_shell()
    terminal.guard()
    if "--json" not in sys.argv:
        _run_for_people()
        return
    try:
        status = app(prog_name="medvid", standalone_mode=False)
    except TyperException as error:
        from medvid.cli.failures import WrongUsage, complain

        status = complain(WrongUsage(str(error), fix="See --help."), as_json=True)
    except typer.Abort:
        status = 1
    sys.exit(status)


def _run_for_people() -> None:
    """Run the command line; it is no failure where a reader such as `head` closes the pipe."""
    try:
        app(prog_name="medvid")
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(0)
        raise


if __name__ == "__main__":
    main()
