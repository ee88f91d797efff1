"""Ways to answer: ready bytes with validators, and models as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from pydantic import BaseModel

from services.gateway.web.endpoints import JSON
from services.gateway.web.negotiation import accepts_gzip, etag_matches
from services.gateway.web.representations import Representation

PRIVATE: Final = {"Cache-Control": "no-store", "Vary": "Authorization"}


def send(request: web.Request, representation: Representation) -> web.Response:
    """Answer with ready bytes, or 304 where the client has them.

    Each response gets a copy of the ready headers, which are shared, so that handlers can add more.
    """
    asked = request.headers
    gzip_accepted = accepts_gzip(asked.get(hdrs.ACCEPT_ENCODING, ""))
    variant = representation.gzip if gzip_accepted else representation.identity
    tags = asked.get(hdrs.IF_NONE_MATCH)
    if tags is not None:
        if etag_matches(tags, variant.etag):
            return web.Response(status=304, headers=variant.not_modified.copy())
    elif hdrs.IF_MODIFIED_SINCE in asked and representation.last_modified is not None:
        since = request.if_modified_since
        if since is not None and representation.last_modified <= since:
            return web.Response(status=304, headers=variant.not_modified.copy())
    return web.Response(body=variant.body, headers=variant.headers.copy())


def json_response(
    body: BaseModel, status: int = 200, headers: Mapping[str, str] = PRIVATE
) -> web.Response:
    """Answer with a model as JSON, private by default and never stored."""
    return web.Response(
        text=body.model_dump_json(), status=status, content_type=JSON, headers=headers
    )
