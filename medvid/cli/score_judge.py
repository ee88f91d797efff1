"""`medvid score --judge openai`: judge a local file with a model of one's own."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.cli.judge_options import (
    OPENAI,
    PRICES,
    CannotJudge,
    JudgeOptions,
    expected_tokens,
    price_of,
)
from medvid.cli.printing import Exit
from medvid.judging import standin
from medvid.judging.calls import NOTHING_USED, Usage
from medvid.judging.estimates import CallFigures, Measured, estimate
from medvid.judging.explanations import base_url_problem
from medvid.judging.forms import FormChoice
from medvid.judging.offline import OfflineJudge, Stopped
from medvid.judging.plans import DistinctPair, store
from medvid.judging.pricing import FREE, MICROUSD, TokenPrice, to_microusd
from medvid.judging.rubric import Rubric, load_rubric
from medvid.judging.verdict_file import NotAVerdictFile, VerdictFile
from medvid.judging.verdicts import Verdict
from medvid.judging.versions import JudgeVersion

_RUBRIC: Final = "v1"
_SECONDS: Final = 60.0
_MAX_CAPTION_CHARACTERS: Final = 8_000
_NO_KEY: Final = "none"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict or None a text of the plan, who judged, and how the command ends.

    `facts` is None for the stand-in, whose results need no more.
    """

    verdicts: Sequence[Verdict | None]
    facts: Mapping[str, Any] | None = None
    status: Exit = Exit.DONE


def judged_by(options: JudgeOptions, plan: JudgingPlan) -> Judged:
    """Judge a plan; raises CannotJudge before anything was asked."""
    if options.kind == "stub":
        return Judged([standin.judge(pair) for pair in plan.texts])
    if not options.model:
        raise CannotJudge("--judge openai needs --model: the model as its endpoint names it.")
    if problem := base_url_problem(options.base_url):
        raise CannotJudge(problem)
    version, _, _ = version_of(options, options.model), options.named_query, options.named_headers
    price = price_of(options.model)
    figures = CallFigures.of(
        version, _rubric(options), price, options.concurrency, expected_tokens()
    )
    if options.limit_usd is not None and price is FREE:
        raise CannotJudge(
            f"--limit-usd needs the price of {options.model}: set {PRICES}, such as "
            f'{{"{options.model}": {{"input": 2, "output": 8}}}} (US dollars per million tokens).'
        )
    try:
        import openai as _  # noqa: F401 - an extra of the library
    except ModuleNotFoundError as error:
        raise CannotJudge("judging needs openai: install the extra 'judge'.") from error
    key = os.environ.get(options.key_name, "")
    if options.base_url == OPENAI and not key:
        raise CannotJudge(
            f"there is no key: set {options.key_name}, or name another --base-url or --api-key-env."
        )
    try:
        file = VerdictFile.opened(options.cache, version.hash)
    except NotAVerdictFile as error:
        raise CannotJudge(f"{error}: name another --cache.") from error
    try:
        return _judge(options, version, figures, key or _NO_KEY, file, store(plan).texts)
    finally:
        file.close()


def _judge(
    options: JudgeOptions,
    version: JudgeVersion,
    figures: CallFigures,
    key: str,
    file: VerdictFile,
    texts: Sequence[DistinctPair],
) -> Judged:
    say = Console(stderr=True, highlight=False, soft_wrap=True)
    left = [text for text in texts if text.sha256 not in file.scored]
    price, cost = figures.price, _estimated_cost(texts, figures, file)
    about = f" (about {cost / MICROUSD:.2f} USD)" if price is not FREE else ""
    known = len(texts) - len(left)
    say.print(f"{len(left):,} pairs to judge{about}, {known:,} known ({options.cache}).")
    stopped: Stopped | None = None
    try:
        judge = asyncio.run(_ask(options, version, price, key, file, texts, say))
    except _StoppedJudge as end:
        judge, stopped = end.judge, end.reason
    missing = sum(text.sha256 not in file.scored for text in texts)
    money = f"{file.microusd / MICROUSD:.4f} USD" if price is not FREE else "no price set"
    reasons = ", ".join(f"{count} {reason}" for reason, count in judge.unscored.most_common())
    without = f"; {missing:,} without a verdict{f' ({reasons})' if reasons else ''}"
    say.print(f"Judged by {version.model} ({version.hash[:12]}), {money}{without}.")
    if stopped is not None:
        say.print(f"Stopped: {stopped} What is judged is kept: the same command continues.")
    facts = {
        "version": version.hash, **version.public(), "pairs": len(texts),
        "scored": len(texts) - missing, "unscored": dict(judge.unscored),
        "usd": file.microusd / MICROUSD if price is not FREE else None,
        "stopped": str(stopped) if stopped is not None else None,
    }  # fmt: skip
    status = Exit.DONE
    if stopped is not None:
        status = Exit.LATER if stopped.may_pass else Exit.REFUSED
    return Judged([file.scored.get(text.sha256) for text in texts], facts, status)


