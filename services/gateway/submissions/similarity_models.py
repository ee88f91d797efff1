"""What the API answers about similarities: shown beside the scores, never ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from medvid.benchmark.disclosure import (
    SIMILARITY_DECIMALS,
    Withheld,
    about,
    few,
    few_in,
    rounded,
)
from medvid.models.entries import Similarity, SourceSimilarity

KEYS: Final = ("vs_similarity", "rc_similarity", "dvc_similarity")
_DENSE: Final = "dvc_similarity"
"""A record of it makes any number of pairs."""


def _within_source(
    found: Mapping[str, Any], why: Withheld | None, *, dense: bool
) -> SourceSimilarity:
    """Build the response from a stored similarity."""
    if why is not None:
        return SourceSimilarity(value=None, pairs=None, withheld=why)
    pairs = about(found["pairs"]) if dense else found["pairs"]
    return SourceSimilarity(value=rounded(found["value"], SIMILARITY_DECIMALS), pairs=pairs)


def _similarity(found: Mapping[str, Any], *, dense: bool) -> Similarity:
    """Build the response from a stored similarity."""
    parts = found["by_source"]
    # The version before stored no samples.
    samples = {source: part.get("samples", part["pairs"]) for source, part in parts.items()}
    why = few(min(found["pairs"], sum(samples.values())))
    withheld = dict.fromkeys(parts, why) if why else few_in(samples)
    own = _within_source(found, why, dense=dense)
    distinct = about(found["distinct_pairs"]) if dense else found["distinct_pairs"]
    return Similarity(
        value=own.value,
        pairs=own.pairs,
        withheld=why,
        distinct_pairs=None if why else distinct,
        by_source={
            source: _within_source(part, withheld[source], dense=dense)
            for source, part in parts.items()
        },
    )


def similarities(stored: Mapping[str, Any]) -> dict[str, Similarity | None]:
    """Return all similarities by key, null for one that is not measured (yet)."""
    return {
        key: _similarity(stored[key], dense=key == _DENSE) if key in stored else None
        for key in KEYS
    }
