"""The judges of a service: the single one of its settings, or those of the file MEDVID_JUDGES.

Each is the service's settings with its own on top: whatever serves a single judge serves a member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medvid.judging.families import family_of
from medvid.judging.panels import MOST_MEMBERS, Combine
from medvid.judging.pricing import TokenPrice
from services.judge.pool_file import pool_of
from services.judge.settings import ONE_JUDGE, JudgeSettings, Positive
from services.judge.stub.server import salted
from services.judge.toml_file import TomlFile
from shared.runtime.errors import Misconfigured

_SECRET: Final = ("judge_api_key", "judge_headers")
_MEMBER_TOO: Final = (
    "judge_temperature", "judge_max_tokens", "judge_token_parameter", "judge_seed",
    "judge_reply_form", "judge_timeout_seconds", "judge_concurrency", "judge_reasoning_effort",
    "judge_expected_tokens",
)  # fmt: skip
"""Common settings that a member may have otherwise."""
_FIX: Final = "See docs/operations.md#a-panel-of-judges."
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

    provider: Literal["stub", "openai"]
    api_key_env: str | None = None
    headers_env: dict[str, str] = {}
    price: TokenPrice | None = None
    weight: Annotated[float, Field(ge=0.001, le=1000)] = 1.0
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
    file = TomlFile("MEDVID_JUDGES", settings.judges, _FIX)
    found = file.read(_File)
    judges = [_member(settings, file, table, n) for n, table in enumerate(found.judge, 1)]
    _require_different(file, judges, settings.judge_families)
    return Members(judges, found.combine, found.wait_seconds)


def _member(settings: JudgeSettings, file: TomlFile, table: _Judge, number: int) -> Member:
    own = {**table.own, "judge_provider": table.provider}
    if table.price is not None:
        own["judge_prices"] = {str(own.get("judge_model")): table.price}
    if table.api_key_env:
        own["judge_api_key"] = file.secret(table.api_key_env)
    own["judge_headers"] = {
        name: file.secret(variable) for name, variable in table.headers_env.items()
    }
    common = {name: getattr(settings, name) for name in JudgeSettings.model_fields}
    try:
        judge = JudgeSettings(**{**common, "judges": None, **own})
    except ValidationError as error:
        raise file.invalid(error, f"judge {number}") from error
    if judge.why_off is not None:
        raise file.wrong(f"judge {number}: it has no model")
    return Member(judge, table.weight, table.family)


def _require_different(
    file: TomlFile, judges: Sequence[Member], families: Mapping[str, str]
) -> None:
    """Raise Misconfigured for judges of one family, or with endpoints of one name."""
    first: dict[str, int] = {}
    owner: dict[str, int] = {}
    for number, each in enumerate(judges, 1):
        family = each.family or family_of(each.name, families)
        if family is not None and first.setdefault(family, number) != number:
            raise file.wrong(
                f"judges {first[family]} and {number} are of one family, {family}, and would agree "
                "for that alone; where a name misleads, say another family in its table"
            )
        for entry in pool_of(each.settings):
            if owner.setdefault(entry.name, number) != number:
                raise file.wrong(
                    f"the pools of judges {owner[entry.name]} and {number} both name an endpoint "
                    f"{entry.name}; a name is one endpoint's of one judge"
                )
