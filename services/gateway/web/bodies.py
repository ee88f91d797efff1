"""Reads JSON bodies with the models that also describe them, strictly, and names all problems."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final, TypeVar

import orjson
from aiohttp import ClientError, hdrs, web
from pydantic import BaseModel, ValidationError

from medvid.benchmark.report import Problem
from medvid.models.problems import problem_of
from services.gateway.web.endpoints import JSON
from services.gateway.web.errors import RefusedBody
from shared.runtime.errors import InvalidInput, TooLarge

_SECONDS: Final = 10.0
LARGEST_BODY: Final = 1 << 16
_WORD: Final = r"[!#$%&'*+.^_`|~0-9a-z-]+"
_MEDIA_TYPE: Final = re.compile(f"{_WORD}/{_WORD}")
_NO_TYPE: Final = "application/octet-stream"


def media_type(request: web.Request) -> str:
    """Return the media type of a body, without parameters; the general one where there is none.

    The library's own reading decodes parameters with any charset that a client names, and fails
    with some of them.
    """
    found = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return found if _MEDIA_TYPE.fullmatch(found) else _NO_TYPE


BodyT = TypeVar("BodyT", bound=BaseModel)


async def body_of(
    request: web.Request, model: type[BodyT], *, largest: int = LARGEST_BODY
) -> BodyT:
    """Return the body of a request, at most `largest` bytes.

    Raises InvalidInput (not JSON by its type, too slow), TooLarge, RefusedBody.
    """
    found = media_type(request)
    if found != JSON or "Content-Encoding" in request.headers:
        raise InvalidInput(
            f"the body is {found}, not plain {JSON}.",
            fix=f"Send JSON with 'Content-Type: {JSON}'.",
            code="unsupported_media_type",
        )
    content = await read_body(request, largest, _cut_off)
    try:
        # orjson refuses NaN and deep nesting, which the model's own reader would take. Strict: a
        # number that came as a text or as true is a mistake that is better refused.
        orjson.loads(content)
        return model.model_validate_json(content, strict=True)
    except orjson.JSONDecodeError as error:
        problem = Problem("invalid_json", "$", f"{error}", "a JSON object", "Send valid JSON.")
        raise RefusedBody([problem]) from None
    except ValidationError as error:
        raise RefusedBody(
            [problem_of(found) for found in error.errors(include_url=False)]
        ) from None


async def read_body(
    request: web.Request, largest: int, cut_off: Callable[[], InvalidInput]
) -> bytes:
    """Return a body's bytes; raises TooLarge, InvalidInput (too slow), and `cut_off()`."""
    content = bytearray()
    if (request.content_length or 0) > largest:
        raise _too_large(largest)
    try:
        async with asyncio.timeout(_SECONDS):
            while piece := await request.content.readany():
                content += piece
                if len(content) > largest:
                    raise _too_large(largest)
    except TimeoutError:
        raise InvalidInput(
            f"the body did not come within {_SECONDS:.0f} s.",
            fix="Send it again over a faster connection.",
            code="body_too_slow",
        ) from None
    except (web.RequestPayloadError, ClientError, ConnectionError):
        raise cut_off() from None
    return bytes(content)


def _too_large(largest: int) -> TooLarge:
    return TooLarge(f"the body has more than {largest:,} bytes.", fix="Send less.")


def _cut_off() -> RefusedBody:
    problem = Problem("cut_off", "$", "a part of it", "the whole body", "Send it again.")
    return RefusedBody([problem])
