"""Reads the forms of the administrators' pages: in UTF-8 and nothing else, within a few bytes.

The library decodes a form with whatever charset it names: some fail, and `punycode` takes minutes
for a megabyte, while nobody else is served.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from multidict import MultiDict, MultiDictProxy

from services.gateway.pages.admin_form_fields import FILE, Fields
from services.gateway.submissions.receiver import FORM_TYPE
from services.gateway.web.bodies import media_type, read_body
from services.gateway.web.multipart import (
    FormDataParser,
    MalformedForm,
    PartBegins,
    PartData,
    PartEnds,
    boundary_of,
)
from shared.runtime.errors import InvalidInput

PLAIN: Final = 1 << 14
"""The bytes of a form of a browser that has not signed in."""
LARGEST: Final = 1 << 20
_FIELDS: Final = 2_000
_URL_ENCODED: Final = "application/x-www-form-urlencoded"


async def read_form(request: web.Request, largest: int) -> Fields:
    """Return the fields of a form; raises InvalidInput, TooLarge."""
    sent = media_type(request)
    if sent not in (_URL_ENCODED, FORM_TYPE):
        raise InvalidInput(
            f"the body is {sent}, not a form.",
            fix="Load the page anew.",
            code="unsupported_media_type",
        )
    body = await read_body(request, largest, _malformed)
    if sent == FORM_TYPE:
        return _parts(body, boundary_of(request.headers.get(hdrs.CONTENT_TYPE, "")))
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise _malformed() from None
    return MultiDictProxy(MultiDict(pairs))


def _parts(body: bytes, boundary: bytes) -> Fields:
    fields: MultiDict[str | bytes] = MultiDict()
    parser = FormDataParser(boundary)
    name, data = "", bytearray()
    for event in parser.feed(body):
        match event:
            case PartBegins(begun):
                name, data = begun, bytearray()
            case PartData(piece):
                data += piece
            case PartEnds():
                fields.add(name, bytes(data) if name == FILE else _text(data))
    parser.finish()
    return MultiDictProxy(fields)


def _text(data: bytearray) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _malformed() from None


def _malformed() -> MalformedForm:
    return MalformedForm("the form cannot be read.", fix="Load the page anew.")
