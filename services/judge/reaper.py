"""What keeps runs from standing still: announces again, sends what is due, wakes paused runs.

Any number of reapers may run; what they do is guarded by the state of the rows they look at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from services.judge.ports import Grader
from services.judge.run_ports import Patrol
from shared.messaging.ports import Bus
from shared.messaging.topology import JUDGE_BATCHES, JUDGE_REQUESTS, Queue
from shared.runtime.errors import Transient, Unavailable
from shared.storage.database import TRANSIENT_ERRORS

PROVIDER_DOWN: Final = "provider_down"
STILL_DOWN: Final = "the provider does not answer yet"
OTHER_JUDGE: Final = "other_judge"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ages:
    """In seconds: how often to look, and how long something may stand still."""

    look: float
    """Between looks at batches that are due."""
    patrol: float
    """Between looks at what stands still, and at the provider of paused runs."""
    still: float
    """Without any sign, after which a run or a batch is announced again."""
    lost: float = 15
    """The same while the queue is empty: its message was lost."""
    probe: float = 15
    """Between questions to a provider that is down, all replicas together."""
    longest_probe: float = 65
    """A question that is not answered by then has died with its replica."""


@dataclass(frozen=True, slots=True)
class Reaper:
    """Looks after unfinished runs."""

    patrol: Patrol
    grader: Grader
    bus: Bus
    ages: Ages

    async def keep_sending(self) -> None:
        """Send what was put off and is due now, until cancelled."""
        await _forever(self.patrol.send_due_batches, self.ages.look)

    async def keep_patrolling(self) -> None:
        """Look after runs that stand still, until cancelled."""
        await _forever(self.patrol_once, self.ages.patrol)

    async def patrol_once(self) -> None:
        """Look once at every kind of standing still."""
        patrol = self.patrol
        await patrol.announce_again(
            runs=await self._patience(JUDGE_REQUESTS), batches=await self._patience(JUDGE_BATCHES)
        )
        await patrol.close_finished()
        version = self.grader.version.hash
        for run_id in await patrol.of_another_judge(version, self.ages.still):
            await patrol.pause(run_id, OTHER_JUDGE, "the judge was changed meanwhile.")
        for run_id in (
            *await patrol.paused_for([OTHER_JUDGE]),
            *await patrol.paused_by_last_month(),
            *await patrol.with_bad_replies(self.ages.probe),
        ):
            await patrol.resume(run_id)
        waiting = await patrol.paused_for([PROVIDER_DOWN])
        if waiting and await self._provider_is_up(version):
            for run_id in waiting:
                await patrol.resume(run_id)

    async def _patience(self, queue: Queue) -> float:
        """Return for how long nothing may be heard: not long where the queue holds nothing."""
        busy = await self.bus.depth(queue) > 0
        return self.ages.still if busy else min(self.ages.lost, self.ages.still)

    async def _provider_is_up(self, version: str) -> bool:
        """Ask the provider, unless another replica does or did just now."""
        if not await self.patrol.may_probe(version, self.ages.longest_probe):
            return False
        if await self.grader.is_up():
            await self.patrol.provider_is_up(version)
            return True
        await self.patrol.provider_is_down(version, STILL_DOWN, self.ages.probe)
        return False


async def _forever(look: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await look()
        except (Transient, Unavailable, *TRANSIENT_ERRORS) as error:
            _log.warning("judge_reaper_waits", error=str(error))
