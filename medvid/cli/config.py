"""`medvid config`: this client's settings, and every setting of every service installed here."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from medvid.api.errors import LeaderboardError
from medvid.cli import configuration, server
from medvid.cli.session import Exit, print_json


def print_settings(*, as_json: bool = False) -> int:
    """Print the settings with secrets hidden; returns the exit status."""
    try:
        ours = _ours()
        of_services = server.part("settings")
        services = of_services() if of_services else []
    except LeaderboardError as error:
        print(f"medvid: {error}", file=sys.stderr)
        return Exit.USAGE
    if as_json:
        client = {name: {"value": value, "origin": origin} for name, value, origin, _ in ours}
        print_json({"client": client, "services": {name: value for name, value, _ in services}})
        return Exit.DONE
    console = Console(soft_wrap=not sys.stdout.isatty())
    table = Table("Setting", "Value", "From", "Meaning", box=None, pad_edge=False)
    for name, value, origin, meaning in ours:
        table.add_row(name, value or "(unset)", origin, meaning)
    console.print("[bold]This client[/]")
    console.print(table)
    if not services:
        return Exit.DONE
    table = Table(box=None, pad_edge=False)
    table.add_column("Variable", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Meaning")
    for name, value, meaning in services:
        table.add_row(name, "(unset)" if value is None else value, meaning)
    console.print("\n[bold]The services (medvid up, python -m services.*)[/]")
    console.print(table)
    return Exit.DONE


def change(name: str, value: str | None) -> int:
    """Write a setting of this client, or remove it for None; returns the exit status."""
    try:
        if name == "url" and value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise configuration.Misconfigured(
                f"{value!r} is no address of a server.", fix="Write it as in https://example.org."
            )
        configuration.write_file({name: value})
    except (LeaderboardError, OSError) as error:
        print(f"medvid: {error}", file=sys.stderr)
        return Exit.USAGE
    print(f"{'Removed from' if value is None else 'Written to'} {configuration.path()}.")
    return Exit.DONE


def _ours() -> list[tuple[str, str | None, str, str]]:
    rows: list[tuple[str, str | None, str, str]] = []
    for name, value in configuration.settings().items():
        shown = configuration.HIDDEN if name == "api_key" and value.text else value.text
        rows.append((name, shown, value.origin, configuration.MEANINGS[name]))
    return rows
