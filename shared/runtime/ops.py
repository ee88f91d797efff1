"""Health, readiness and metrics over HTTP, the same on every service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.runtime.errors import MedvidError, Misconfigured
from shared.runtime.listening import host_and_port, open_door, serve_at
from shared.runtime.supervision import failing_tasks

_log = structlog.get_logger(__name__)
Check = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Readiness:
    """Whether this process should get work: started, not shutting down, and every check passes."""

    checks: dict[str, Check] = field(default_factory=dict)
    started: bool = False
    stopping: bool = False

    async def problems(self) -> dict[str, str]:
        """Return what keeps the process from being ready, by the name of the check."""
        if self.stopping:
            return {"lifecycle": "shutting down"}
        if not self.started:
            return {"lifecycle": "starting"}
        answers = await asyncio.gather(*(self._ask(check) for check in self.checks.values()))
        return {name: answer for name, answer in zip(self.checks, answers, strict=True) if answer}

    @staticmethod
    async def _ask(check: Check) -> str:
        try:
            async with asyncio.timeout(3):
                await check()
        except TimeoutError:
            return "did not answer within 3 s"
        except MedvidError as error:
            return error.detail
        return ""


def ops_routes(readiness: Readiness, *, metrics: bool = True) -> list[web.RouteDef]:
    """Return the routes `/healthz` (the loop turns), `/readyz` (send work) and `/metrics`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        problems = await readiness.problems()
        body = {
            "status": "unready" if problems else "ready",
            "problems": problems,
            "failing_tasks": failing_tasks(),
        }
        return web.json_response(body, status=503 if problems else 200)

    async def figures(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes = [web.get("/healthz", healthz), web.get("/readyz", readyz)]
    return [*routes, web.get("/metrics", figures)] if metrics else routes


@asynccontextmanager
async def ops_server(readiness: Readiness, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve the ops routes; yields the port. Raises Misconfigured when it is taken."""
    app = web.Application()
    app.add_routes(ops_routes(readiness))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await serve_at(runner, open_door(host, port))
        except OSError as error:
            raise Misconfigured(
                f"cannot serve health checks on {host_and_port(host, port)}: {error}.",
                fix="Set MEDVID_OPS_PORT to a free port, or to 0 for any.",
            ) from error
        bound = int(runner.addresses[0][1])
        _log.info("ops_server_listens", host=host, port=bound)
        yield bound
    finally:
        await runner.cleanup()
