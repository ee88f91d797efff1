"""What request headers mean for the choice of an answer (RFC 9110)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MAX_HEADER: Final = 8192


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether gzip is acceptable: named or `*`, with a weight above zero (12.5.3)."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameters = item.partition(";")
        weights[coding.strip()] = _weight(parameters)
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return weight > 0


def _weight(parameters: str) -> float:
    name, separator, value = parameters.partition("=")
    if not separator or name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@lru_cache(maxsize=256)
def negotiate(accept: str, offered: tuple[str, ...]) -> str | None:
    """Return which of the media types offered an Accept header prefers; None: not one (12.5.1).

    The most specific range decides about a type; among equals the first offered wins.
    """
    ranges: dict[str, float] = {}
    for item in accept[:_MAX_HEADER].lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name:
            ranges[name] = next((_weight(p) for p in parameters if p.startswith("q=")), 1.0)
    if not ranges:
        return offered[0]
    weights = [_weight_of(media_type, ranges) for media_type in offered]
    best = max(weights)
    return offered[weights.index(best)] if best > 0 else None


def _weight_of(media_type: str, ranges: dict[str, float]) -> float:
    group = media_type.partition("/")[0]
    return ranges.get(media_type, ranges.get(f"{group}/*", ranges.get("*/*", 0.0)))


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Tell whether an If-None-Match lists this entity tag, compared weakly (13.1.2)."""
    if if_none_match == etag or if_none_match.strip() == "*":
        return True
    if len(if_none_match) > _MAX_HEADER:
        return False
    wanted = etag.removeprefix("W/")
    return any(found[1] == wanted for found in _ENTITY_TAG.finditer(if_none_match))
