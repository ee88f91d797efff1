"""What the API answers about similarities: shown beside the scores, never ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from medvid.benchmark.disclosure import (
    SIMILARITY_DECIMALS,
    Withheld,
    about,
    few,
    few_in,
    rounded,
)
from services.gateway.web.models import Answer

KEYS: Final = ("vs_similarity", "rc_similarity", "dvc_similarity")
_DENSE: Final = "dvc_similarity"
"""A record of it makes any number of pairs."""


class SourceSimilarity(Answer):
    """A similarity within one source dataset."""

    value: float | None = Field(description="of 2 decimals")
    pairs: int | None = Field(
        description="null: withheld with the value; of dense captions to two digits"
    )
    withheld: Withheld | None = Field(None, description="why there is no value; null: none is")

    @classmethod
    def of(cls, found: Mapping[str, Any], why: Withheld | None, *, dense: bool) -> SourceSimilarity:
        """Build the response from a stored similarity."""
        if why is not None:
            return cls(value=None, pairs=None, withheld=why)
        pairs = about(found["pairs"]) if dense else found["pairs"]
        return cls(value=rounded(found["value"], SIMILARITY_DECIMALS), pairs=pairs)


class Similarity(SourceSimilarity):
    """Mean cosine similarity of captions and references, by MiniLM sentence embeddings."""

    value: float | None = Field(description="from -1 to 1, of 2 decimals")
    distinct_pairs: int | None
    by_source: dict[str, SourceSimilarity]

    @classmethod
    def whole(cls, found: Mapping[str, Any], *, dense: bool) -> Similarity:
        """Build the response from a stored similarity."""
        parts = found["by_source"]
        # The version before stored no samples.
        samples = {source: part.get("samples", part["pairs"]) for source, part in parts.items()}
        why = few(min(found["pairs"], sum(samples.values())))
        withheld = dict.fromkeys(parts, why) if why else few_in(samples)
        own = SourceSimilarity.of(found, why, dense=dense)
        distinct = about(found["distinct_pairs"]) if dense else found["distinct_pairs"]
        return cls(
            value=own.value,
            pairs=own.pairs,
            withheld=why,
            distinct_pairs=None if why else distinct,
            by_source={
                source: SourceSimilarity.of(part, withheld[source], dense=dense)
                for source, part in parts.items()
            },
        )


def similarities(stored: Mapping[str, Any]) -> dict[str, Similarity | None]:
    """Return all similarities by key, null for one that is not measured (yet)."""
    return {
        key: Similarity.whole(stored[key], dense=key == _DENSE) if key in stored else None
        for key in KEYS
    }
