"""`medvid config`: every setting of every service, as this environment has it."""

from __future__ import annotations

import sys

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from services.standalone import StandaloneSettings
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import load_settings


def print_settings() -> int:
    """Print the settings with secrets hidden; returns the exit status."""
    try:
        settings = load_settings(StandaloneSettings)
    except Misconfigured as error:
        print(f"medvid: {error}", file=sys.stderr)
        return 2
    table = Table("Variable", "Value", "Meaning", box=None, pad_edge=False)
    for name, field in sorted(StandaloneSettings.model_fields.items()):
        value = getattr(settings, name)
        shown = "(set, hidden)" if isinstance(value, SecretStr) else str(value)
        table.add_row(
            f"MEDVID_{name.upper()}", "(unset)" if value is None else shown, field.description
        )
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    return 0
