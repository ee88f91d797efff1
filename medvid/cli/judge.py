"""`medvid judge` and `medvid verdicts`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medvid.api.judging_answers import JudgingReceipt, Verdict
from medvid.cli.follow import follow
from medvid.cli.session import Exit, Options, Session, print_json, run
from medvid.cli.spreadsheet import cell


def judge(options: Options, submission: str | None, *, wait: bool) -> int:
    """Ask for a judge run and follow it; return the exit status."""

    def work(session: Session) -> int:
        found_id, token = session.named(submission)
        receipt = session.client.judge(found_id, token=token)
        if not options.as_json:
            print(_estimate(receipt))
        if wait:
            return follow(session, found_id, token)
        if options.as_json:
            print_json(receipt)
        return Exit.DONE

    return run(options, work)


def _estimate(receipt: JudgingReceipt) -> str:
    estimate: Mapping[str, Any] = receipt.estimate or {}
    if "calls" not in estimate:
        return "A judge run was asked for; its estimate is still being made."
    words = f"A judge run was asked for: {estimate['calls']:,} calls"
    if "usd" in estimate and estimate["usd"] is not None:
        words += f", about {estimate['usd']:.2f} USD"
    return f"{words}."


def verdicts(
    options: Options,
    submission: str | None,
    *,
    metric: str | None,
    state: str | None,
    output: Path | None,
) -> int:
    """Print or write the verdicts: JSON lines with --json, else CSV; return the exit status."""

    def work(session: Session) -> int:
        found_id, token = session.named(submission)
        stream = output.open("w", newline="", encoding="utf-8") if output else sys.stdout
        rows = None
        count = 0
        try:
            for verdict in session.client.verdicts(
                found_id, token=token, metric=metric, state=state
            ):
                count += 1
                if options.as_json:
                    print(json.dumps(verdict.model_dump(mode="json")), file=stream)
                    continue
                row = _row(verdict)
                if rows is None:
                    rows = csv.DictWriter(stream, list(row))
                    rows.writeheader()
                rows.writerow(row)
        finally:
            if output:
                stream.close()
        session.say(f"{count:,} verdicts." + (f" Written to {output}." if output else ""))
        return Exit.DONE

    return run(options, work)


def _row(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as a line of a table in which no cell is a formula to a spreadsheet."""
    found = verdict.model_dump(mode="json", exclude={"scores", "metrics"})
    scores = verdict.scores or dict.fromkeys(("R2", "R4", "R5", "R7", "R8"))
    row = {"metrics": " ".join(verdict.metrics), **scores, **found}
    return {name: cell(value) for name, value in row.items()}
