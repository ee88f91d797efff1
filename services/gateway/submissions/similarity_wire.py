"""What the API answers about similarities: shown beside the scores, never ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from services.gateway.http.wire import Answer

KEYS: Final = ("vs_similarity", "rc_similarity", "dvc_similarity")


class SourceSimilarity(Answer):
    """A similarity within one source dataset."""

    value: float | None
    pairs: int


class Similarity(Answer):
    """Mean cosine similarity of captions and references, by MiniLM sentence embeddings."""

    value: float | None = Field(description="from -1 to 1; null where there is no pair")
    pairs: int
    distinct_pairs: int
    by_source: dict[str, SourceSimilarity]


def similarities(stored: Mapping[str, object]) -> dict[str, Similarity | None]:
    """Return all similarities by key, null for one that is not measured (yet)."""
    return {key: Similarity.model_validate(stored[key]) if key in stored else None for key in KEYS}
