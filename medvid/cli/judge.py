"""`medvid judge` and `medvid verdicts`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from medvid.cli.parameters import NoWait, Submission
from medvid.cli.printing import Exit, print_json
from medvid.cli.session import Session, on_server, with_token
from medvid.cli.status_text import series_notice
from medvid.cli.watch import follow
from medvid.models.judging import JudgingReceipt, Verdict
from medvid.spreadsheets import line

OfMetric = Annotated[
    Literal["dvc_llm", "vs_llm", "rc_llm"] | None, typer.Option(help="only this metric's")
]
InState = Annotated[Literal["scored", "unscored", "open"] | None, typer.Option(help="only these")]
ByAspect = Annotated[
    Literal["R2", "R4", "R5", "R7", "R8"] | None,
    typer.Option(help="what --at-most and --worst-first go by; else the mean"),
]
AtMost = Annotated[int | None, typer.Option(min=1, max=5, help="only scores no better than this")]
WorstFirst = Annotated[
    bool, typer.Option("--worst-first", help="lowest score first, unscored last")
]
ToFile = Annotated[Path | None, typer.Option(dir_okay=False, help="write to this file")]
Fast = Annotated[
    bool,
    typer.Option("--fast", help="at once and at the full price, where others are in batches"),
]
JsonLines = Annotated[bool, typer.Option("--json", help="JSON lines instead of CSV")]


@with_token
def judge(
    session: Session, submission: Submission = None, no_wait: NoWait = False, fast: Fast = False
) -> int:
    """Have a submission's captions judged, or take up a run that was paused."""
    found_id, token = session.named(submission)
    receipt = session.client.judge(found_id, token=token, fast=fast)
    if not session.as_json:
        print(_estimate(receipt))
    if not no_wait:
        return follow(session, found_id, token)
    if session.as_json:
        print_json(receipt)
    return Exit.DONE


def _estimate(receipt: JudgingReceipt) -> str:
    estimate: Mapping[str, Any] = receipt.estimate or {}
    if "calls" not in estimate:
        return "A judge run has begun; its estimate is still being made."
    words = f"A judge run has begun: {estimate['calls']:,} calls"
    if "usd" in estimate and estimate["usd"] is not None:
        words += f", about {estimate['usd']:.2f} USD"
    online = estimate.get("fast_usd")
    if online is not None and not receipt.run.fast:
        words += f" in batches, within a day ({online:.2f} USD at once, with --fast)"
    notice = series_notice(receipt.series)
    return f"{words}.\n{notice}" if notice else f"{words}."


@on_server("token", "url", "api_key")
def verdicts(
    session: Session,
    submission: Submission = None,
    metric: OfMetric = None,
    state: InState = None,
    aspect: ByAspect = None,
    at_most: AtMost = None,
    source: Annotated[
        str | None, typer.Option(help="only this source's, as far as values by source are shown")
    ] = None,
    model: Annotated[str | None, typer.Option(help="only this judge's, as it calls itself")] = None,
    cut: Annotated[
        bool | None, typer.Option("--cut/--whole", help="only captions that were too long, or not")
    ] = None,
    worst_first: WorstFirst = False,
    output: ToFile = None,
    as_json: JsonLines = False,
) -> int:
    """Read the judge's verdicts on a submission's captions, as CSV."""
    found_id, token = session.named(submission)
    found = session.client.verdicts(
        found_id,
        token=token,
        metric=metric,
        state=state,
        aspect=aspect,
        at_most=at_most,
        source=source,
        model=model,
        cut=cut,
        order="worst" if worst_first else None,
    )
    return written(session, found, output, as_json=as_json)


def written(
    session: Session, found: Iterable[Verdict], output: Path | None, *, as_json: bool
) -> int:
    """Write verdicts to a file or to standard output, as CSV or as JSON lines."""
    count = 0
    with (
        output.open("w", newline="", encoding="utf-8")
        if output
        else nullcontext(sys.stdout) as stream
    ):
        for verdict in found:
            count += 1
            if as_json:
                print(json.dumps(verdict.model_dump(mode="json")), file=stream)
                continue
            row = _row(verdict)
            if count == 1:
                stream.write(line(row))
            stream.write(line(row.values()))
    session.say(f"{count:,} verdicts." + (f" Written to {output}." if output else ""))
    return Exit.DONE


def _row(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as a line of a table, by column."""
    found = verdict.model_dump(mode="json", exclude={"scores", "metrics"})
    scores = verdict.scores or dict.fromkeys(("R2", "R4", "R5", "R7", "R8"))
    sources = " ".join(verdict.sources)
    return {"metrics": " ".join(verdict.metrics), **scores, **found, "sources": sources}
