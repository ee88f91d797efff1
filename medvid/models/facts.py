"""Facts of models, as their owners state them: size, weights, training data, cost.

None is unknown, and never no: what nobody stated passes no filter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from medvid.benchmark.names import check_lines, check_text, in_one_spelling
from medvid.benchmark.report import Problem, shown
from medvid.benchmark.tasks import SOURCES
from medvid.models.base import Answer, Day, Open
from medvid.models.problems import problem_of

Access = Literal["api", "local"]
TEST_VIDEOS: Final = "trained on test videos"
"""The badge of a model whose training data include videos of the test set."""
_MOST_PARAMETERS: Final = 10**15
_LEAST_AMOUNT: Final = 1e-9
_TOO_LARGE: Final = 2**63
_SHOWN_DIGITS: Final = 40
_FIRST_DAY: Final = date(2000, 1, 1)
LONGEST_PROMPT: Final = 4_000


def _whole(value: object) -> object:
    """Take 7e9 for a whole number, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_newline(text: object) -> object:
    """Take line ends as forms send them for what was typed."""
    return text.replace("\r\n", "\n") if isinstance(text, str) else text


def _known_source(text: str) -> str:
    if text not in SOURCES:
        raise ValueError(f"one of {', '.join(SOURCES)}")
    return text


def _fact_name(text: str) -> str:
    if text not in FACTS:
        raise ValueError(f"one of {', '.join(FACTS)}")
    return text


def _each_once(sources: list[str]) -> list[str]:
    return [source for source in SOURCES if source in sources] + sorted({*sources} - {*SOURCES})


def _sized(value: object) -> object:
    """Take what stands for a number in an address, and nothing that only a program reads as one."""
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise ValueError("a number, as 8000000000 or 8e9")
    return value


def _no_negative_zero(amount: float) -> float:
    return amount + 0.0


NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
"""How a number is written in a text."""
Count = Annotated[int, Field(ge=1, le=_MOST_PARAMETERS), BeforeValidator(_whole)]
Amount = Annotated[
    float, Field(ge=0, le=1e6, allow_inf_nan=False), AfterValidator(_no_negative_zero)
]
Size = Annotated[float, Field(gt=0, le=_MOST_PARAMETERS), BeforeValidator(_sized)]
Source = Open[
    Annotated[str, AfterValidator(_known_source), Field(json_schema_extra={"enum": list(SOURCES)})]
]


class BoardFacts(Answer):
    """What is stated of a model; null: unknown."""

    parameters: Count | None = Field(None, description="all of the model's parameters")
    active_parameters: Count | None = Field(
        None, description="those that take part in a token, of a mixture of experts"
    )
    open_weights: bool | None = Field(None, description="whether anyone can get the weights")
    licence: (
        Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_text)] | None
    ) = Field(
        None, description="of the weights or the service; an SPDX identifier where there is one"
    )
    base_model: (
        Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_text)] | None
    ) = Field(None, description="the model that it was made from")
    released_on: date | None = Field(None, description="the day of its release")
    access: Open[Access] | None = Field(
        None, description="api: asked over a network; local: run by those who sent its answers"
    )
    frames: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)] | None = Field(
        None, description="the most frames of a sample that it looks at"
    )
    resolution: (
        Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$", examples=["448x448"])]
        | None
    ) = Field(None, description="of a frame as it looks at it: width x height, in pixels")
    trained_on: Annotated[list[Source], AfterValidator(_each_once)] | None = Field(
        None,
        description="the sources whose train split it saw; empty: it saw none of them",
    )
    uses_test_videos: bool | None = Field(
        None, description="whether its training data include videos of the test set"
    )
    usd_per_sample: Amount | None = Field(
        None, description="what inference cost on average, in US dollars"
    )
    seconds_per_sample: Amount | None = Field(
        None, description="how long inference took on average"
    )


