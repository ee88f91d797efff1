"""What is done to an installation under load. Each scenario returns once its fault is over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from services.judge.stub.server import Faults
from shared.messaging.topology import QUEUES
from tests.chaos.world import CALM, World
from tests.servers import crash_and_restart


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; the short form, unless told otherwise."""

    kills: int = 8
    restarts: int = 1
    seconds: float = 4.0
    """How long a fault lasts."""


Inject = Callable[[World, Sizes], Awaitable[str]]
"""Does its worst, and says in words what it did."""


class NotHere(Exception):
    """This machine does not allow the scenario; the text says what is missing."""


async def random_kills(world: World, sizes: Sizes) -> str:
    """SIGKILL any process of any service, again and again."""
    before = len(world.fleet.kills)
    for _ in range(sizes.kills):
        await asyncio.sleep(world.chance.uniform(0.1, 1.2))
        await world.fleet.kill_one(world.chance)
    killed = world.fleet.kills[before:]
    services = sorted(set(killed))
    counts = ", ".join(f"{name.rpartition('.')[2]} {killed.count(name)}" for name in services)
    return f"{len(killed)} SIGKILLs ({counts})"


async def postgres_crashes(world: World, sizes: Sizes) -> str:
    """Crash Postgres and start it again."""
    for _ in range(sizes.restarts):
        await crash_and_restart(world.postgres)
        await asyncio.sleep(world.chance.uniform(0.2, 3))
    return f"{sizes.restarts} crashes of Postgres"


async def rabbit_crashes(world: World, sizes: Sizes) -> str:
    """Crash RabbitMQ and start it again."""
    for _ in range(sizes.restarts):
        await crash_and_restart(world.rabbit)
        await asyncio.sleep(world.chance.uniform(0.2, 3))
    return f"{sizes.restarts} crashes of RabbitMQ"


async def memory_alarm(world: World, sizes: Sizes) -> str:
    """Let RabbitMQ block all publishers."""
    control = world.rabbit.control
    await asyncio.to_thread(control.call, "set_vm_memory_high_watermark", "absolute", "1")
    await asyncio.sleep(sizes.seconds)
    await asyncio.to_thread(control.call, "set_vm_memory_high_watermark", "0.4")
    return f"memory alarm for {sizes.seconds:g} s"


async def deleted_queues(world: World, _: Sizes) -> str:
    """Delete every queue with whatever it holds."""
    http = world.rabbit.http
    for queue in QUEUES:
        await asyncio.to_thread(http.call, "DELETE", f"/api/queues/%2F/{queue.name}")
    return f"{len(QUEUES)} queues deleted with their messages"


async def half_open(world: World, sizes: Sizes) -> str:
    """Let both servers leave every connection unseen."""
    world.to_postgres.half_open()
    world.to_rabbit.half_open()
    await asyncio.sleep(sizes.seconds)
    return "all connections to both servers half open"


async def stalls(world: World, sizes: Sizes) -> str:
    """Hold every byte to and from one server, then the other, then both."""
    both = (world.to_postgres, world.to_rabbit)
    for proxies in ((both[0],), (both[1],), both):
        for proxy in proxies:
            proxy.stall()
        await asyncio.sleep(sizes.seconds)
        for proxy in proxies:
            proxy.heal()
    return f"three stalls of {sizes.seconds:g} s"


async def resets(world: World, sizes: Sizes) -> str:
    """Reset all connections, again and again; at last refuse new ones for a while."""
    both = (world.to_postgres, world.to_rabbit)
    times = 5 * sizes.restarts
    for _ in range(times):
        world.chance.choice(both).reset()
        await asyncio.sleep(world.chance.uniform(0.05, 0.6))
    for proxy in both:
        proxy.refuse()
    await asyncio.sleep(sizes.seconds)
    for proxy in both:
        proxy.heal()
    return f"{times} times all connections reset, then {sizes.seconds:g} s refused"


async def disk_full(world: World, sizes: Sizes) -> str:
    """Fill the filesystem that Postgres writes to."""
    if world.disk is None:
        raise NotHere("no small filesystem could be mounted (that needs root)")
    ballast = world.disk / "ballast"
    free = os.statvfs(world.disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    await asyncio.sleep(sizes.seconds)
    ballast.unlink()
    crashed = not world.postgres.is_running
    if crashed:  # a full disk under its log makes it stop; who fixes the disk starts it
        await crash_and_restart(world.postgres)
    return f"disk full for {sizes.seconds:g} s{', Postgres stopped by it' if crashed else ''}"


async def clock_jumps(world: World, sizes: Sizes) -> str:
    """Set the clocks of all services and of Postgres forwards, and back."""
    if world.clock is None:
        raise NotHere("libfaketime is not installed")
    for offset in ("+3600", "-3600", "+0"):
        world.clock.write_text(offset)
        await asyncio.sleep(1 + sizes.seconds / 2)
    return "clocks an hour ahead, an hour behind, right again"


async def slow_model(world: World, sizes: Sizes) -> str:
    """Let every call take long, and throttle some."""
    world.stub.be(Faults(latency_seconds=1.5, throttled=0.3, seed=1))
    await asyncio.sleep(2 * sizes.seconds)
    world.stub.be(CALM)
    return f"calls of 1.5 s, 30 % throttled, for {2 * sizes.seconds:g} s"


async def hanging_model(world: World, sizes: Sizes) -> str:
    """Let most calls never be answered, then fail all."""
    world.stub.be(Faults(hanging=0.7, seed=2))
    await asyncio.sleep(2 * sizes.seconds)
    world.stub.be(Faults(failing=1))
    await asyncio.sleep(sizes.seconds)
    world.stub.be(CALM)
    return f"70 % of calls hang for {2 * sizes.seconds:g} s, then all fail for {sizes.seconds:g} s"


async def lying_model(world: World, sizes: Sizes) -> str:
    """Let replies be no verdicts, cut short, or of another model."""
    for lie in ("malformed", "truncated", "other_model"):
        world.stub.be(Faults(**{lie: 1}))
        await asyncio.sleep(sizes.seconds / 2)
    world.stub.be(CALM)
    return f"no reply a verdict for {1.5 * sizes.seconds:g} s: malformed, cut, of another model"


SCENARIOS: Final[dict[str, Inject]] = {
    inject.__name__: inject
    for inject in (
        random_kills, postgres_crashes, rabbit_crashes, memory_alarm, deleted_queues, half_open,
        stalls, resets, disk_full, clock_jumps, slow_model, hanging_model, lying_model,
    )
}  # fmt: skip
