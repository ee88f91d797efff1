"""One scenario after the other on one installation under load, each held to the same promises."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.scenarios import Inject, NotHere, Sizes
from tests.chaos.world import RESUME_SECONDS, World
from tests.patience import HANG_SECONDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scenario. `resumed`: seconds from the fault's end, by stage."""

    name: str
    what: str
    submissions: int
    resumed: dict[str, float]
    ended: float | None
    """Seconds from the fault's end until nothing was left to do."""
    broken: list[str]
    skipped: bool = False

    @property
    def slowest(self) -> float:
        """Seconds until every stage had been done again."""
        return max(self.resumed.values(), default=0.0)


async def play(
    world: World,
    name: str,
    inject: Inject,
    sizes: Sizes,
    *,
    most: int = 3,
    patience: float = 120,
    resume_seconds: float = RESUME_SECONDS,
) -> Outcome:
    """Inject a fault under load; then see work resume, end, and every promise kept."""
    accepted = len(world.load.receipts)
    enough = asyncio.Event()
    busy = asyncio.create_task(world.load.keep_busy(lambda: world.open, enough, most=most))
    try:
        await _under_way(world)
        try:
            what = await inject(world, sizes)
        except NotHere as reason:
            return Outcome(name, f"not possible here: {reason}", 0, {}, None, [], skipped=True)
        over = time.monotonic()
        broken = []
        resumed: dict[str, float] = {}
        try:
            async with asyncio.timeout(patience):
                resumed = await world.resumed()
        except TimeoutError:
            broken.append(f"some stage stood still for {patience:g} s")
    finally:
        enough.set()
        async with asyncio.timeout(patience):
            await busy
    ended = await _ends(world, patience, broken)
    late = [stage for stage, seconds in resumed.items() if seconds > resume_seconds]
    broken += [f"{stage} resumed after {resumed[stage]:.0f} s" for stage in late]
    broken += await world.broken()
    submissions = len(world.load.receipts) - accepted
    return Outcome(name, what, submissions, resumed, ended - over if ended else None, broken)


async def _under_way(world: World) -> None:
    """Return once something of every kind is going on."""
    before = await world.counts()
    async with asyncio.timeout(HANG_SECONDS):
        while (await world.counts())["verdict"] == before["verdict"]:
            await asyncio.sleep(0.1)


async def _ends(world: World, patience: float, broken: list[str]) -> float | None:
    try:
        async with asyncio.timeout(patience):
            await world.ends()
    except TimeoutError:
        broken.append(f"not all was done {patience:g} s after the last submission")
        return None
    return time.monotonic()
