# ruff: noqa: SLF001 - it knows what pools are made of
"""What lives on from test to test: workers, compiled templates, the description of the API and its
pages, what is compressed, boards without entries, what Postgres says of its types.

Hundreds of tests start a service in this process, and each would make the same anew: of a start's
time that was more than half.
What a worker keeps between jobs is what it is made to keep: the ground truth it last used.
"""

from __future__ import annotations

import atexit
import gzip
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import CodeType, SimpleNamespace
from typing import Any

import asyncpg
import jinja2
import orjson
import pytest
from aiohttp import web

from services.gateway import app, parts
from services.gateway.boards.current import Boards, ReadyBoard
from services.gateway.boards.models import MeasuredBoard
from services.gateway.pages import description
from services.gateway.pages.description import Description, description_routes
from services.gateway.pages.rendering import Pages
from services.gateway.web import openapi, representations
from services.gateway.web.endpoints import Endpoint
from services.gateway.web.openapi import OutgoingCall
from services.gateway.web.site import Site, site
from shared.runtime import workers

_Key = tuple[Callable[..., object] | None, tuple[object, ...]]
_kept: dict[_Key, list[tuple[BaseProcess, Connection]]] = defaultdict(list)
_start = workers._Worker.start
_close = workers.WorkerPool.close
_pages = cache(parts.Pages)
_schemas = cache(openapi.Schemas)
_routes: dict[tuple[int, Site, int], list[web.RouteDef]] = {}
_documents: dict[str, dict[str, Any]] = {}
_dumped: dict[int, bytes] = {}
_introspect = asyncpg.Connection._introspect_types
_types: dict[frozenset[int], Any] = {}
_FIRST_THAT_VERSIONS_NUMBER = 10_000
_STATEMENT = SimpleNamespace(name="")
_compile = jinja2.Environment.compile
_compiled: dict[tuple[str, ...], CodeType] = {}
_build = Boards._build
_empty: dict[tuple[object, str, str], ReadyBoard] = {}
_compress = lru_cache(maxsize=512)(gzip.compress)
_STATED = [field.name for field in fields(Endpoint) if field.name != "handler"]


def keep(patch: pytest.MonkeyPatch) -> None:
    """Let services leave to those that come after them what would be the same."""
    patch.setattr(parts, "Pages", _pages)
    patch.setattr(jinja2.Environment, "compile", _compile_or_take)
    patch.setattr(asyncpg.Connection, "_introspect_types", _introspect_or_take)
    patch.setattr(openapi, "Schemas", lambda models: _schemas(tuple(models)))
    patch.setattr(app, "description_routes", _make_or_take_routes)
    patch.setattr(description, "openapi_document", _make_or_take_document)
    patch.setattr(description, "orjson", SimpleNamespace(dumps=_dump_or_take))
    patch.setattr(representations, "gzip", SimpleNamespace(compress=_compress))
    patch.setattr(Boards, "_build", _build_or_take)
    patch.setattr(workers._Worker, "start", _start_or_take)
    patch.setattr(workers.WorkerPool, "close", _close_and_leave)


def _make_or_take_routes(description: Description, pages: Pages, site: Site) -> list[web.RouteDef]:
    """Draw the pages about the API once for each document: 50 ms of each start of a gateway."""
    key = id(pages), site, id(description.document)
    if key not in _routes:
        _routes[key] = description_routes(description, pages, site)
    return _routes[key]


def _make_or_take_document(
    endpoints: Sequence[Endpoint], webhooks: Sequence[OutgoingCall]
) -> dict[str, Any]:
    """Describe the same operations of the same site once: 100 ms of each start of a gateway."""
    stated = [[getattr(endpoint, name) for name in _STATED] for endpoint in endpoints]
    key = repr((stated, webhooks, site()))
    if key not in _documents:
        _documents[key] = openapi.openapi_document(endpoints, webhooks)
        _dumped[id(_documents[key])] = orjson.dumps(_documents[key])
    return _documents[key]


def _dump_or_take(document: dict[str, Any]) -> bytes:
    """Take what was written of a document that is kept: 3 ms of each start of a gateway."""
    return _dumped.get(id(document)) or orjson.dumps(document)


def _compile_or_take(environment: jinja2.Environment, source: str, *names: str) -> CodeType:
    """Compile each template once, whatever site its pages are for."""
    if (source, *names) not in _compiled:
        _compiled[source, *names] = _compile(environment, source, *names)
    return _compiled[source, *names]


async def _introspect_or_take(
    connection: Any, oids: set[int], seconds: float
) -> tuple[Any, SimpleNamespace]:
    """Ask once what the arrays are that come with Postgres: 5 ms of each new connection."""
    key = frozenset(oids)
    if key not in _types:
        found, _ = await _introspect(connection, oids, seconds)
        if max(oids) >= _FIRST_THAT_VERSIONS_NUMBER:
            return found, _STATEMENT
        _types[key] = found
    return _types[key], _STATEMENT


def _build_or_take(
    boards: Boards, snapshot_id: int, board: MeasuredBoard, valueless: frozenset[Any]
) -> ReadyBoard:
    """Draw a board without entries, as each gateway begins with, once for the same pages."""
    if snapshot_id or board.entries or valueless:
        return _build(boards, snapshot_id, board, valueless)
    key = boards._render, board.board, board.scoring
    if key not in _empty:
        _empty[key] = _build(boards, snapshot_id, board, valueless)
    return _empty[key]


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
