"""`medvid quotas` and `medvid register`: what one may still do, and a key of one's own."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from medvid.api import QuotaStatus
from medvid.api.key_answers import QuotaUse
from medvid.cli import configuration
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run, span


def quotas(options: Options) -> int:
    """Print what may still be done; return the exit status."""

    def work(session: Session) -> int:
        found = session.client.quotas()
        if options.as_json:
            print_json(found)
        else:
            show(found, Console(highlight=False))
        return Exit.DONE

    return run(options, work)


def show(found: QuotaStatus, console: Console) -> None:
    """Print quotas for people."""
    console.print(f"Counted for {found.account}:", soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "Submissions in 24 h": found.submissions,
        "Bytes in 24 h": found.bytes,
        "Judge runs in 30 days": found.judge_runs,
    } | ({"Dry runs in 24 h": found.validations} if found.validations else {})
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


def register(options: Options, label: str, owner: str) -> int:
    """Make an API key and keep it in the configuration; return the exit status."""

    def work(session: Session) -> int:
        settings = configuration.settings(options.url, options.api_key)
        kept = configuration.read_file()
        if "api_key" in kept:
            raise Unfit(
                f"{configuration.path()} has an API key already.",
                fix="Take it out first: medvid config unset api_key",
            )
        made = session.client.make_key(label, owner=owner, scopes=["submit", "judge"])
        # With its server, because it is sent to no other.
        configuration.write_file({"url": settings["url"].text, "api_key": made.key})
        if options.as_json:
            print_json(made)
        else:
            print(f"Key {made.id} made, and written to {configuration.path()}.")
        return Exit.DONE

    return run(options, work)
