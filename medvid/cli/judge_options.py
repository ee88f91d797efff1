"""The options of `medvid score` that say how its judge is asked: what a server has as settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
import typer

from medvid.api.errors import LeaderboardError
from medvid.judging.estimates import ExpectedTokens
from medvid.judging.forms import FormSetting
from medvid.judging.parts_table import DEFAULT_PARSER, ParserName
from medvid.judging.pricing import FREE, TokenPrice
from medvid.judging.versions import TokenParameter

OPENAI: Final = "https://api.openai.com/v1"
PRICES: Final = "MEDVID_JUDGE_PRICES"
EXPECTED: Final = "MEDVID_JUDGE_EXPECTED_TOKENS"

WhichJudge = Annotated[
    Literal["stub", "openai"] | None,
    typer.Option(
        help="add the judge metrics; 'openai' asks any compatible endpoint, 'stub' scores by "
        "hash, to test pipelines"
    ),
]
Model = Annotated[str | None, typer.Option(help="the judging model, as its endpoint names it")]
ModelPrefix = Annotated[
    str | None, typer.Option(help="accept answers of models whose name starts so")
]
BaseUrl = Annotated[str, typer.Option(help="the endpoint")]
KeyName = Annotated[
    str, typer.Option("--api-key-env", help="the environment variable that holds its key")
]
Query = Annotated[
    list[str] | None,
    typer.Option("--query", help="NAME=VALUE of a query that each call carries; may be repeated"),
]
HeaderNames = Annotated[
    list[str] | None,
    typer.Option(
        "--header-env",
        help="NAME=VARIABLE: a header that each call carries, its value in that environment "
        "variable; may be repeated",
    ),
]
Concurrency = Annotated[int, typer.Option(min=1, max=1000, help="calls at the same time")]
MaxTokens = Annotated[
    int, typer.Option(min=16, help="longest reply; of models that reason, with their thoughts")
]
WhichTokens = Annotated[
    TokenParameter, typer.Option("--token-parameter", help="what the endpoint calls that limit")
]
Effort = Annotated[
    str | None,
    typer.Option(
        "--reasoning-effort",
        metavar="EFFORT",
        help="how much the model shall reason before it replies, such as low",
    ),
]
Temperature = Annotated[
    str, typer.Option(help="from 0 to 2, or 'none' to leave it to the endpoint")
]
Seed = Annotated[int | None, typer.Option(help="sampling seed, where the endpoint takes one")]
WhichForm = Annotated[
    FormSetting,
    typer.Option("--reply-form", help="auto: a schema, and lines where the endpoint refuses it"),
]
WhichParser = Annotated[ParserName, typer.Option("--parser", help="which parser reads replies")]
WithRationale = Annotated[
    bool,
    typer.Option("--rationale", help="ask for a short reason with each verdict, kept with it"),
]
CacheFile = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        dir_okay=False,
        help="where verdicts are kept, to continue after a stop; by default beside the predictions",
    ),
]
LimitUsd = Annotated[
    float | None,
    typer.Option(
        min=0,
        help=f"most that the verdicts of the cache may cost; prices are in {PRICES}, what a call "
        f"is expected to take in {EXPECTED}",
    ),
]


class CannotJudge(LeaderboardError):
    """The options or the environment are wrong; the text says what to set."""

    code = "cannot_judge"


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """Which model judges, how it is asked, and within what; defaults are a server's.

    `query` and `headers` as they were given: NAME=VALUE and NAME=VARIABLE.
    """

    kind: Literal["stub", "openai"]
    cache: Path
    model: str | None = None
    model_prefix: str | None = None
    base_url: str = OPENAI
    key_name: str = "OPENAI_API_KEY"
    query: Sequence[str] = ()
    headers: Sequence[str] = field(default=(), repr=False)
    concurrency: int = 16
    max_tokens: int = 200
    token_parameter: TokenParameter = "max_tokens"  # noqa: S105 - tokens of text
    temperature: str = "0"
    reasoning_effort: str | None = None
    seed: int | None = None
    reply_form: FormSetting = "auto"
    rationale: bool = False
    parser: ParserName = DEFAULT_PARSER
    limit_usd: float | None = None

    @property
    def sampling_temperature(self) -> float | None:
        """Return the temperature, None where it is left to the endpoint; raises CannotJudge."""
        if self.temperature.strip().lower() in ("", "none"):
            return None
        try:
            given = float(self.temperature)
        except ValueError:
            given = -1.0
        if not 0 <= given <= 2:
            raise CannotJudge("--temperature must be a number from 0 to 2, or 'none'.")
        return given

    @property
    def named_query(self) -> dict[str, str]:
        """Return the query by name; raises CannotJudge."""
        return dict(_named(pair, "--query", "VALUE") for pair in self.query)

    @property
    def named_headers(self) -> dict[str, str]:
        """Return the headers by name, out of the environment; raises CannotJudge."""
        found = {}
        for pair in self.headers:
            name, variable = _named(pair, "--header-env", "VARIABLE")
            value = os.environ.get(variable)
            if not value:
                raise CannotJudge(f"--header-env {name}: the variable {variable} is not set.")
            if not value.isprintable() or not name.isprintable():
                raise CannotJudge(f"--header-env {name}: a header is one line of plain text.")
            found[name] = value
        return found


def price_of(model: str) -> TokenPrice:
    """Return the price of a model out of the environment, FREE without; raises CannotJudge."""
    example = f'{{"{model}": {{"input": 2, "output": 8}}}}'
    prices = _from_environment(PRICES, example)
    if model not in prices:
        return FREE
    try:
        return TokenPrice(**prices[model])
    except (TypeError, ValueError) as error:
        raise CannotJudge(f"{PRICES} must be JSON such as {example} ({error}).") from error


def expected_tokens() -> ExpectedTokens:
    """Return what a call is expected to take, out of the environment; raises CannotJudge."""
    example = '{"reasoning": 300, "cached": 0}'
    try:
        return ExpectedTokens(**_from_environment(EXPECTED, example))
    except (TypeError, ValueError) as error:
        raise CannotJudge(f"{EXPECTED} must be JSON such as {example} ({error}).") from error


def _from_environment(name: str, example: str) -> Mapping[str, Any]:
    """Return the JSON object in a variable, an empty one without; raises CannotJudge."""
    try:
        found = orjson.loads(os.environ.get(name) or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, Mapping):
        raise CannotJudge(f"{name} must be JSON such as {example}.")
    return found


def _named(pair: str, option: str, what: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not (name.strip() and equals and value):
        raise CannotJudge(f"{option} {pair!r}: write it as NAME={what}.")
    return name.strip(), value
