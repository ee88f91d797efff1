"""`medvid predict`: a model's answers to a test set, from any OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from medvid.benchmark import subsets
from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS, RefusedFile
from medvid.benchmark.tasks import Task, task_of
from medvid.cli.failures import WrongUsage
from medvid.cli.files import read_file
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, print_json
from medvid.judging.explanations import base_url_problem
from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.predict import manifest as manifests
from medvid.predict.frames import FrameSettings
from medvid.predict.prompts import (
    Form,
    Prompts,
    check_examples,
    read_templates,
)
from medvid.predict.records import CallRecord, Records, open_records
from medvid.predict.requests import GenerationSettings, open_endpoint
from medvid.predict.run import (
    DEFAULT_TOKENS,
    Run,
    RunSummary,
    TokenLimits,
    cut_off_by_task,
    still_to_ask,
)
from medvid.predict.samples import Remap, UnusableSample, VideoSample, load_samples

_KEY_VARIABLE: Final = "OPENAI_API_KEY"
_NO_KEY: Final = "none"
_LONG_ANSWERS: Final = (Task.STG, Task.DENSE_CAPTIONING)
_LONG_TOKENS: Final = 1024
"""What nearly all answers of these tasks fit in: a box or an event takes about 25 tokens."""
_STATUSES: Final[Mapping[str, Exit]] = {
    "": Exit.DONE, "unusable": Exit.REFUSED, "unreachable": Exit.LATER
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that a run needs, read and checked before the first call."""

    samples: Sequence[VideoSample]
    prompts: Prompts
    frames: FrameSettings
    form: Form
    limits: TokenLimits
    sampling: GenerationSettings
    price: TokenPrice
    settings: Mapping[str, Any]


def predict(
    test_set: Annotated[Path, typer.Argument(help=f"test set with its frames, {JSON_OR_GZIP}")],
    model: Annotated[str, typer.Option(help="the model's name at the endpoint")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the submission file (.json, .json.gz)")],
    base_url: Annotated[
        str, typer.Option(envvar="OPENAI_BASE_URL", help="an OpenAI-compatible endpoint (…/v1)")
    ],
    remap: Annotated[
        list[str] | None,
        typer.Option(help="where frames lie here: /mnt/data=FOLDER", metavar="OLD=NEW"),
    ] = None,
    subset: Annotated[Path | None, typer.Option(help="only these ('medvid sample')")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help='prompts by task, JSON: {"tal": "… {question}"}')
    ] = None,
    one_shot: Annotated[
        Path | None, typer.Option(help="solved examples, records of the training set")
    ] = None,
    send: Annotated[
        Literal["images", "video"], typer.Option(help="frames as pictures, or as one video part")
    ] = "images",
    max_tokens: Annotated[
        list[str] | None,
        typer.Option(
            help=f"new tokens of an answer ({DEFAULT_TOKENS}), or of one task's", metavar="N|TASK=N"
        ),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="frames of a sample at most; all if left out")
    ] = None,
    min_pixels: Annotated[
        int, typer.Option(min=784, help="of a frame")
    ] = FrameSettings().least_pixels,
    max_pixels: Annotated[
        int, typer.Option(min=784, help="of a frame")
    ] = FrameSettings().most_pixels,
    stamps: Annotated[bool, typer.Option(help="draw each frame's time on it")] = True,
    temperature: Annotated[float, typer.Option(min=0)] = 0.0,
    seed: Annotated[int | None, typer.Option(help="the endpoint's own, if it has one")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="calls at the same time")] = 8,
    timeout: Annotated[float, typer.Option(min=1, help="seconds of one call")] = 600.0,
    input_price: Annotated[float, typer.Option(min=0, help="USD a million prompt tokens")] = 0.0,
    output_price: Annotated[float, typer.Option(min=0, help="USD a million new tokens")] = 0.0,
    as_json: Json = False,
) -> int:
    """Ask a vision model for every sample and write a submission file.

    Every answer is kept in FILE.records.jsonl at once: after an interruption the same command
    continues and asks for nothing twice but the calls that were open. FILE.manifest.json says how
    the file was made. The key is read from OPENAI_API_KEY. Exit status 1 if samples failed, 3 if
    the endpoint is out of reach.
    """  # fmt: skip
    if missing := [name for name in ("openai", "PIL") if find_spec(name) is None]:
        raise WrongUsage(
            f"{missing[0]} is not installed.", fix="Install medvid with the extra 'predict'."
        )
    if problem := base_url_problem(base_url):
        raise WrongUsage(problem)
    try:
        frames = FrameSettings(min_pixels, max_pixels, max_frames, stamps)
        plan = _plan(
            test_set, subset, prompts, one_shot, remap or [], max_tokens or [], frames, send,
            GenerationSettings(model, temperature, seed), TokenPrice(input_price, output_price),
        )  # fmt: skip
        return asyncio.run(_run(plan, out, base_url, concurrency, timeout, as_json=as_json))
    except (RefusedFile, ValueError) as error:
        raise WrongUsage(str(error)) from None


