"""Settings common to all services: `MEDVID_*` variables, read once, frozen, secrets masked.

A variable may be a file of its name instead, in the folder that `MEDVID_SECRETS_DIR` names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.runtime.errors import Misconfigured

SECRETS_DIR: Final = "MEDVID_SECRETS_DIR"
_PREFIX: Final = "MEDVID_"


class CommonSettings(BaseSettings):
    """What every process reads. A service adds its own in a subclass."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    secrets_dir: Path | None = Field(
        None,
        description="folder of files named after variables, such as MEDVID_DATABASE_URL, each with "
        "its value; what the environment holds comes first",
    )
    data_dir: Path = Field(Path("var"), description="folder of the embedded Postgres")
    database_url: SecretStr | None = Field(
        None, description="Postgres; when unset, standalone mode runs its own"
    )
    database_pool_size: Annotated[int, Field(ge=2, le=200)] = Field(
        10, description="connections per process"
    )
    rabbitmq_url: SecretStr | None = Field(
        None, description="RabbitMQ; when unset, messages travel through Postgres"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line to print"
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="auto: pretty on a terminal, else JSON"
    )
    ops_host: str = Field(
        "127.0.0.1",
        description="address of /healthz, /readyz and /metrics; :: for every one, IPv4 and IPv6",
    )
    ops_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="their port; 0 for a free one, named in the log"
    )
    startup_seconds: Annotated[float, Field(gt=0)] = Field(
        60, description="how long to wait for Postgres, its schema and RabbitMQ at start"
    )
    drain_seconds: Annotated[float, Field(gt=0)] = Field(
        25, description="how long work in progress may take to finish at shutdown"
    )
    outbox_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        0.5, description="how often the outbox is read when nothing wakes the relay"
    )
    otlp_endpoint: str | None = Field(
        None,
        description="base address of an OTLP/HTTP collector, such as http://collector:4318; when "
        "unset OTEL_EXPORTER_OTLP_ENDPOINT counts, and without either no spans are recorded",
    )
    sample_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        10, description="how often the figures about the whole system are taken, by one for all"
    )
    patrol_seconds: Annotated[float, Field(gt=0)] = Field(
        5, description="how often stalled work is looked for, to announce it again"
    )
    still_seconds: Annotated[float, Field(gt=0)] = Field(
        15, description="how long work may wait unannounced while its queue is empty"
    )
    busy_seconds: Annotated[float, Field(gt=0)] = Field(
        600, description="the same while its queue holds messages, in which it most likely waits"
    )


SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def load_settings(settings_type: type[SettingsType]) -> SettingsType:
    """Read settings from environment and files; raises Misconfigured naming each wrong variable."""
    variables = environment()
    for name in variables:
        if name.upper().startswith(_PREFIX):
            variables[name]  # what cannot be read is named here
    try:
        return settings_type(_secrets_dir=os.environ.get(SECRETS_DIR) or None)
    except ValidationError as error:
        problems = "; ".join(
            _variable(problem["loc"]) + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_url=False, include_input=False)
        )
    except SettingsError as error:  # of a setting that is JSON; its value is not in the text
        named = re.search(r'field "(\w+)"', str(error))
        problems = f"{_variable((named[1],)) if named else f'{error}: '}this is no JSON"
    raise Misconfigured(f"wrong settings: {problems}.", fix="See 'medvid config'.")


def environment() -> Mapping[str, str]:
    """Return the environment's variables, and behind them those that are files.

    Raises Misconfigured where the folder cannot be read; for a file when its value is asked for, as
    others may keep theirs in the same folder.
    """
    folder = os.environ.get(SECRETS_DIR)
    return _Variables(Path(folder)) if folder else os.environ


class _Variables(Mapping[str, str]):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._files = {path.name for path in folder.iterdir() if path.name[0] != "."}
        except OSError as error:
            raise _unreadable(error) from error

    def __getitem__(self, name: str) -> str:
        if name in os.environ:
            return os.environ[name]
        if name not in self._files:
            raise KeyError(name)
        path = self._folder / name
        try:
            if path.exists() and not path.is_file():
                raise Misconfigured(
                    f"{SECRETS_DIR}: {name} is no file.",
                    fix="Docker makes a folder where the file that it is to mount is missing.",
                )
            return path.read_text("utf-8").strip()
        except UnicodeDecodeError as error:
            raise Misconfigured(
                f"{SECRETS_DIR}: {name} is no text.", fix="Write its value in UTF-8."
            ) from error
        except OSError as error:
            raise _unreadable(error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._files | os.environ.keys())

    def __len__(self) -> int:
        return len(self._files | os.environ.keys())


def _unreadable(error: OSError) -> Misconfigured:
    return Misconfigured(
        f"{SECRETS_DIR}: {error.filename}: {error.strerror}.",
        fix="Name a folder whose files this process may read.",
    )


def _variable(place: Sequence[int | str]) -> str:
    """Return the variable of a wrong value and where in its JSON the value is, with a colon.

    Return '' for what is wrong of several together: the message names them.
    """
    if not place:
        return ""
    name, *inside = map(str, place)
    return f"MEDVID_{name.upper()}" + (f" at {'.'.join(inside)}" if inside else "") + ": "
