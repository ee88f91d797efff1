"""The judge's settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from medvid.judging.addresses import problem_of
from medvid.judging.batch_lines import MOST_LINES
from medvid.judging.estimates import ExpectedTokens
from medvid.judging.forms import FormSetting
from medvid.judging.off import WhyOff
from medvid.judging.parts_table import DEFAULT_PARSER, ParserName
from medvid.judging.pricing import FREE, TokenPrice, to_microusd
from medvid.judging.versions import TokenParameter
from shared.runtime.settings import CommonSettings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NoneIfEmpty = BeforeValidator(lambda value: None if value == "" else value)
Usd = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


ONE_JUDGE: Final = (
    "judge_provider", "judge_base_url", "judge_api_key", "judge_query", "judge_headers",
    "judge_model", "judge_model_prefix", "judge_stub_salt", "judge_ends", "judge_prices",
    "judge_requests_per_minute", "judge_tokens_per_minute", "judge_pool",
)  # fmt: skip
"""What is one judge's own: with several it stands in their file."""
ONE_ENDPOINT: Final = (
    "judge_base_url", "judge_api_key", "judge_requests_per_minute", "judge_tokens_per_minute",
)  # fmt: skip
"""What is one endpoint's own: in a pool it stands in the pool's file."""


class JudgeSettings(CommonSettings):
    """What an operator may change about judging."""

    judges: Annotated[Path | None, NoneIfEmpty] = Field(
        None,
        description="TOML file of 1 to 5 judges whose values together are one "
        "(docs/operations.md#a-panel-of-judges); instead of the settings of a single judge",
    )
    judge_families: dict[str, str] = Field(
        {},
        description="JSON: part of a model's name -> its family, where the name does not tell, "
        'such as {"my-model": "qwen"}; entries judged by their own family get a badge',
    )
    judge_provider: Literal["none", "openai", "stub"] = Field(
        "none",
        description="who judges: none (judging is off), openai (any compatible endpoint), or stub "
        "(scores by hash, to try the system out)",
    )
    judge_base_url: str = Field(
        "https://api.openai.com/v1", description="the endpoint; for stub the one it serves itself"
    )
    judge_api_key: SecretStr = Field(SecretStr(""), description="key of the endpoint")
    judge_pool: Annotated[Path | None, NoneIfEmpty] = Field(
        None,
        description="TOML file of several endpoints that serve the same model "
        "(docs/operations.md#a-pool-of-endpoints); instead of one endpoint's URL, key and limits",
    )
    judge_query: dict[str, str] = Field(
        {},
        description="JSON: a query that each call carries, such as "
        '{"api-version": "2024-10-21"} for Azure',
    )
    judge_headers: dict[str, SecretStr] = Field(
        {}, description='JSON: headers that each call carries, such as {"api-key": "..."}'
    )
    judge_model: Annotated[str | None, NoneIfEmpty] = Field(
        None,
        description="the model, without which openai judges nothing; a dated one does not change "
        "under you. docs/operations.md, 'Choose a judge', names one",
    )
    judge_stub_salt: Annotated[str, Field(pattern=r"^[a-z0-9]{0,16}$")] = Field(
        "", description="another one makes another stub judge, to try a change of judges"
    )
    judge_model_prefix: str | None = Field(
        None,
        description="accept answers of models whose name starts so; when unset, of the model "
        "itself and its dated or numbered versions",
    )
    judge_ends: Annotated[date | None, NoneIfEmpty] = Field(
        None,
        description="the day on which the provider takes the model away, such as 2027-01-14; of "
        "this and what its list of models says the earlier one counts",
    )
    judge_rubric: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = Field(
        "v1", description="file in medvid/judging/rubrics, without .toml"
    )
    judge_rationale: bool = Field(
        False,
        description="ask for a short reason with each verdict, which administrators read; another "
        "judge version, whose replies may be 200 tokens longer",
    )
    judge_parser: ParserName = Field(
        DEFAULT_PARSER,
        description="which parser reads replies (docs/judge-versions.md); another one is another "
        "judge version, and 'medvid admin reread' reads kept replies with it",
    )
    judge_temperature: Annotated[Annotated[float, Field(ge=0, le=2)] | None, NoneIfEmpty] = Field(
        0.0, description="empty to leave it to the endpoint"
    )
    judge_max_tokens: Annotated[int, Field(ge=16, le=100_000)] = Field(
        200, description="longest reply; of models that reason, with their thoughts: 4000, say"
    )
    judge_token_parameter: TokenParameter = Field(
        "max_tokens",
        description="what the endpoint calls that limit; with an effort a part of the version",
    )
    judge_reasoning_effort: Annotated[
        Annotated[str, Field(pattern=r"^[a-z]{1,16}$")] | None, NoneIfEmpty
    ] = Field(
        None,
        description="how much the model shall reason before it replies, such as low; another judge "
        "version, which mostly takes no temperature and calls its limit max_completion_tokens",
    )
    judge_expected_tokens: ExpectedTokens = Field(
        ExpectedTokens(),
        description='JSON: tokens of a call, such as {"reasoning": 300, "cached": 0}, for '
        "estimates until 50 verdicts tell them; 'medvid admin judge-check' says what its call "
        "took. Unset, reasoning counts as all that the limit leaves",
    )
    judge_seed: int | None = Field(None, description="sampling seed, where the endpoint takes one")
    judge_reply_form: FormSetting = Field(
        "auto",
        description="schema (JSON by a schema), lines (R2: 4), or auto: a schema, and lines where "
        "the endpoint refuses it; what was found is kept for all replicas",
    )
    judge_max_caption_characters: Annotated[int, Field(ge=100)] = Field(
        8_000, description="longer captions are cut for the judge, and marked as cut"
    )
    judge_timeout_seconds: Positive = Field(60, description="longest time of one call")
    judge_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        5, description="calls for one pair before it is retried later"
    )
    judge_backoff_seconds: Positive = Field(
        0.5, description="mean of the first wait is half of it; doubles with each attempt"
    )
    judge_longest_wait_seconds: Positive = Field(
        20, description="a pair that would have to wait longer is retried later"
    )
    judge_breaker_failures: Annotated[int, Field(ge=1)] = Field(
        10,
        description="failures in a row after which the provider counts as down; as many pairs in a "
        "row without a verdict pause their run",
    )
    judge_breaker_seconds: Positive = Field(
        10,
        description="first pause before a down provider is tried again; doubles to 2 x, or to "
        "20 x where tries are paid for",
    )
    judge_concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        16,
        description="calls at the same time per replica (and endpoint of a pool), at most; adapts "
        "below that",
    )
    judge_requests_per_minute: Positive | None = Field(
        None, description="limit of the account, shared by all replicas"
    )
    judge_tokens_per_minute: Positive | None = Field(
        None, description="limit of the account, shared by all replicas"
    )
    judge_batch_api: Annotated[
        Literal["none", "openai"], BeforeValidator(lambda value: value or "none")
    ] = Field(
        "none",
        description="openai: pairs travel in files to the endpoint's batch API (/v1/files and "
        "/v1/batches), at half the price and within a day, unless a run is asked to be fast; none: "
        "one call for each",
    )
    judge_batch_lines: Annotated[int, Field(ge=1, le=MOST_LINES)] = Field(
        10_000, description="pairs in one file; some accounts may have fewer waiting"
    )
    judge_batch_poll_seconds: Positive = Field(
        60, description="how often a batch at the provider is looked at, all replicas together"
    )
    judge_prices: dict[str, TokenPrice] = Field(
        {},
        description="JSON: model -> input, output and, where they differ, cached_input and "
        "reasoning in US dollars per million tokens, such as "
        '{"gpt-6-luna": {"input": 0.1, "output": 0.5, "cached_input": 0.01}}',
    )
    judge_run_cap_usd: Usd | None = Field(None, description="most that one run may spend")
    judge_month_cap_usd: Usd | None = Field(
        None, description="most that all runs of a calendar month (UTC) may spend"
    )

    judge_waste_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="share of a run's estimated calls that may be billed without a verdict"
    )
    judge_waste_calls: Annotated[int, Field(ge=0)] = Field(
        20,
        description="billed calls without a verdict that a run may have in any case; past both it "
        "is paused until a person resumes it",
    )

    judge_automatic: bool = Field(False, description="judge every submission once it is scored")
    judge_repeats: Annotated[int, Field(ge=1, le=20)] = Field(
        1, description="verdicts for each pair; with more than 1 their variance is published"
    )
    judge_batch_pairs: Annotated[Annotated[int, Field(ge=1, le=200)] | None, NoneIfEmpty] = Field(
        None,
        description="most pairs that travel in one message; unset, what a replica judges in about "
        "a second, 64 at most",
    )
    judge_window_batches: Annotated[Annotated[int, Field(ge=2, le=10_000)] | None, NoneIfEmpty] = (
        Field(
            None,
            description="most batches on the bus, shared by all runs; unset, twice as many as the "
            "replicas that are alive work on",
        )
    )
    judge_tries: Annotated[int, Field(ge=1, le=100)] = Field(
        6, description="how often a pair is retried later before it counts as unscored"
    )
    judge_claim_seconds: Positive = Field(
        20, description="how long pairs of a killed replica wait before another takes them"
    )
    judge_due_seconds: Positive = Field(
        1, description="how often batches that are due again are sent"
    )
    judge_patrol_seconds: Positive = Field(
        5, description="how often stalled runs and providers that are down are checked"
    )
    judge_still_seconds: Positive = Field(
        300, description="seconds without progress after which a run or a batch is announced again"
    )
    judge_lost_seconds: Positive = Field(
        15, description="the same while its queue is empty, so that the message must be lost"
    )
    judge_planning_seconds: Positive = Field(
        120, description="how long the pairing of one file may take before its run fails"
    )

    @property
    def by_batch(self) -> bool:
        """Whether pairs travel in batches, unless a run is to be fast."""
        return self.judge_batch_api != "none"

    @property
    def why_off(self) -> WhyOff | None:
        """Why nobody judges by these settings; None where somebody does."""
        if self.judges is not None:
            return None
        if self.judge_provider == "none":
            return "no_provider"
        if self.judge_provider == "openai" and self.judge_model is None:
            return "no_model"
        return None

    @property
    def price(self) -> TokenPrice:
        """What the model's tokens cost; FREE for the stub and where no price is set."""
        if self.judge_provider == "stub" or self.judge_model is None:
            return FREE
        return self.judge_prices.get(self.judge_model, FREE)

    @property
    def run_cap(self) -> int | None:
        """Most that one run may spend, in millionths of a US dollar."""
        return None if self.judge_run_cap_usd is None else to_microusd(self.judge_run_cap_usd)

    @property
    def month_cap(self) -> int | None:
        """Most that a month's runs may spend, in millionths of a US dollar."""
        return None if self.judge_month_cap_usd is None else to_microusd(self.judge_month_cap_usd)

    @field_validator("judge_base_url")
    @classmethod
    def _base_url(cls, url: str) -> str:
        problem = problem_of(url)
        if problem is not None:
            raise ValueError(problem)
        return url

    @model_validator(mode="after")
    def _one_judge_or_several(self) -> Self:
        beside = self._set_otherwise(ONE_JUDGE)
        if self.judges is not None and beside:
            names = ", ".join(f"MEDVID_{name.upper()}" for name in beside)
            raise ValueError(
                f"MEDVID_JUDGES names judges with all that is theirs: unset {names}, or it"
            )
        return self

    @model_validator(mode="after")
    def _one_endpoint_or_a_pool(self) -> Self:
        beside = self._set_otherwise(ONE_ENDPOINT)
        if self.judge_pool is not None and beside:
            names = ", ".join(f"MEDVID_{name.upper()}" for name in beside)
            raise ValueError(
                f"MEDVID_JUDGE_POOL names endpoints with all that is theirs: unset {names}, or it"
            )
        if self.judge_pool is not None and self.by_batch:
            raise ValueError(
                "batches are one endpoint's: unset MEDVID_JUDGE_BATCH_API or MEDVID_JUDGE_POOL"
            )
        return self

    def _set_otherwise(self, names: Iterable[str]) -> list[str]:
        """Return those of these settings that are not as without any."""
        return [
            name
            for name in names
            if getattr(self, name) != JudgeSettings.model_fields[name].get_default()
        ]

    @model_validator(mode="after")
    def _caps_need_a_price(self) -> Self:
        capped = self.judge_run_cap_usd is not None or self.judge_month_cap_usd is not None
        judges = self.judge_provider == "openai" and self.judge_model is not None
        if judges and capped and self.judge_model not in self.judge_prices:
            raise ValueError(
                f"a cap on spending needs the price of {self.judge_model} in MEDVID_JUDGE_PRICES"
            )
        return self
