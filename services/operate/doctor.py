"""`medvid admin doctor`: examines the installation; what is examined is in `examination`."""

from __future__ import annotations

from typing import Annotated

import typer

from medvid.cli.parameters import Json


def doctor(
    judge: Annotated[
        bool, typer.Option("--judge", help="ask the judge for a verdict, as judge-check does")
    ] = False,
    as_json: Json = False,
) -> int:
    """Examine the installation and say what to do; changes nothing.

    Exit status 1 where something failed. Configuration, database, migrations, queues, ground truth,
    the judge's provider, clocks, disks, and stalled work. Only --judge costs something.
    """
    import asyncio

    from services.operate.examination import Surroundings, examine
    from services.operate.findings import print_report
    from shared.runtime.logs import configure_logs

    configure_logs("error", "auto", "admin")
    findings = asyncio.run(examine(Surroundings(), ask_judge=judge))
    return print_report(findings, as_json=as_json)
