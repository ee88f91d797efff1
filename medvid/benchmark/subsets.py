"""Fixed subsets of a test set: drawn once, kept in a file, the same for every run and score.

A score over a subset is not comparable with one over the whole test set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

_VERSION: Final = 1
_VERSION_FIELD: Final = "medvid_subset"


class Named(Protocol):
    """A sample as far as a subset knows it: an item of a test set, a sample of a ground truth."""

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def qa_type(self) -> str: ...  # noqa: D102


class InvalidSubset(ValueError):
    """The file is no subset, or one of another test set; the text says why."""


def draw(samples: Iterable[Named], per_type: int, seed: int) -> list[int]:
    """Return the indices of at most `per_type` samples of each qa_type, in test-set order.

    They follow from seed, index and id alone; a larger draw of one seed holds the smaller one.
    """
    by_type: dict[str, list[Named]] = {}
    for sample in samples:
        by_type.setdefault(sample.qa_type, []).append(sample)
    drawn = (sorted(group, key=lambda sample: _place(sample, seed))[:per_type]
             for group in by_type.values())  # fmt: skip
    return sorted(sample.index for group in drawn for sample in group)


def _place(sample: Named, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{sample.index}\0{sample.id}".encode()).digest()


def dump(samples: Sequence[Named], indices: Iterable[int], described: Mapping[str, Any]) -> bytes:
    """Return a subset file; `described` says how it was drawn."""
    rows = [{"index": (s := samples[i]).index, "id": s.id, "qa_type": s.qa_type} for i in indices]
    document = {_VERSION_FIELD: _VERSION, **described, "samples": rows}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def load(data: bytes, samples: Sequence[Named]) -> list[int]:
    """Return the indices a subset file names; raises InvalidSubset where one is another sample."""
    try:
        document = orjson.loads(data)
        rows = document["samples"] if document[_VERSION_FIELD] == _VERSION else ()
        named = [(int(row["index"]), row["id"], row["qa_type"]) for row in rows]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise InvalidSubset("This is no subset: 'medvid sample' makes one.") from None
    for index, identity, qa_type in named:
        if not 0 <= index < len(samples) or (samples[index].id, samples[index].qa_type) != (
            identity, qa_type,
        ):  # fmt: skip
            raise InvalidSubset(
                f"The subset was drawn from another test set: its sample {index} is {identity!r} "
                f"({qa_type})."
            )
    return sorted({index for index, _, _ in named})
