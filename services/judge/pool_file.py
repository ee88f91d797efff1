"""The endpoints of a pool, as the file MEDVID_JUDGE_POOL names them.

Each is the service's settings with its own on top: what serves a single endpoint serves one of a
pool. An endpoint sets nothing of the judge version, so it does not depend on who answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medvid.judging.pricing import FREE, to_microusd
from services.judge.settings import JudgeSettings, Positive, Usd
from services.judge.toml_file import TomlFile

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

    @property
    def account(self) -> str:
        """Return what tells it from the others, but for its name."""
        names = {"base_url", "api_key_env", "headers_env", "query"}
        return self.model_dump_json(include=names)


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

    @model_validator(mode="after")
    def _endpoints_differ(self) -> Self:
        first: dict[str, str] = {}
        for each in self.endpoint:
            same = first.setdefault(each.account, each.name)
            if same != each.name:
                raise ValueError(
                    f"{same} and {each.name} have one address and one key: they are one endpoint, "
                    "whose limits would count twice"
                )
        return self


def pool_of(settings: JudgeSettings) -> Sequence[PoolEntry]:
    """Return the endpoints of a pool, none where there is no file; raises Misconfigured."""
    if settings.judge_pool is None:
        return ()
    file = TomlFile("MEDVID_JUDGE_POOL", settings.judge_pool, _FIX)
    return [_entry(settings, file, table) for table in file.read(_File).endpoint]


def _entry(settings: JudgeSettings, file: TomlFile, table: _Table) -> PoolEntry:
    if table.month_cap_usd is not None and settings.price is FREE:
        raise file.wrong(f"{table.name}: a cap needs the model's price in MEDVID_JUDGE_PRICES")
    common = {name: getattr(settings, name) for name in JudgeSettings.model_fields}
    headers = {name: file.secret(variable) for name, variable in table.headers_env.items()}
    own = {
        "judge_pool": None,
        "judge_base_url": table.base_url,
        "judge_api_key": file.secret(table.api_key_env) if table.api_key_env else "",
        "judge_headers": settings.judge_headers | headers,
        "judge_query": settings.judge_query | table.query,
        "judge_requests_per_minute": table.requests_per_minute,
        "judge_tokens_per_minute": table.tokens_per_minute,
    }
    cap = None if table.month_cap_usd is None else to_microusd(table.month_cap_usd)
    try:
        return PoolEntry(table.name, JudgeSettings(**common | own), cap)
    except ValidationError as error:
        raise file.invalid(error, table.name) from error