def _plan(
    test_set: Path,
    subset: Path | None,
    prompts: Path | None,
    one_shot: Path | None,
    remap: Sequence[str],
    max_tokens: Sequence[str],
    frames: FrameSettings,
    form: Form,
    sampling: GenerationSettings,
    price: TokenPrice,
) -> _Plan:
    """Read the files; raises UnreadableFile, InvalidGroundTruth or ValueError."""
    remaps = [Remap.parse(text) for text in remap]
    data = {name: read_file(path, GROUND_TRUTH_LIMITS.unpacked_bytes)
            for name, path in (("test_set", test_set), ("prompts", prompts), ("one_shot", one_shot))
            if path is not None}  # fmt: skip
    samples = load_samples(data["test_set"], remaps)
    if subset is not None:
        named = read_file(subset, GROUND_TRUTH_LIMITS.unpacked_bytes)
        chosen = subsets.load(named, [sample.item for sample in samples])
        samples = [samples[index] for index in chosen]
    _check_frames(samples)
    return _Plan(
        samples=samples,
        prompts=Prompts(
            read_templates(data["prompts"]) if prompts else {},
            check_examples(load_samples(data["one_shot"], remaps)) if one_shot else (),
        ),
        frames=frames,
        form=form,
        limits=_limits(max_tokens),
        sampling=sampling,
        price=price,
        settings={
            **asdict(sampling),
            "frames": asdict(frames),
            "sent_as": form,
            **{f"{name}_sha256": sha256(content).hexdigest() for name, content in data.items()},
        },
    )


def _check_frames(samples: Sequence[VideoSample]) -> None:
    """Look for the first frame of each sample; raises UnusableSample."""
    absent = [sample for sample in samples if not sample.frames[0].exists()]
    if absent:
        raise UnusableSample(
            f"The frames of {len(absent):,} of {len(samples):,} samples are not here; the first is "
            f"{absent[0].frames[0]}. Say where they are: --remap OLD=NEW."
        )


def _limits(texts: Sequence[str]) -> TokenLimits:
    """Read `N` and `TASK=N`; raises ValueError."""
    default, by_task = DEFAULT_TOKENS, dict[Task, int]()
    for text in texts:
        name, _, number = text.rpartition("=")
        task = task_of(name)
        if not number.isdecimal() or not int(number) or (name and task is None):
            raise ValueError(f"--max-tokens {text}: give a number, or TASK=NUMBER.")
        if task is None:
            default = int(number)
        else:
            by_task[task] = int(number)
    return TokenLimits(default, by_task)


