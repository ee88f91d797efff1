"""Answers made once and sent many times: bytes, gzip bytes and headers for each."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from typing import Final

from multidict import CIMultiDict

SERVER: Final = "medvidbench"
"""Sent in place of the library's name and version."""
GZIP_LEVEL: Final = 6
_NOT_SENT_WITH_304: Final = ("Content-Type", "Content-Encoding")


@dataclass(frozen=True, slots=True)
class Variant:
    """One encoding of an answer, with its own strong entity tag."""

    body: bytes
    etag: str
    headers: CIMultiDict[str]
    not_modified: CIMultiDict[str]


@dataclass(frozen=True, slots=True)
class Representation:
    """A resource's current state in both encodings."""

    identity: Variant
    gzip: Variant
    last_modified: datetime | None


def represent(
    body: bytes,
    *,
    content_type: str,
    cache_control: str,
    headers: Mapping[str, str],
    last_modified: datetime | None = None,
    gzip_level: int = GZIP_LEVEL,
) -> Representation:
    """Build both encodings of `body`; `headers` go with every answer."""
    common = {
        "Cache-Control": cache_control,
        "Content-Type": content_type,
        "Server": SERVER,
        "Vary": "Accept-Encoding",
        **headers,
    }
    if last_modified is not None:
        last_modified = last_modified.replace(microsecond=0)
        common["Last-Modified"] = format_datetime(last_modified, usegmt=True)
    digest = hashlib.sha256(body).hexdigest()[:32]
    variant = partial(_variant, common)
    return Representation(
        identity=variant(body, f'"{digest}"', {}),
        gzip=variant(
            gzip.compress(body, gzip_level, mtime=0),
            f'"{digest}-gzip"',
            {"Content-Encoding": "gzip"},
        ),
        last_modified=last_modified,
    )


def _variant(common: Mapping[str, str], body: bytes, etag: str, own: Mapping[str, str]) -> Variant:
    headers = CIMultiDict({**common, **own, "ETag": etag})
    not_modified = CIMultiDict(headers)
    for name in _NOT_SENT_WITH_304:
        not_modified.popall(name, None)
    return Variant(body, etag, headers, not_modified)
