"""`medvid admin judge-check`: tries the configured judge; the steps are in `judge_check`."""

from __future__ import annotations

from typing import Annotated

import typer

from medvid.cli.parameters import Json


def judge_check(
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before the call")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="try its Batch API instead of a call")
    ] = False,
    as_json: Json = False,
) -> int:
    """Try the configured judge with one made-up pair, and say what to set.

    From the name of its host to the price of its verdict. At most three calls are made (at each
    endpoint of a pool), which may cost up to a cent; it asks before them. With --batch one line is
    sent in a batch, and found again by later tries of the day until its answer is there. Exit
    status 1 where something failed.
    """
    import asyncio

    from services.judge.members import members_of
    from services.judge.settings import JudgeSettings
    from services.operate.findings import Finding, print_report
    from services.operate.judge_check import check_judge, most_usd
    from shared.runtime.errors import Misconfigured
    from shared.runtime.logs import configure_logs
    from shared.runtime.settings import load_settings

    configure_logs("error", "auto", "admin")
    try:
        settings = load_settings(JudgeSettings)
        usd = most_usd(settings)
        cost = "its price is not known" if usd is None else f"at most {usd:.4f} USD"
        if not yes and settings.why_off is None:
            judges = [
                f"{each.name} at {each.settings.judge_pool or each.settings.judge_base_url}"
                for each in members_of(settings).judges
            ]
            question = f"Ask {', '.join(judges)} ({cost})?"
            typer.confirm(question, abort=True, err=True)
        findings = asyncio.run(check_judge(settings, by_batch=batch))
    except Misconfigured as error:
        findings = [Finding("configuration", "failed", error.detail, error.fix)]
    return print_report(findings, as_json=as_json)
