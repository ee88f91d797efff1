# ruff: noqa: SLF001 - it knows what pools are made of
"""What lives on from test to test: worker processes, compiled templates, schemas of models.

Hundreds of tests start a service in this process, and each would make the same anew.
What a worker keeps between jobs is what it is made to keep: the ground truth it last used.
"""

from __future__ import annotations

import atexit
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from services.gateway import app
from services.gateway.web import openapi
from shared.runtime import workers

_Key = tuple[Callable[..., object] | None, tuple[object, ...]]
_kept: dict[_Key, list[tuple[BaseProcess, Connection]]] = defaultdict(list)
_start = workers._Worker.start
_close = workers.WorkerPool.close
_pages = cache(app.Pages)
_schemas = cache(openapi.Schemas)


def keep(patch: pytest.MonkeyPatch) -> None:
    """Let services leave to those that come after them what would be the same."""
    patch.setattr(app, "Pages", _pages)
    patch.setattr(openapi, "Schemas", lambda models: _schemas(tuple(models)))
    patch.setattr(workers._Worker, "start", _start_or_take)
    patch.setattr(workers.WorkerPool, "close", _close_and_leave)


def _start_or_take(worker: Any) -> None:
    kept = _kept[worker._initializer, worker._initargs]
    while worker._process is None and kept:
        process, pipe = kept.pop()
        if process.is_alive():
            worker._process, worker._pipe = process, pipe
    _start(worker)


@atexit.register
def _end_all() -> None:
    for kept in _kept.values():
        for process, _ in kept:
            process.kill()  # they take no other signal


async def _close_and_leave(pool: Any) -> None:
    while not pool._idle.empty():
        worker = pool._idle.get_nowait()
        if worker._process is not None and worker._process.is_alive():
            _kept[worker._initializer, worker._initargs].append((worker._process, worker._pipe))
            worker._process = worker._pipe = None
    await _close(pool)
