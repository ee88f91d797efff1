"""Where the operators' commands are: those that open the database, and `medvid up`.

`medvid` finds this table by an entry point of this distribution.
"""

from __future__ import annotations

from typing import Final

import typer

from medvid.cli.loading import add_commands
from medvid.cli.server import OPERATORS

_UP: Final = {"up": "up:up"}
_UPKEEP: Final = {
    "doctor": "doctor:doctor",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "check-backup": "backup_check:check_backup",
    "prune": "prune:prune",
    "rebuild-queues": "queues:rebuild_queues",
    "notice": "status_notice:notice",
}
_OTHERS: Final = {
    "migrate": "database:migrate_schema",
    "load-ground-truth": "ground_truth:load",
    "compare": "verification:compare",
    "import-board": "boards:import_board",
    "judge-check": "judge_checking:judge_check",
    "calibrate-judge": "calibrate:calibrate_judge",
}


def register(app: typer.Typer, admin: typer.Typer) -> None:
    """Add the commands to `medvid` and to `medvid admin`."""
    add_commands(app, __package__, _UP, OPERATORS)
    add_commands(admin, __package__, _UPKEEP, "Keep it well")
    add_commands(admin, __package__, _OTHERS)
