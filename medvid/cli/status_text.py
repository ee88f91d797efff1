"""The state of a submission as text: all of it, and in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medvid.api import SubmissionStatus, ValidationReport
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.cli.printing import (
    NO_RANK,
    label,
    place,
    plain_table,
    print_table,
    short,
    span,
    spread,
)
from medvid.models.judging import JudgeResult, JudgeRun, JudgeSeries
from medvid.models.submissions import HypotheticalStanding, Standing, Step

_WORDS = {
    "accepted": "waiting for its scores",
    "scored": "scored, waiting to be ranked",
    "ranked": "ranked",
    "failed": "failed",
    "withdrawn": "withdrawn",
    "replaced": "replaced by a newer version",
}
_FINE = 0.01
"""Values of a smaller step have four decimals, others two."""
_REPEATED = "≈ "
_HOW_SHOWN = (
    "To: what a value is rounded to; 0.0001 where it beats all earlier answers to your API key by "
    f"more than chance. {_REPEATED}repeats an earlier answer: chance explains the difference."
)
_STYLES = {"ranked": "bold green", "failed": "bold red"}


def line(status: SubmissionStatus) -> Text:
    """Return the state of a submission in one line."""
    words = _WORDS.get(status.state, status.state)
    if status.waits_for_judging:
        words = "scored; the version before keeps its rank until this one is judged (medvid judge)"
    text = Text(words, style=_STYLES.get(status.state, "bold"))
    if status.ahead:
        text.append(f", {status.ahead} ahead of it", style="not bold")
    if status.entry is not None and status.entry.rank is not None:
        text.append(f", number {status.entry.rank} on the {status.entry.board} board")
    for each in status.hypothetical:
        text.append(
            f", would be number {each.rank} of {each.entries} ({each.scoring})"
            if each.rank is not None
            else f", would not be ranked: {_no_value(each)}"
        )
    run = status.judging.run
    if run is not None:
        text.append(f"; judging: {judging(run)}", style="not bold")
    return text


def _no_value(standing: HypotheticalStanding) -> str:
    if standing.withheld:
        return f"too few answers for {standing.scoring} scores to be shown"
    return f"no {standing.scoring} scores"


def judging(run: JudgeRun) -> str:
    """Return how far a judge run is."""
    reason = f" ({run.detail or run.reason})" if run.detail or run.reason else ""
    if run.reason == "verdicts_unknown":  # of a new version: what is known alone was looked for
        return f"not asked for{reason}"
    if run.state != "running" or not run.items:
        return f"{run.state}{reason}"
    if run.items_done >= run.items:
        return f"{run.items:,} of {run.items:,} items, the scores are made of them"
    left = f", {span(run.eta_seconds)} left" if run.eta_seconds is not None else ""
    return f"{run.items_done:,} of {run.items:,} items{left}"


def show(status: SubmissionStatus, console: Console, url: str) -> None:
    """Print all there is to say; `url` is the server's."""
    for words in _lines(status, url):
        console.print(words, soft_wrap=True)
    if status.standing is not None:
        console.print()
        print_table(_scores(status.standing), console)
    if status.hypothetical:
        console.print()
        print_table(_hypothetical(status.hypothetical), console)
        console.print(_HOW_SHOWN, soft_wrap=True)


def _hypothetical(standings: Sequence[HypotheticalStanding]) -> Table:
    """Return the values that an owner is shown of an evaluation, and how precisely."""
    table = plain_table("Metric")
    for standing in standings:
        for heading in (standing.scoring.capitalize(), "To", "Rank"):
            table.add_column(heading, justify="right", style="dim" if heading == "To" else "")
    for metric in METRIC_KEYS:
        cells: list[str] = []
        for standing in standings:
            value, step = standing.values.get(metric), standing.steps.get(metric)
            decimals = 4 if step is None or step < _FINE else 2
            mark = _REPEATED if metric in standing.repeats else ""
            shown = _number(value, standing.withheld.get(metric), decimals)
            cells += [mark + shown, f"{step:g}" if step else "", place(standing.ranks.get(metric))]
        table.add_row(label(metric), *cells)
    return table


