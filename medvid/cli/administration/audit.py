"""`medvid admin audit`: what administrators did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer

from medvid.cli.session import Session, as_administrator
from medvid.models.administration import AuditLineView


@as_administrator
def audit(
    session: Session,
    who: Annotated[str | None, typer.Option()] = None,
    action: Annotated[str | None, typer.Option()] = None,
    subject_kind: Annotated[str | None, typer.Option("--kind")] = None,
    subject: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str | None, typer.Option(help="a moment, as in 2026-04-15T00:00:00Z")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> int:
    """Print what administrators did, newest first."""
    lines = session.client.admin.audit(
        who=who, action=action, subject_kind=subject_kind, subject=subject, since=since
    )
    found = list(islice(lines, limit))
    return session.answer_lines(found, [text for line in found for text in _lines(line)])


def _lines(line: AuditLineView) -> Iterator[str]:
    yield (
        f"{line.at:%Y-%m-%dT%H:%M:%S}  {line.who}  {line.action} {line.subject_kind} "
        f"{line.subject}: {line.why}"
    )
    for name, side in (("before", line.before), ("after", line.after)):
        if side is not None:
            yield f"    {name:<6} {json.dumps(side, ensure_ascii=False)}"
