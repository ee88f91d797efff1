"""Cyclic garbage collection around work that makes many objects and no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Pause the cyclic collector; reference counting goes on and frees nearly everything.

    Scoring keeps a growing heap of records alive, which the collector would scan again and again
    for cycles that are not there: on 16 test sets at once that took 40 % of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