class ModelFacts(BoardFacts):
    """The same with its prompt, which boards leave out."""

    prompt: (
        Annotated[
            str,
            Field(min_length=1, max_length=LONGEST_PROMPT),
            BeforeValidator(_one_newline),
            AfterValidator(check_lines),
        ]
        | None
    ) = Field(None, description="what it was asked, in its own words; {question} is the sample's")


class FactsChange(ModelFacts):
    """Facts that are stated anew; null: unknown again. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("active_parameters")
    @classmethod
    def _not_above_all(cls, active: int | None, info: ValidationInfo) -> int | None:
        everything = info.data.get("parameters")
        if active is not None and everything is not None and active > everything:
            raise ValueError(f"at most {everything:,}, as many as it has")
        return active

    @field_validator("usd_per_sample", "seconds_per_sample")
    @classmethod
    def _on_an_axis(cls, amount: float | None) -> float | None:
        # Boards are drawn by it with a logarithmic axis: what nothing costs has no decade there.
        if amount is not None and 0 < amount < _LEAST_AMOUNT:
            raise ValueError(f"0, or {_LEAST_AMOUNT:.9f} at least")
        return amount

    @field_validator("released_on")
    @classmethod
    def _of_our_time(cls, day: date | None) -> date | None:
        # A day more: somewhere it is tomorrow already.
        last = datetime.now(UTC).date() + timedelta(days=1)
        if day is not None and not _FIRST_DAY <= day <= last:
            raise ValueError(f"a day from {_FIRST_DAY} to {last}")
        return day

    def known_after(self, before: Mapping[str, object]) -> dict[str, object]:
        """Return what is known once this is stated, given what was known before."""
        stated = self.model_dump(mode="json", include=self.model_fields_set)
        return known({**before, **stated})


FACTS: Final = tuple(ModelFacts.model_fields)
"""The names of all facts, in the order in which they are shown."""
FACTS_HELD: Final = "the facts that an administrator set, which their owner cannot change"
FactName = Annotated[str, AfterValidator(_fact_name), Field(json_schema_extra={"enum": [*FACTS]})]
BOARD_FACTS: Final = tuple(BoardFacts.model_fields)
"""Those that boards show."""


class FactChange(Answer):
    """A change of facts: those that differ, as they were and as they are; null: unknown."""

    at: datetime
    by: Open[Literal["owner", "administrator"]]
    before: dict[str, Any]
    after: dict[str, Any]


class FactsAnswer(Answer):
    """A model's facts after a change; `changed` is false where they were so before."""

    facts: ModelFacts | None = Field(description="null: none is known")
    changed: bool


class FactFilters(BaseModel):
    """Which models of a board are asked for, by their facts; what is unknown passes no filter."""

    model_config = ConfigDict(frozen=True)

    open_weights: bool | None = Field(None, description="true: with open weights; false: without")
    min_params: Size | None = Field(None, description="at least so many parameters, as 7e9")
    max_params: Size | None = Field(None, description="at most so many parameters, as 8e9")
    licence: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="under this licence; upper and lower case count as the same"
    )
    access: Access | None = Field(None, description="asked over an API, or run locally")
    trained_on_source: Source | None = Field(
        None, description="those that saw the train split of this source"
    )
    uses_test_videos: bool | None = Field(
        None, description="true: trained on videos of the test set too; false: on none of them"
    )
    released_after: Day | None = Field(None, description="released on this day or later")

    def keep(self, facts: BoardFacts | None) -> bool:
        """Return whether a model with these facts is among those that are asked for."""
        stated = facts or BoardFacts()
        size, licence = stated.parameters, stated.licence
        day, saw = stated.released_on, stated.trained_on or ()
        return all((
            self.open_weights in (None, stated.open_weights),
            self.min_params is None or (size is not None and size >= self.min_params),
            self.max_params is None or (size is not None and size <= self.max_params),
            self.licence is None or (licence is not None and _same(licence, self.licence)),
            self.access in (None, stated.access),
            self.trained_on_source is None or self.trained_on_source in saw,
            self.uses_test_videos in (None, stated.uses_test_videos),
            self.released_after is None or (day is not None and day >= self.released_after),
        ))  # fmt: skip

    def asked(self) -> dict[str, Any]:
        """Return those that are set, as JSON; empty: every model is asked for."""
        return self.model_dump(mode="json", exclude_none=True)

    def texts(self) -> dict[str, str]:
        """Return those that are set as an address has them."""
        return {name: _in_address(value) for name, value in self.asked().items()}


