"""How much work goes where: pairs in a batch, batches on the bus, batches that a replica holds.

All follow what is measured. A batch is about a second of one replica's calls, so a replica settles
about one a second, whatever its provider's latency. On the bus is twice what the live replicas
hold, so the next batch waits there while others are judged. A replica takes another batch when a
call of its own would else be idle, and holds none that it cannot begin soon.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

BATCH_SECONDS: Final = 1.0
USUAL_PAIRS: Final = 8
"""Pairs in a batch that is cut by no rate."""
MOST_PAIRS: Final = 64
LEAST_WINDOW: Final = 16
"""Batches on the bus: so few replicas are fed while nobody has announced what is held."""
_WINDOW_FACTOR: Final = 2
_KEPT: Final = 0.8
"""Of the mean size of a batch, at each that is taken."""


def batch_pairs(rate: float, pairs: int, replicas: int, most: int | None = None) -> int:
    """Return how many pairs a batch gets of a run that has `pairs` open.

    `rate`: pairs that one replica judges a second; `most`: the operator's limit. Where there are
    pairs enough, each replica gets a batch.
    """
    share = math.ceil(pairs / max(1, replicas))
    return max(1, min(round(rate * BATCH_SECONDS), share, most or MOST_PAIRS))


def window(held: int, most: int | None = None) -> int:
    """Return how many batches may be on the bus while live replicas hold or want `held`."""
    size = max(LEAST_WINDOW, _WINDOW_FACTOR * held)
    return size if most is None else min(size, most)


@dataclass(slots=True)
class Places:
    """How many batches this replica takes at a time; `now` is what it asks its bus for."""

    now: int = 1
    _pairs: Counter[str] = field(default_factory=Counter, init=False)
    """Pairs under way, by the judge version that is asked."""
    _batches: int = field(default=0, init=False)
    _size: float = field(default=USUAL_PAIRS, init=False)

    @contextmanager
    def batch(self, pairs: int) -> Iterator[None]:
        """Count a batch with `pairs` open pairs as one that is held."""
        self._size = _KEPT * self._size + (1 - _KEPT) * max(1, pairs)
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1

    @contextmanager
    def pair(self, judge_version: str) -> Iterator[None]:
        """Count a pair as one that waits for a call, or for its answer."""
        self._pairs[judge_version] += 1
        try:
            yield
        finally:
            self._pairs[judge_version] -= 1

    def follow(self, allowed: Mapping[str, int]) -> int:
        """Return how many places there are from now on.

        `allowed`: how many calls may be open now, by judge version. Calls that have no pair ask for
        more batches; two batches' pairs that wait for calls mean one place less.
        """
        idle = sum(max(0, calls - self._pairs[each]) for each, calls in allowed.items())
        waiting = sum(max(0, self._pairs[each] - calls) for each, calls in allowed.items())
        if idle:
            wanted = self._batches + math.ceil(idle / self._size)
            # Where one judge of a panel is slow, its batches must not pile up here for the others'.
            most = math.ceil(2 * sum(allowed.values()) / self._size) + 1
            self.now = max(self.now, min(wanted, most))
        elif waiting > 2 * self._size:
            self.now = max(1, self.now - 1)
        return self.now
