"""`medvid admin doctor`: examines the installation; what is examined is in `examination`."""

from __future__ import annotations

from medvid.cli.parameters import Json


def doctor(as_json: Json = False) -> int:
    """Examine the installation and say what to do; changes nothing.

    Exit status 1 where something failed. Configuration, database, migrations, queues, ground truth,
    the judge's provider, clocks, disks, and stalled work.
    """
    import asyncio

    from services.operate.examination import Surroundings, examine
    from services.operate.findings import print_report
    from shared.runtime.logs import configure_logs

    configure_logs("error", "auto", "admin")
    return print_report(asyncio.run(examine(Surroundings())), as_json=as_json)