FILTERS: Final = tuple(FactFilters.model_fields)
"""The names of all filters."""
EVERY_MODEL: Final = FactFilters()


_YES_OR_NO: Final = "Say true or false, or nothing where it is not known."
_PARAMETERS: Final = "Give a number, as 7000000000 or 7e9."
_FIXES: Final[Mapping[str, str]] = {
    "parameters": _PARAMETERS,
    "active_parameters": _PARAMETERS,
    "open_weights": _YES_OR_NO,
    "uses_test_videos": _YES_OR_NO,
    "released_on": "Write the day as in 2026-04-15.",
    "access": "Say api or local.",
    "resolution": "Write width x height in pixels, as in 448x448.",
    "trained_on": "Name sources of the benchmark, or none of them.",
}
"""What helps where a fact is refused."""


def _in_address(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _same(one: str, other: str) -> bool:
    return in_one_spelling(one).casefold() == in_one_spelling(other).casefold()


def known(values: Mapping[str, object]) -> dict[str, object]:
    """Return the facts that are known, by name in their order, as they are stored."""
    return {name: values[name] for name in FACTS if values.get(name) is not None}


def in_order(values: Mapping[str, object]) -> dict[str, object]:
    """Return facts in their order, which no database keeps; what is no fact comes last."""
    places = {name: place for place, name in enumerate(FACTS)}
    return dict(sorted(values.items(), key=lambda item: places.get(item[0], len(FACTS))))


def on_board(facts: Mapping[str, object]) -> dict[str, object]:
    """Return those of stored facts that boards show."""
    return {name: value for name, value in facts.items() if name in BOARD_FACTS}


def facts_of(stored: Mapping[str, object]) -> ModelFacts | None:
    """Return stored facts as they are served; None where nothing is known."""
    return ModelFacts.model_validate_json(orjson.dumps(stored)) if stored else None


def fact_badges(facts: Mapping[str, object]) -> tuple[str, ...]:
    """Return the badges that a model's facts give it."""
    return (TEST_VIDEOS,) if facts.get("uses_test_videos") is True else ()


def differing(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the facts that differ, as they were and as they are; None: unknown."""
    names = [name for name in FACTS if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def check_facts(
    values: Mapping[str, object], at: str = "$"
) -> tuple[FactsChange | None, list[Problem]]:
    """Return facts that are stated as JSON values, or None and every problem with its place.

    `at` is where the values are in what was sent.
    """
    given = {name: _in_json(value) for name, value in values.items()}
    try:
        content = orjson.dumps(given)
    except TypeError as error:  # not JSON, such as half of a surrogate pair
        return None, [Problem("wrong_value", at, shown(str(error)), "JSON", "Correct the value.")]
    try:
        return FactsChange.model_validate_json(content, strict=True), []
    except ValidationError as error:
        return None, [_problem(each, at) for each in error.errors(include_url=False)]


def _in_json(value: object) -> object:
    """Return a value, or its text where it is a number of which JSON has none or we have no use."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    too_large = isinstance(value, int) and abs(value) >= _TOO_LARGE
    return str(value)[:_SHOWN_DIGITS] if too_large else value


def _problem(error: Any, at: str) -> Problem:
    found = problem_of(error)
    fact = str(error["loc"][0]) if error["loc"] else ""
    fix = found.fix if error["type"] == "extra_forbidden" else _FIXES.get(fact, found.fix)
    return Problem(found.code, at + found.path[1:], found.found, found.expected, fix)
