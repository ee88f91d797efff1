"""`medvid predictions`: a submission's own file, and how each of its predictions is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from medvid.benchmark.tasks import QA_TYPES, task_of
from medvid.cli.failures import WrongUsage
from medvid.cli.parameters import Submission
from medvid.cli.printing import Exit
from medvid.cli.session import Session, with_token
from medvid.models.submissions import ParsedPrediction


@with_token
def predictions(
    session: Session,
    submission: Submission = None,
    task: Annotated[
        str | None, typer.Option(help="only this task (or qa_type), such as stg")
    ] = None,
    unread: Annotated[
        bool, typer.Option("--unread", help="only those of which nothing is read")
    ] = False,
    download: Annotated[
        Path | None,
        typer.Option("--download", "-o", help="write the file as it was sent (gzip) instead"),
    ] = None,
) -> int:
    """Show how a submission's predictions are parsed, or download its file.

    By the rules of the scores. Nothing shown depends on what is true of a sample; 'medvid peek'
    compares with a ground truth of your own. --json prints a line a prediction.
    """
    chosen = None if task is None else task_of(task)
    if task is not None and chosen is None:
        raise WrongUsage(f"--task {task}: it is one of {', '.join(QA_TYPES)}.")
    found_id, token = session.named(submission)
    if download is not None:
        content = session.client.predictions_file(found_id, token=token)
        download.write_bytes(content)
        return session.answer(
            {"file": str(download), "bytes": len(content)}, f"Written to {download}."
        )
    count = 0
    console = Console(highlight=False)
    for each in session.client.predictions(found_id, token=token, task=chosen, unread=unread):
        count += 1
        if session.as_json:
            print(json.dumps(each.model_dump(mode="json"), ensure_ascii=False), flush=True)
        else:
            _print(each, console)
    session.say(f"{count:,} predictions.")
    return Exit.DONE


def _print(each: ParsedPrediction, console: Console) -> None:
    style = "bold" if each.is_read else "bold red"
    state = "missing" if each.prediction is None else "" if each.is_read else "nothing is read"
    console.print(Text(f"{each.index}  {each.id}  {each.qa_type}  {state}".rstrip(), style=style))
    if each.prediction is not None:
        console.print(Text(f"  text    {each.prediction}"), soft_wrap=True)
        parsed = json.dumps(each.parsed, ensure_ascii=False)
        console.print(Text(f"  parsed  {parsed}"), soft_wrap=True)
    if each.styles:
        console.print(Text(f"  styles  {', '.join(each.styles)}", style="yellow"), soft_wrap=True)
