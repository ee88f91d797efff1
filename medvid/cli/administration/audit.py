"""`medvid admin audit`: what administrators did."""

from __future__ import annotations

import json
from itertools import islice
from typing import Annotated

import typer

from medvid.cli.printing import Exit, print_json
from medvid.cli.session import Session, as_administrator


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
    if session.as_json:
        print_json(found)
        return Exit.DONE
    for line in found:
        print(
            f"{line.at:%Y-%m-%dT%H:%M:%S}  {line.who}  {line.action} {line.subject_kind} "
            f"{line.subject}: {line.why}"
        )
        for name, side in (("before", line.before), ("after", line.after)):
            if side is not None:
                print(f"    {name:<6} {json.dumps(side, ensure_ascii=False)}")
    return Exit.DONE
