"""The `medvid` command. Bodies are imported when called, so that every command starts fast."""

from __future__ import annotations

import typer

from medvid.cli import offline, online, server, setting_up
from medvid.cli.administration import commands

app = typer.Typer(
    name="medvid",
    help="MedVidBench leaderboard: submit and follow, check and score offline, run the server.",
    no_args_is_help=True,
    add_completion=False,  # 'medvid completion' does it, for a named shell
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=server.Commands,
)
admin = typer.Typer(
    help="What operators do on the database directly, and administrators on a server.",
    no_args_is_help=True,
    cls=server.Commands,
)
online.register(app)
offline.register(app)
setting_up.register(app)
app.add_typer(admin, name="admin", rich_help_panel=server.OPERATORS)
server.register(app, admin)
commands.register(admin)


def main() -> None:
    """Run the command line."""
    setting_up.answer_shell()
    app(prog_name="medvid")


if __name__ == "__main__":
    main()
