"""Addresses of the system's status."""

from __future__ import annotations

from aiohttp import web

from services.gateway.status.current import StatusReader
from services.gateway.status.wire import Status
from services.gateway.web.endpoints import Endpoint, json_reply
from services.gateway.web.responses import send


def status_endpoints(reader: StatusReader) -> list[Endpoint]:
    """Return the endpoint that tells whether everything is moving."""

    async def read(request: web.Request) -> web.Response:
        return send(request, (await reader.ready()).json)

    return [
        Endpoint(
            "GET",
            "/status",
            read,
            summary="Is everything moving?",
            tag="status",
            replies={200: json_reply("The system's status.", Status, etag=True)},
            description="Stages of a submission's way with what waits, for how long, and an "
            "estimate; whether judging is up; how fresh the boards are. It answers also when the "
            "database does not: the state then is unknown.",
        )
    ]


def status_pages(reader: StatusReader) -> list[web.RouteDef]:
    """Return the page for people."""

    async def page(request: web.Request) -> web.Response:
        return send(request, (await reader.ready()).page)

    return [web.get("/status", page)]