def _scores(standing: Standing) -> Table:
    """Return the ten scores beside the version before and the board's best, by compat scoring."""
    changed = any(score.change for score in standing.scores)
    table = plain_table("Metric")
    for heading in ("Compat", "95 %", "Rank", "Best", *(["Change"] if changed else []), "Strict"):
        table.add_column(heading, justify="right", style="dim" if heading == "95 %" else "")
    for score in standing.scores:
        change = score.change.get("compat")
        table.add_row(
            label(score.metric),
            _number(score.compat, score.withheld),
            spread(score.intervals.get("compat")),
            place(score.ranks.get("compat")),
            _number(score.best.get("compat"), None, 3),
            *([f"{change:+.4f}" if change is not None else NO_RANK] if changed else []),
            _number(score.strict, score.withheld),
        )
    return table


def _number(value: float | None, withheld: str | None, decimals: int = 4) -> str:
    if withheld:
        return "-"
    return "n/a" if value is None else f"{value:.{decimals}f}"


def _lines(status: SubmissionStatus, url: str) -> Iterable[Text]:
    yield Text.assemble(("Submission ", "dim"), str(status.id))
    yield Text.assemble(("           ", "dim"), f"{url}/submissions/{status.id}")
    yield Text.assemble(("State      ", "dim"), line(status))
    for step in status.timeline:
        at = step.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        yield Text.assemble(("           ", "dim"), f"{at}  {_step(step)}")
    if status.failure is not None:
        yield Text.assemble(
            ("Failed     ", "dim"), (f"{status.failure.code}: {status.failure.reason}", "red")
        )
    if status.entry is not None:
        entry = status.entry
        yield Text.assemble(("Entry      ", "dim"), f"{entry.model_name} ({entry.organization})")
        yield Text.assemble(("           ", "dim"), urljoin(url, entry.page))
    result = status.judging.result
    if result is not None:
        stub = " (the stand-in judge: for demonstration only)" if result.stub else ""
        panel = result.facts.get("panel")
        if panel:
            stub = f", {panel['judged_by']} of {panel['of']} judges{stub}"
        yield Text.assemble(
            ("Judged     ", "dim"),
            f"{result.completed_at:%Y-%m-%d} by {judge_name(result)}{stub}",
        )
    notice = series_notice(status.judging.series)
    if notice:
        yield Text.assemble(("Judge      ", "yellow"), notice)
    if status.report is not None:
        yield from _report(status.report)


def judge_name(result: JudgeResult) -> str:
    """Return who judged: the model's name where it is one, and the version that boards show."""
    version = f"judge {short(result.judge_version)}"
    model = result.judge.get("model")
    return f"{model}, {version}" if model else version


def series_notice(series: JudgeSeries | None) -> str:
    """Return what to know before values are paid for that their board will not rank; or ''."""
    if series is None or series.judge is None or series.ranked:
        return ""
    return (
        f"The {series.board} board ranks by judge {short(series.board_judge or 'none')}, and "
        f"{short(series.judge)} judges now: its values will be shown with a mark and count as "
        "missing in the ranks."
    )


def _step(step: Step) -> str:
    words = f"judging {step.state}" if step.kind == "judging" else step.state
    return f"{words} ({step.reason})" if step.reason else words


def _report(report: ValidationReport) -> Iterable[Text]:
    if report.coverage is not None:
        yield Text.assemble(
            ("Answered   ", "dim"),
            f"{report.answered:,} of {report.samples:,} samples ({report.coverage:.1%})",
        )
    for warning in report.warnings:
        task = f" ({warning.task})" if warning.task else ""
        yield Text.assemble(
            ("Warning    ", "yellow"),
            f"{warning.code}{task}: {warning.count:,} {warning.message}",
        )
