"""What the client's commands know about their server: options, environment, file, in this order.

The file is `~/.config/medvid/config.toml` (or below XDG_CONFIG_HOME), readable by its owner only:

    url = "https://leaderboard.example.org"
    api_key = "mvk_..."
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from medvid.api.clients import DEFAULT_URL
from medvid.api.errors import LeaderboardError

Name = Literal["url", "api_key"]
MEANINGS: Final[Mapping[Name, str]] = {
    "url": "address of the leaderboard's server",
    "api_key": "your API key; sent to no other server than 'url'",
}
_VARIABLES: Final[Mapping[Name, str]] = {"url": "MEDVID_URL", "api_key": "MEDVID_API_KEY"}


class BadConfigFile(LeaderboardError):
    """The configuration file cannot be read, or has a setting that is not known."""

    code = "bad_configuration"


@dataclass(frozen=True, slots=True)
class Value:
    """A setting and where it comes from."""

    text: str | None
    origin: str


def folder() -> Path:
    """Return where the configuration is kept."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "medvid"


def path() -> Path:
    """Return the configuration file."""
    return folder() / "config.toml"


def read_file() -> dict[str, str]:
    """Return what the file says, {} where there is none; raises BadConfigFile."""
    try:
        found = tomllib.loads(path().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfigFile(
            f"cannot read {path()}: {error}.", fix="Correct it, or remove it and set it up again."
        ) from None
    for name, value in found.items():
        if name not in MEANINGS or not isinstance(value, str):
            raise BadConfigFile(
                f"{path()} has no use for {name!r} with this value.",
                fix=f"It may name {', '.join(MEANINGS)}, each as a text in quotes.",
            )
    return found


def write_file(changes: Mapping[str, str | None]) -> None:
    """Change settings in the file; None removes one."""
    values: dict[str, str | None] = {**read_file(), **changes}
    text = "".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n"  # a JSON string is a TOML one
        for name, value in values.items()
        if value is not None
    )
    write_private(path(), text)


def write_private(file: Path, text: str | bytes) -> None:
    """Replace a file at once by one that only its owner can read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(text.encode() if isinstance(text, str) else text)
    new.replace(file)


def settings(url: str | None = None, api_key: str | None = None) -> dict[Name, Value]:
    """Return every setting with its origin; arguments are what options gave.

    A key in the file belongs to the server in the file, and is left out for any other.
    """
    in_file = read_file()
    address = _first("url", url, in_file, DEFAULT_URL)
    key = _first("api_key", api_key, in_file, None)
    if key.origin == str(path()) and _plain(address.text) != _plain(in_file.get("url")):
        key = Value(None, f"unset ({path()} has one for {in_file.get('url') or 'no server'})")
    return {"url": address, "api_key": key}


def _first(name: Name, given: str | None, in_file: Mapping[str, str], default: str | None) -> Value:
    if given:
        return Value(given, "option")
    if variable := os.environ.get(_VARIABLES[name]):
        return Value(variable, _VARIABLES[name])
    if name in in_file:
        return Value(in_file[name], str(path()))
    return Value(default, "default" if default else "unset")


def _plain(url: str | None) -> str:
    return (url or "").rstrip("/")


def exposed() -> bool:
    """Return whether others than its owner can read the file."""
    try:
        return bool(stat.S_IMODE(path().stat().st_mode) & 0o077)
    except OSError:
        return False
