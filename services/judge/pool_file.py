"""The endpoints of a pool, as the file MEDVID_JUDGE_POOL names them.

Each is the service's settings with its own on top: what serves a single endpoint serves one of a
pool. What makes the judge version is none of its own, so it does not depend on who answers.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medvid.judging.pricing import FREE, to_microusd
from services.judge.settings import JudgeSettings, Positive, Usd
from shared.runtime.errors import Misconfigured

_FIX: Final = "See docs/operations.md#a-pool-of-endpoints."


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """An endpoint of the file. `month_cap`: most that it may be paid a month, in microdollars."""

    name: str
    settings: JudgeSettings
    month_cap: int | None


class _Table(BaseModel):
    """A table of the file; limits are this endpoint's, secrets in variables of the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,31}$")]
    base_url: str
    api_key_env: str | None = None
    headers_env: dict[str, str] = {}
    query: dict[str, str] = {}
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    month_cap_usd: Usd | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: Annotated[list[_Table], Field(min_length=1, max_length=32)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [each.name for each in self.endpoint]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two endpoints are named {', '.join(twice)}")
        return self


def pool_of(settings: JudgeSettings) -> Sequence[PoolEntry]:
    """Return the endpoints of a pool, none where there is no file; raises Misconfigured."""
    path = settings.judge_pool
    if path is None:
        return ()
    try:
        found = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
        return [_entry(settings, path, table) for table in found.endpoint]
    except OSError as error:
        raise _wrong(path, error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no TOML: {error}") from error
    except ValidationError as error:
        raise _wrong(path, _problems(error)) from error


def _entry(settings: JudgeSettings, path: Path, table: _Table) -> PoolEntry:
    if table.month_cap_usd is not None and settings.price is FREE:
        raise _wrong(path, f"{table.name}: a cap needs the model's price in MEDVID_JUDGE_PRICES")
    common = {name: getattr(settings, name) for name in JudgeSettings.model_fields}
    headers = {name: _secret(path, variable) for name, variable in table.headers_env.items()}
    own = {
        "judge_pool": None,
        "judge_base_url": table.base_url,
        "judge_api_key": _secret(path, table.api_key_env) if table.api_key_env else "",
        "judge_headers": settings.judge_headers | headers,
        "judge_query": settings.judge_query | table.query,
        "judge_requests_per_minute": table.requests_per_minute,
        "judge_tokens_per_minute": table.tokens_per_minute,
    }
    cap = None if table.month_cap_usd is None else to_microusd(table.month_cap_usd)
    return PoolEntry(table.name, JudgeSettings(**common | own), cap)


def _secret(path: Path, variable: str) -> str:
    found = os.environ.get(variable)
    if not found:
        raise _wrong(path, f"names the variable {variable}, which is not set")
    return found


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the file'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False)
    )


def _wrong(path: Path, says: str) -> Misconfigured:
    return Misconfigured(f"MEDVID_JUDGE_POOL: {path.name}: {says}.", fix=_FIX)
