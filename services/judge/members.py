"""The judges of a service: the single one of its settings, or those of the file MEDVID_JUDGES.

Each is the service's settings with its own on top: whatever serves a single judge serves a member.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medvid.judging.panels import MOST_MEMBERS, Combine
from medvid.judging.pricing import TokenPrice
from services.judge.settings import ONE_JUDGE, JudgeSettings, Positive
from services.judge.stub.server import salted
from shared.runtime.errors import Misconfigured

_SECRET: Final = ("judge_api_key", "judge_headers")
_MEMBER_TOO: Final = (
    "judge_temperature", "judge_max_tokens", "judge_token_parameter", "judge_seed",
    "judge_reply_form", "judge_timeout_seconds", "judge_concurrency", "judge_reasoning_effort",
    "judge_expected_tokens",
)  # fmt: skip
"""Common settings that a member may have otherwise."""
_OWN: Final = frozenset(ONE_JUDGE + _MEMBER_TOO) - {*_SECRET, "judge_prices", "judge_provider"}


@dataclass(frozen=True, slots=True)
class Member:
    """One judge: its settings, its weight, and the family that its name does not tell."""

    settings: JudgeSettings
    weight: float = 1.0
    family: str | None = None

    @property
    def name(self) -> str:
        """Return its model."""
        is_stub = self.settings.judge_provider == "stub"
        model = salted(self.settings.judge_stub_salt) if is_stub else self.settings.judge_model
        return model or "none"


@dataclass(frozen=True, slots=True)
class Members:
    """The judges of a service. `wait_seconds`: how long a run waits for one that is down."""

    judges: Sequence[Member]
    combine: Combine = "mean"
    wait_seconds: float = 300.0


class _Judge(BaseModel):
    """A table of the file, beside settings of `_OWN` without their `judge_`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    provider: Literal["openai", "stub"]
    api_key_env: str | None = None
    headers_env: dict[str, str] = {}
    price: TokenPrice | None = None
    weight: Positive = 1.0
    family: str | None = None

    @model_validator(mode="after")
    def _knows_its_settings(self) -> Self:
        unknown = sorted(name for name in self.own if name not in _OWN)
        if unknown:
            names = ", ".join(name.removeprefix("judge_") for name in unknown)
            raise ValueError(f"there is no {names}")
        return self

    @property
    def own(self) -> dict[str, Any]:
        """Return what it has otherwise than the service's settings."""
        return {f"judge_{name}": value for name, value in (self.model_extra or {}).items()}


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    combine: Combine = "mean"
    wait_seconds: Positive = 300.0
    judge: Annotated[list[_Judge], Field(min_length=1, max_length=MOST_MEMBERS)]


def members_of(settings: JudgeSettings) -> Members:
    """Return the judges of a service, a single one where no file names several.

    Raises Misconfigured.
    """
    if settings.judges is None:
        return Members([Member(settings)])
    if settings.by_batch:
        raise Misconfigured(
            "MEDVID_JUDGE_BATCH_API is for a single judge.", fix="Unset it, or MEDVID_JUDGES."
        )
    try:
        found = _File.model_validate(tomllib.loads(settings.judges.read_text("utf-8")))
    except OSError as error:
        raise _wrong(settings.judges, error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(settings.judges, f"is no TOML: {error}") from error
    except ValidationError as error:
        raise _wrong(settings.judges, _problems(error, "")) from error
    judges = [_member(settings, table, n) for n, table in enumerate(found.judge, 1)]
    return Members(judges, found.combine, found.wait_seconds)


def _member(settings: JudgeSettings, table: _Judge, number: int) -> Member:
    path = settings.judges
    assert path is not None  # noqa: S101 - it was read
    own = {**table.own, "judge_provider": table.provider}
    if table.price is not None:
        own["judge_prices"] = {own.get("judge_model"): table.price}
    if table.api_key_env:
        own["judge_api_key"] = _secret(path, table.api_key_env)
    own["judge_headers"] = {
        name: _secret(path, variable) for name, variable in table.headers_env.items()
    }
    common = {name: getattr(settings, name) for name in JudgeSettings.model_fields}
    try:
        judge = JudgeSettings(**{**common, "judges": None, **own})
    except ValidationError as error:
        raise _wrong(path, _problems(error, f"judge {number}: ")) from error
    if judge.why_off is not None:
        raise _wrong(path, f"judge {number}: it has no model")
    return Member(judge, table.weight, table.family)


def _secret(path: Path, variable: str) -> str:
    found = os.environ.get(variable)
    if not found:
        raise _wrong(path, f"names the variable {variable}, which is not set")
    return found


def _problems(error: ValidationError, where: str) -> str:
    return "; ".join(
        f"{where}{'.'.join(map(str, each['loc'])).removeprefix('judge_')}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False)
    )


def _wrong(path: Path, says: str) -> Misconfigured:
    return Misconfigured(
        f"MEDVID_JUDGES: {path.name}: {says}.", fix="See docs/operations.md#a-panel-of-judges."
    )
