"""Commands are imported when they run; a help of a group needs none of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from medvid.cli.main import app

HEAVY = ("aiohttp", "numpy", "asyncpg", "orjson", "medvid.api")


def commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from commands(command)
        else:
            yield command


def test_a_group_shows_the_help_that_each_command_has() -> None:
    found = list(commands(get_command(app)))
    assert len(found) > 50
    for command in found:
        context = typer.Context(command, info_name=command.name, resilient_parsing=True)
        whole = command.make_context(command.name, [], context, resilient_parsing=True).command
        assert command.help == inspect.cleandoc(whole.help), command.name
        assert command.help.split()[0].istitle(), command.name


def test_each_kind_of_job_has_every_verb() -> None:
    admin: Any = get_command(app).commands["admin"]  # type: ignore[attr-defined]
    groups = {name: list(each.commands) for name, each in admin.commands.items()
              if hasattr(each, "commands")}  # fmt: skip
    kinds = {name: verbs for name, verbs in groups.items() if "discard" in verbs}
    assert kinds == {"rescoring": ["start", "list", "show", "apply", "discard"]}


def test_the_help_of_a_group_imports_nothing_heavy() -> None:
    for words in ([], ["admin"]):
        script = (
            "import sys; from medvid.cli.main import app\n"
            f"try: app({[*words, '--help']!r})\n"
            f"finally: print([each for each in {HEAVY!r} if each in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stderr == "[]\n"
