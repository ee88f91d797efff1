"""A fleet played in time that is only counted: each further replica brings its calls.

Played are the rules of `sizing` with what lies around them: a relay that takes a tenth of a second,
settling, announcements every two seconds, calls that begin with two at a time, and latencies that
differ. `benchmarks/judge_fleet.py` measures the same with real processes.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import pytest

from services.judge.fleet import ANNOUNCE_SECONDS
from services.judge.sizing import Places, batch_pairs, window
from tests.depth import deep

RELAY_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 0.05
PLACES_SECONDS: Final = 0.25
SENDING_SECONDS: Final = 1.0
VERSION: Final = "v"


@dataclass
class Clock:
    """What happens when."""

    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), happens))

    def every(self, seconds: float, happens: Callable[[], None], first: float) -> None:
        def again() -> None:
            happens()
            self.after(seconds, again)

        self.after(first, again)

    def run(self, until: float) -> None:
        while self._events[0][0] < until:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        self.now = until


@dataclass
class Fleet:
    """Replicas and the bus between them; `left` pairs are planned."""

    clock: Clock
    calls: int
    latency: float
    pairs: int
    left: int
    chance: random.Random
    sent: int = 0
    waiting: int = 0
    answers: int = 0
    replicas: list[Replica] = field(default_factory=list)

    def send(self) -> None:
        held = sum(each.announced for each in self.replicas)
        while self.left > 0 and self.sent < window(held):
            self.left -= self.pairs
            self.sent += 1
            self.clock.after(RELAY_SECONDS, self.arrive)

    def arrive(self) -> None:
        self.waiting += 1
        self.deliver()

    def deliver(self) -> None:
        for each in self.chance.sample(self.replicas, len(self.replicas)):
            while self.waiting and each.held < each.places.now:
                self.waiting -= 1
                each.take()


@dataclass
class Replica:
    """One replica: its places, the calls that it may make, the pairs that wait for one."""

    fleet: Fleet
    places: Places = field(default_factory=Places)
    limit: int = 2
    announced: int = 1
    open: int = 0
    held: int = 0
    queue: list[Callable[[], None]] = field(default_factory=list)

    def start(self) -> None:
        clock = self.fleet.clock
        clock.every(PLACES_SECONDS, self.follow, self.fleet.chance.random() * PLACES_SECONDS)
        clock.every(ANNOUNCE_SECONDS, self.announce, 0.0)

    def announce(self) -> None:
        self.announced = self.places.now

    def follow(self) -> None:
        self.places.follow({VERSION: self.limit})
        self.fleet.deliver()

    def take(self) -> None:
        batch = ExitStack()
        batch.enter_context(self.places.batch(self.fleet.pairs))
        self.held += 1
        left = self.fleet.pairs
        for _ in range(self.fleet.pairs):
            pair = ExitStack()
            pair.enter_context(self.places.pair(VERSION))

            def answered(pair: ExitStack = pair) -> None:
                nonlocal left
                pair.close()
                left -= 1
                if not left:
                    self.fleet.clock.after(SETTLE_SECONDS, lambda: self.settled(batch))

            self.queue.append(answered)
        self.call()

    def call(self) -> None:
        fleet = self.fleet
        while self.queue and self.open < self.limit:
            self.open += 1
            answered = self.queue.pop(0)
            seconds = fleet.latency * fleet.chance.uniform(0.5, 1.5)
            fleet.clock.after(seconds, lambda answered=answered: self.answer(answered))  # type: ignore[misc]

    def answer(self, answered: Callable[[], None]) -> None:
        self.open -= 1
        self.fleet.answers += 1
        self.limit = min(self.fleet.calls, self.limit + 1)
        answered()
        self.call()

    def settled(self, batch: ExitStack) -> None:
        batch.close()
        self.held -= 1
        self.fleet.sent -= 1
        self.fleet.send()
        self.fleet.deliver()


def fleet_of(replicas: int, calls: int, latency: float, pairs: int) -> Fleet:
    size = batch_pairs(calls / latency, pairs, replicas)
    clock = Clock()
    fleet = Fleet(clock, calls, latency, size, pairs, random.Random(replicas))  # noqa: S311 - a game
    fleet.replicas = [Replica(fleet) for _ in range(replicas)]
    for each in fleet.replicas:
        each.start()
    clock.every(SENDING_SECONDS, fleet.send, 0.0)
    return fleet


@pytest.mark.parametrize(
    ("replicas", "calls", "latency"),
    [
        (1, 16, 4.0),
        (16, 16, 0.5),
        (16, 16, 10.0),
        pytest.param(4, 64, 30.0, marks=deep),
        pytest.param(16, 64, 2.0, marks=deep),
    ],
)
def test_each_replica_brings_its_calls(replicas: int, calls: int, latency: float) -> None:
    fleet = fleet_of(replicas, calls, latency, pairs=10**9)
    begin = 10 * latency + 10
    fleet.clock.run(begin)
    before = fleet.answers
    fleet.clock.run(begin + 8 * latency)
    ideal = replicas * calls * 8
    assert fleet.answers - before >= 0.93 * ideal


def test_a_run_ends_with_all_replicas_at_work() -> None:
    """What they hold is so little that none is idle for long while another has pairs waiting."""
    replicas, calls, latency, pairs = 16, 16, 2.0, 5_266
    fleet = fleet_of(replicas, calls, latency, pairs)
    while fleet.answers < pairs:
        fleet.clock.run(fleet.clock.now + 0.1)
    begins = 4 * latency  # with two calls at a time, then four, eight, sixteen
    assert fleet.clock.now < pairs / (replicas * calls / latency) + begins + 3 * latency
