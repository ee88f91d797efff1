"""Addresses that people guess lead to the page that they mean."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from yarl import URL

from services.gateway.web.endpoints import Handle
from services.gateway.web.urls import GUESSED, SLASHED, address_of, inside, url

_CACHE: Final = "public, max-age=86400"


def redirect_routes() -> list[web.RouteDef]:
    """Return the routes of guesses, and of addresses with a slash at their end."""
    guessed = [web.get(path, _to(name)) for path, name in GUESSED.items()]
    return [*guessed, web.get(SLASHED, _without_slash)]


def _to(name: str) -> Handle:
    async def redirect(request: web.Request) -> web.Response:
        return moved(url(name), request)

    return redirect


async def _without_slash(request: web.Request) -> web.Response:
    address = address_of(request.match_info["path"])
    there = request.clone(rel_url=URL(inside(address), encoded=True))
    if (await request.app.router.resolve(there)).http_exception is not None:
        raise web.HTTPNotFound
    return moved(address, request)


def moved(address: str, request: web.Request) -> web.Response:
    """Return the answer that sends a caller on, with what was asked there."""
    query = request.rel_url.raw_query_string
    where = f"{address}?{query}" if query else address
    return web.Response(status=301, headers={"Location": where, "Cache-Control": _CACHE})
