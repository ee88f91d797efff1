"""Commands that are imported when they run, or when somebody asks for their own help.

A group's help has one line a command. It is read from the compiled module, which does not run: so
`medvid --help` imports neither numpy nor an HTTP client, and a command stands in one place.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, partial, wraps
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.util import find_spec
from types import CodeType
from typing import Any, Final, cast

import typer
from typer.core import TyperCommand
from typer.main import get_command_from_info
from typer.models import CommandInfo

_VALUES: Final = {
    "bool": "",  # a flag takes none
    "str": "TEXT",
    "int": "NUMBER",
    "float": "NUMBER",
    "int range": "NUMBER",
    "float range": "NUMBER",
    "path": "PATH",
    "file": "FILE",
    "dir": "FOLDER",
}
"""What help shows of what a parameter takes, by the name of its type."""
_CHOICE: Final = re.compile(r"'(?P<given>.*)' is not one of (?P<known>'.*')\.$")


def add_commands(
    group: typer.Typer,
    package: str,
    commands: Mapping[str, str],
    panel: str | None = None,
    epilog: str | None = None,
) -> None:
    """Add commands to a group by name.

    Each is a function "module:function" of the package, and returns the command's exit status.
    """
    for name, place in commands.items():
        command = cast(type[TyperCommand], partial(_Command, f"{package}.{place}"))
        group.command(name, cls=command, rich_help_panel=panel, epilog=epilog)(_declared)


def _declared() -> None:
    """Hold the place of a function that is not imported yet."""


class _Command(TyperCommand):
    def __init__(self, place: str, **attributes: Any) -> None:
        self._module, _, self._function = place.partition(":")
        described = _docstrings(self._module)[self._function]
        super().__init__(**attributes | {"help": inspect.cleandoc(described)})

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the command line as the function declares it; the function then runs."""
        function = getattr(import_module(self._module), self._function)
        whole = get_command_from_info(
            CommandInfo(self.name, cls=_Whole, callback=exiting(function), epilog=self.epilog),
            pretty_exceptions_short=True,
            rich_markup_mode=self.rich_markup_mode,
        )
        try:
            return whole.make_context(*args, **options)
        except typer.BadParameter as error:
            error.message = _plain(error.message)
            raise


class _Whole(TyperCommand):
    """A command as its function declares it."""

    def get_params(self, ctx: Any) -> Any:
        """Return its parameters, as help shows them."""
        return in_words(super().get_params(ctx))


def in_words(params: Sequence[Any]) -> Sequence[Any]:
    """Let help show what a parameter takes in words rather than as a type of Python."""
    for param in params:
        kind = re.sub(r"list\[(\w+)\]", r"\1", param.display_type(None) or "").strip("<>").lower()
        if kind in _VALUES:
            param.display_type = partial(_value, _VALUES[kind])
    return params


def _value(shown: str, _: object) -> str:
    return shown


def _plain(message: str) -> str:
    """Return what is wrong with a value, with the choice that may be meant."""
    message = message.removeprefix("Value error, ")
    found = _CHOICE.search(message)
    near = found and get_close_matches(found["given"], re.findall(r"'([^']*)'", found["known"]), 1)
    return f"{message} Did you mean {near[0]!r}?" if near else message


def exiting(function: Callable[..., int]) -> Callable[..., None]:
    """Make a command of a function that returns an exit status; errors become messages."""

    @wraps(function)
    def command(**given: object) -> None:
        from medvid.api.errors import LeaderboardError

        try:
            status = function(**given)
        except (ConnectionError, TimeoutError):  # no files; of a closed pipe typer ends quietly
            raise
        except (LeaderboardError, OSError) as error:
            from medvid.cli.failures import complain, unusable_file

            problem = unusable_file(error) if isinstance(error, OSError) else error
            status = complain(problem, as_json=bool(given.get("as_json")))
        raise typer.Exit(status)

    return command


@cache
def _docstrings(module: str) -> Mapping[str, str]:
    """Return the docstring of each function of a module, which is compiled and does not run."""
    spec = find_spec(module)
    assert spec is not None  # noqa: S101 - the tables name modules of this installation
    code = cast(InspectLoader, spec.loader).get_code(module)
    assert code is not None  # noqa: S101 - as above
    functions = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {each.co_name: str((each.co_consts or ("",))[0] or "") for each in functions}
