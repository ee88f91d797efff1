"""JSON of which there is one spelling: keys sorted, no white space, the shortest floats, UTF-8.

So two equal values have equal bytes, and a hash of the bytes is a hash of the value.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import orjson

_MOST_DIGITS: Final = 15
"""Of an integer: every JSON reader keeps those."""
_MOST_MARKS: Final = 10_000_000
"""Commas and brackets in one file: empty lists take twenty times as much memory as text. A board of
100,000 entries has half of them."""


class BadEvidence(ValueError):
    """An archive that cannot be read; the text says which file, and what is wrong with it."""


def canonical(value: object) -> bytes:
    """Return the one spelling of a value; raises TypeError for one that has none."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256(*parts: bytes) -> str:
    """Return the SHA-256 of bytes, one after another, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def read_json(data: bytes, where: str) -> Any:
    """Return untrusted JSON; raises BadEvidence.

    Refused are duplicate names, NaN, numbers that are not finite, long integers, lone surrogates,
    deep nesting, and more values than memory should be spent on.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_MARKS:
        raise BadEvidence(f"{where} has more than {_MOST_MARKS:,} values.")
    try:
        found = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_number,
        )
        orjson.dumps(found)  # refuses what is no text, and what is nested too deeply
    except RecursionError:
        raise BadEvidence(f"{where} is nested too deeply.") from None
    except (ValueError, TypeError) as error:
        raise BadEvidence(f"{where} is not the JSON that it should be: {error}.") from None
    return found


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in one object")
    return found


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"an integer has {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text[:40]} is too large a number")
    return found
