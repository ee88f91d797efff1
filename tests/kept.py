# ruff: noqa: SLF001 - it knows what pools are made of
"""What lives on from test to test: workers, compiled templates, schemas, pages about the API.

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

import orjson
import pytest
from aiohttp import web

from services.gateway import app
from services.gateway.pages.description import Description, description_routes
from services.gateway.pages.rendering import Pages
from services.gateway.web import openapi
from services.gateway.web.site import Site
from shared.runtime import workers

_Key = tuple[Callable[..., object] | None, tuple[object, ...]]
_kept: dict[_Key, list[tuple[BaseProcess, Connection]]] = defaultdict(list)
_start = workers._Worker.start
_close = workers.WorkerPool.close
_pages = cache(app.Pages)
_schemas = cache(openapi.Schemas)
_routes: dict[tuple[int, Site, bytes], list[web.RouteDef]] = {}


def keep(patch: pytest.MonkeyPatch) -> None:
    """Let services leave to those that come after them what would be the same."""
    patch.setattr(app, "Pages", _pages)
    patch.setattr(openapi, "Schemas", lambda models: _schemas(tuple(models)))
    patch.setattr(app, "description_routes", _make_or_take_routes)
    patch.setattr(workers._Worker, "start", _start_or_take)
    patch.setattr(workers.WorkerPool, "close", _close_and_leave)


def _make_or_take_routes(description: Description, pages: Pages, site: Site) -> list[web.RouteDef]:
    """Draw the pages about the API once for each document: 50 ms of each start of a gateway."""
    key = id(pages), site, orjson.dumps(description.document)
    if key not in _routes:
        _routes[key] = description_routes(description, pages, site)
    return _routes[key]


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
