"""`medvid admin costs`: what judging cost, against its estimates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from medvid.cli.printing import Exit, plain_table
from medvid.cli.session import Session, as_administrator
from medvid.models.administration import CostsBy, CostsPage

_NAMES: Final = {
    "run": "Run", "submission": "Submission", "judge": "Judge", "endpoint": "Endpoint",
    "day": "Day (UTC)",
}  # fmt: skip


@as_administrator
def costs(
    session: Session,
    by: Annotated[CostsBy, typer.Option(help="what a line is of")] = "run",
    since: Annotated[str | None, typer.Option(help="first day (UTC), as in 2026-04-15")] = None,
    until: Annotated[str | None, typer.Option(help="last day")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="every line, as CSV")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file for it")] = None,
) -> int:
    """Show what judging cost, against what was estimated."""
    if not csv and output is None:
        page = session.client.admin.costs(by=by, since=since, until=until)
        return session.answer(page, _shown(page, by))
    text = session.client.admin.export_costs(by=by, since=since, until=until)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, "utf-8", newline="")
        session.say(f"Written to {output}.")
    return Exit.DONE


def _shown(page: CostsPage, by: CostsBy) -> Table:
    table = plain_table(_NAMES[by], "Model", show_footer=True)
    spent, estimated = _usd(page.spent_usd), _usd(page.estimated_usd)
    for name, footer in (("Spent USD", spent), ("Estimated USD", estimated), ("Runs", "")):
        table.add_column(name, footer, justify="right")
    table.add_column("Last day")
    table.columns[0].footer = f"all {page.total:,}"
    for line in page.lines:
        table.add_row(
            Text(line.name),
            Text(line.model or ""),
            _usd(line.spent_usd),
            _usd(line.estimated_usd),
            str(line.runs),
            line.last_day.isoformat(),
        )
    return table


def _usd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.6f}"
