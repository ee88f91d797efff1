"""`medvid quotas` and `medvid register-key`: what one may still do, and a key of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from medvid.api import QuotaStatus
from medvid.cli import config_file
from medvid.cli.failures import CommandFailed
from medvid.cli.printing import plain_table, span
from medvid.cli.session import Session, with_key
from medvid.models.accounts import QuotaUse


@with_key
def quotas(session: Session) -> int:
    """Show what may still be submitted and judged, and when there is room again."""
    found = session.client.quotas()
    return session.answer(found, lambda: _show(found, Console(highlight=False)))


@with_key
def register_key(
    session: Session,
    label: Annotated[str, typer.Option(help="what the key is for")],
    owner: Annotated[str, typer.Option(help="who holds it: a lab, a person")],
) -> int:
    """Make an API key of your own, where the server lets everyone, and keep it."""
    if "api_key" in config_file.read_file():
        raise CommandFailed(
            f"{config_file.path()} has an API key already.",
            fix="Take it out first: medvid config unset api_key",
        )
    made = session.client.make_key(label, owner=owner, scopes=["submit", "judge"])
    # With its server, because it is sent to no other.
    config_file.write_file({"url": session.url, "api_key": made.key})
    return session.answer(made, f"Key {made.id} made, and written to {config_file.path()}.")


def _show(found: QuotaStatus, console: Console) -> None:
    """Print quotas for people."""
    kind, _, whose = found.account.partition(":")
    console.print(f"Counted for the {kind} {whose}".rstrip() + ".", soft_wrap=True)
    table = plain_table(show_header=False)
    rows = {
        "Submissions in 24 h": found.submissions,
        "Bytes in 24 h": found.bytes,
        "Judge runs in 30 days": found.judge_runs,
        "Dry runs in 24 h": found.validations,
        "Evaluate-only runs in 24 h": found.evaluate_only,
        "Evaluate-only runs in all": found.evaluate_only_total,
    }
    for name, use in rows.items():
        table.add_row(name, _used(use), _next(use))
    console.print(table)


def _used(use: QuotaUse) -> str:
    return "not counted" if use.limit is None else f"{use.used:,} of {use.limit:,}"


def _next(use: QuotaUse) -> str:
    if use.next_at is None:
        return ""
    seconds = max(0.0, (use.next_at - datetime.now(UTC)).total_seconds())
    return f"room again in {span(seconds)}"
