"""`medvid config`: this client's settings, and every setting of every service installed here."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from medvid.cli import config_file, server
from medvid.cli.failures import WrongUsage
from medvid.cli.printing import HIDDEN, Exit, plain_table, print_json


def show_settings(*, as_json: bool = False) -> int:
    """Print the settings with secrets hidden; return the exit status."""
    clients = _client_settings()
    of_services = server.part("settings")
    services = of_services() if of_services else []
    if as_json:
        client = {name: {"value": value, "origin": origin} for name, value, origin, _ in clients}
        print_json({"client": client, "services": {name: value for name, value, _ in services}})
        return Exit.DONE
    console = Console(soft_wrap=not sys.stdout.isatty())
    table = plain_table("Setting", "Value", "From", "Meaning")
    for name, value, origin, meaning in clients:
        table.add_row(name, value or "(unset)", origin, meaning)
    console.print("[bold]This client[/]")
    console.print(table)
    if not services:
        return Exit.DONE
    table = plain_table()
    table.add_column("Variable", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Meaning")
    for name, value, meaning in services:
        table.add_row(name, "(unset)" if value is None else value, meaning)
    console.print("\n[bold]The services (medvid up, python -m services.*)[/]")
    console.print(table)
    return Exit.DONE


def set_setting(
    name: Annotated[config_file.Name, typer.Argument()],
    value: Annotated[
        str | None,
        typer.Argument(help="asked for when left out; a key is best typed there"),
    ] = None,
) -> int:
    """Write a setting of this client into its configuration file."""
    given: str = value or typer.prompt(name, hide_input=name == "api_key")
    if name == "url" and urlsplit(given).scheme not in ("http", "https"):
        raise WrongUsage(
            f"{given!r} is no address of a server.", fix="Write it as in https://example.org."
        )
    return _change(name, given)


def unset_setting(name: Annotated[config_file.Name, typer.Argument()]) -> int:
    """Take a setting out of the configuration file."""
    return _change(name, None)


def _change(name: config_file.Name, value: str | None) -> int:
    config_file.write_file({name: value})
    print(f"{'Removed from' if value is None else 'Written to'} {config_file.path()}.")
    return Exit.DONE


def _client_settings() -> list[tuple[str, str | None, str, str]]:
    rows: list[tuple[str, str | None, str, str]] = []
    for name, value in config_file.settings().items():
        shown = HIDDEN if name == "api_key" and value.text else value.text
        rows.append((name, shown, value.origin, config_file.MEANINGS[name]))
    return rows