def _estimated_cost(texts: Sequence[DistinctPair], figures: CallFigures, file: VerdictFile) -> int:
    """Return what judging those without a verdict is likely to cost, in microusd."""
    asked = [text for text in texts if file.used.get(text.sha256, NOTHING_USED).prompt]
    used = reduce(Usage.plus, (file.used[text.sha256] for text in asked), NOTHING_USED)
    figures = figures.after(Measured(len(asked), used, sum(map(_length, asked))))
    left = [_length(text) for text in texts if text.sha256 not in file.scored]
    return estimate(left, 1, 0, figures).microusd


def _length(text: DistinctPair) -> int:
    return len(text.prediction) + len(text.reference)


class _StoppedJudge(Exception):
    def __init__(self, judge: OfflineJudge, reason: Stopped) -> None:
        super().__init__(str(reason))
        self.judge = judge
        self.reason = reason


async def _ask(
    options: JudgeOptions,
    version: JudgeVersion,
    price: TokenPrice,
    key: str,
    file: VerdictFile,
    texts: Sequence[DistinctPair],
    say: Console,
) -> OfflineJudge:
    from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client

    gc.enable()  # thousands of calls leave cycles behind, unlike scoring
    sampling = Sampling.of(version, options.token_parameter)
    headers = options.named_headers
    async with open_client(
        api_key=key, base_url=options.base_url, seconds=_SECONDS,
        query=options.named_query, headers=headers,
    ) as client:  # fmt: skip
        endpoint = OpenAiEndpoint(client, sampling, _SECONDS, tuple(headers.values()))
        limit = None if options.limit_usd is None else to_microusd(options.limit_usd)
        judge = OfflineJudge(
            endpoint, version, _rubric(options), price, file, limit,
            model_prefix=options.model_prefix, form=FormChoice.of(options.reply_form),
        )  # fmt: skip
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn())  # fmt: skip
        with Progress(*columns, console=say, transient=True) as progress:
            task = progress.add_task("Judging", total=len(texts))
            progress.advance(task, sum(text.sha256 in file.scored for text in texts))

            def advance() -> None:
                spent = f", {file.microusd / MICROUSD:.4f} USD" if price is not FREE else ""
                progress.update(task, advance=1, description=f"Judging{spent}")

            try:
                await judge.judge(texts, options.concurrency, advance)
            except Stopped as reason:
                raise _StoppedJudge(judge, reason) from reason
    return judge


def version_of(options: JudgeOptions, model: str) -> JudgeVersion:
    """Return the version, the same as a server's with these settings; raises CannotJudge."""
    return JudgeVersion.of(
        _rubric(options),
        provider="openai",
        model=model,
        temperature=options.sampling_temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
        parser=options.parser,
        reasoning_effort=options.reasoning_effort,
        token_parameter=options.token_parameter,
        max_caption_characters=_MAX_CAPTION_CHARACTERS,
    )


def _rubric(options: JudgeOptions) -> Rubric:
    return load_rubric(_RUBRIC, rationale=options.rationale)


def beside(predictions: Path) -> Path:
    """Return where the verdicts on a file are kept unless another place is named."""
    return predictions.with_name(f"{predictions.name}.verdicts.jsonl")
