"""Commands run in the test's process, as the command line runs them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import typer

from medvid.cli.loading import exiting


def status_of(command: Callable[..., int], *arguments: Any, **options: Any) -> int:
    """Run a command's function; return its exit status."""
    given = inspect.signature(command).bind(*arguments, **options).arguments
    with pytest.raises(typer.Exit) as ended:
        exiting(command)(**given)
    return ended.value.exit_code
