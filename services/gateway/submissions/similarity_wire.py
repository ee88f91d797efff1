"""What the API answers about similarities: shown beside the scores, never ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from medvid.benchmark.disclosure import SIMILARITY_DECIMALS, Withheld, few, rounded
from services.gateway.http.wire import Answer

KEYS: Final = ("vs_similarity", "rc_similarity", "dvc_similarity")


class SourceSimilarity(Answer):
    """A similarity within one source dataset."""

    value: float | None = Field(description="of 2 decimals")
    pairs: int | None = Field(description="null: withheld with the value")
    withheld: Withheld | None = Field(None, description="why there is no value; null: none is")

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> SourceSimilarity:
        """Return a stored similarity as it is told."""
        pairs, why = found["pairs"], few(found["pairs"])
        if why is not None:
            return cls(value=None, pairs=None, withheld=why)
        return cls(value=rounded(found["value"], SIMILARITY_DECIMALS), pairs=pairs)


class Similarity(SourceSimilarity):
    """Mean cosine similarity of captions and references, by MiniLM sentence embeddings."""

    value: float | None = Field(description="from -1 to 1, of 2 decimals")
    distinct_pairs: int | None
    by_source: dict[str, SourceSimilarity]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Similarity:
        """Return a stored similarity as it is told."""
        whole = SourceSimilarity.of(found)
        return cls(
            value=whole.value,
            pairs=whole.pairs,
            withheld=whole.withheld,
            distinct_pairs=None if whole.withheld else found["distinct_pairs"],
            by_source={
                source: SourceSimilarity.of(part) for source, part in found["by_source"].items()
            },
        )


def similarities(stored: Mapping[str, Any]) -> dict[str, Similarity | None]:
    """Return all similarities by key, null for one that is not measured (yet)."""
    return {key: Similarity.of(stored[key]) if key in stored else None for key in KEYS}
