"""The long form: every scenario, as large as asked for, with a report.

    python -m tests.chaos [--kills 200] [--restarts 20] [--seconds 15] [--only NAME ...]

Exit status: 0 every promise was kept, 1 some was not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from tests.chaos.campaign import Outcome, play
from tests.chaos.scenarios import SCENARIOS, Sizes
from tests.chaos.world import RESUME_SECONDS, a_world
from tests.preloaded import ROOT

REPORT: Final = ROOT / "var" / "chaos" / "report.md"


def main() -> int:
    """Play, report, and tell whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="./scripts/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs, of any service")
    parser.add_argument("--restarts", type=int, default=20, help="crashes of each server")
    parser.add_argument("--seconds", type=float, default=15, help="how long a fault lasts")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args()
    sizes = Sizes(options.kills, options.restarts, options.seconds)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # so that servers and mounts are undone
    outcomes = asyncio.run(_play_all(options.only, sizes, options.report))
    _write(options.report, outcomes, sizes, time.monotonic() - started)
    print(f"report: {options.report}")  # noqa: T201 - a command's output
    return 1 if any(outcome.broken for outcome in outcomes) else 0


async def _play_all(names: Sequence[str], sizes: Sizes, path: Path) -> list[Outcome]:
    outcomes: list[Outcome] = []
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="medvid-chaos-"))
    print(f"logs: {folder}", flush=True)  # noqa: T201 - a command's output
    # Ours too: that servers go away is what this is about, and no news.
    logging.basicConfig(filename=folder / "chaos.log")
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    async with a_world(folder, quick=False) as world:
        for name in names:
            outcome = await play(world, name, SCENARIOS[name], sizes, patience=300)
            outcomes.append(outcome)
            verdict = "skipped" if outcome.skipped else "; ".join(outcome.broken) or "kept"
            print(f"{name}: {outcome.what}: {verdict}", flush=True)  # noqa: T201 - the same
            _write(path, outcomes, sizes, time.monotonic() - started)  # a long run may be cut short
    return outcomes


def _write(path: Path, outcomes: Sequence[Outcome], sizes: Sizes, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    kept = sum(not outcome.broken and not outcome.skipped for outcome in outcomes)
    lines = [
        "# Chaos",
        "",
        f"`{' '.join(['./scripts/chaos', *sys.argv[1:]])}`: {kept} of {len(outcomes)} scenarios "
        f"kept every promise, in {seconds / 60:.0f} min on {os.cpu_count()} processors (load "
        f"{load:.1f} at the end). Faults of {sizes.seconds:g} s, production settings but for "
        "shorter calls to the model.",
        "",
        "Promises: every accepted submission is ranked and judged; nothing happens twice; outbox "
        "and dead letters are empty; board and values equal those of an undisturbed installation; "
        "no call is paid for beyond those under way at kills; every stage goes on within "
        f"{RESUME_SECONDS:g} s of the fault's end.",
        "",
        "| scenario | what was done | submissions | slowest stage resumed | all done | promises |",
        "|---|---|---|---|---|---|",
        *map(_row, outcomes),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _row(found: Outcome) -> str:
    if found.skipped:
        return f"| {found.name} | {found.what} | | | | |"
    slowest = max(found.resumed, key=lambda stage: found.resumed[stage], default="-")
    ended = f"{found.ended:.0f} s" if found.ended is not None else "never"
    return (
        f"| {found.name} | {found.what} | {found.submissions} | {slowest} {found.slowest:.1f} s "
        f"| {ended} | {'; '.join(found.broken) or 'kept'} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())
