"""`medvid admin verdicts`: a judge's verdicts with its reasons, which no owner reads."""

from __future__ import annotations

from typing import Annotated

import typer

from medvid.cli.judge import (
    AtMost,
    ByAspect,
    InState,
    JsonLines,
    OfMetric,
    ToFile,
    WorstFirst,
    written,
)
from medvid.cli.session import Session, on_server


@on_server("url", "key")
def verdicts(
    session: Session,
    submission: Annotated[str, typer.Argument(help="id of the submission")],
    metric: OfMetric = None,
    state: InState = None,
    aspect: ByAspect = None,
    at_most: AtMost = None,
    worst_first: WorstFirst = False,
    output: ToFile = None,
    as_json: JsonLines = False,
) -> int:
    """Read the judge's verdicts with its reasons, which may repeat references, as CSV."""
    found = session.client.admin.verdicts(
        submission,
        metric=metric,
        state=state,
        aspect=aspect,
        at_most=at_most,
        order="worst" if worst_first else None,
    )
    return written(session, found, output, as_json=as_json)