async def _run(
    plan: _Plan, out: Path, base_url: str, concurrency: int, seconds: float, *, as_json: bool
) -> int:
    stem = out.name.removesuffix(".gz").removesuffix(".json")
    records_path = out.with_name(f"{stem}.records.jsonl")
    with open_records(records_path, plan.settings) as records:
        waiting = still_to_ask(plan.samples, records, plan.limits)
        console = Console(stderr=True, highlight=False)
        _say_before(plan, waiting, console)
        async with open_endpoint(
            plan.sampling, base_url=base_url, seconds=seconds,
            api_key=os.environ.get(_KEY_VARIABLE) or _NO_KEY,
        ) as endpoint:  # fmt: skip
            with _Meter(plan, records, len(waiting), console) as meter:
                run = Run(endpoint, plan.prompts, plan.frames, plan.form, plan.limits, records,
                          note=meter.note)  # fmt: skip
                outcome = await run.ask(waiting, concurrency)
        manifests.write(out, manifests.submission(plan.samples, records))
        limits = {"default": plan.limits.default} | {
            task.value: limit for task, limit in plan.limits.by_task.items()
        }
        document = manifests.manifest(
            plan.samples, records, settings=plan.settings, max_tokens=limits, base_url=base_url,
            price=plan.price, files={"submission": out, "records": records_path},
        )  # fmt: skip
        cut_off = cut_off_by_task(plan.samples, records)
    document["cut_off"] = dict(cut_off)
    manifest_path = out.with_name(f"{stem}.manifest.json")
    manifests.write(manifest_path, manifests.as_bytes(document))
    if as_json:
        print_json(document)
    else:
        _say_after(document, outcome, out, console)
    return Exit.REFUSED if outcome.failed and not outcome.stopped else _STATUSES[outcome.stopped]


class _Meter:
    """Progress on standard error: how many, how long still, what it costs so far."""

    def __init__(self, plan: _Plan, records: Records, waiting: int, console: Console) -> None:
        self._price = plan.price
        known = [records.by_index.get(sample.item.index) for sample in plan.samples]
        self._cost = sum(self._price.cost(each.prompt_tokens, each.completion_tokens)
                         for each in known if each is not None)  # fmt: skip
        self._failed = 0
        self._progress = Progress(
            MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task(
            "", total=len(plan.samples), completed=len(plan.samples) - waiting
        )

    def __enter__(self) -> _Meter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def note(self, record: CallRecord) -> None:
        """Count a sample that was asked for."""
        self._cost += self._price.cost(record.prompt_tokens, record.completion_tokens)
        self._failed += not record.is_answered
        cost = f"{self._cost / MICROUSD:.2f} USD" if self._cost else ""
        failed = f"{self._failed:,} failed" if self._failed else ""
        self._progress.update(
            self._task, advance=1, description=", ".join(filter(None, (cost, failed)))
        )


def _say_before(plan: _Plan, waiting: Sequence[VideoSample], console: Console) -> None:
    known = len(plan.samples) - len(waiting)
    kept = f"; {known:,} answers are known from before" if known else ""
    console.print(f"Asking {plan.sampling.model} for {len(waiting):,} samples{kept}.")
    tight = sorted(
        {each.item.task for each in waiting
         if each.item.task in _LONG_ANSWERS and plan.limits.of(each) < _LONG_TOKENS}
    )  # fmt: skip
    if tight:
        options = " ".join(f"--max-tokens {task}={_LONG_TOKENS}" for task in tight)
        console.print(
            f"Answers of {', '.join(tight)} are often longer than "
            f"{min(plan.limits.of(each) for each in waiting if each.item.task in tight)} tokens "
            f"and score little when cut off: {options}."
        )


def _say_after(
    document: Mapping[str, Any], outcome: RunSummary, out: Path, console: Console
) -> None:
    statuses = document["statuses"]
    answered = statuses.get("answered", 0) + statuses.get("truncated", 0)
    console.print(f"{answered:,} of {document['samples']:,} samples are answered: {out}")
    if document["cut_off"]:
        found = ", ".join(f"{count:,} of {task}" for task, count in document["cut_off"].items())
        console.print(
            f"Cut off by the limit of tokens: {found}. Run again with a higher "
            "--max-tokens TASK=N: only these are asked again."
        )
    if statuses.get("failed"):
        console.print(f"{statuses['failed']:,} failed; the same command asks for them again.")
    if outcome.reason:
        console.print(f"Stopped early: {outcome.reason}")
    tokens = document["tokens"]
    cost = f", {document['cost_usd']:.2f} USD" if document["cost_usd"] else ""
    console.print(f"{tokens['prompt']:,} prompt and {tokens['completion']:,} new tokens{cost}.")
