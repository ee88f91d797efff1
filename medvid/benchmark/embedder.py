"""What the metrics need from a sentence encoder; the adapter is `medvid.benchmark.embedding`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
"""Shape (texts, 384), each row of length 1."""


class Embedder(Protocol):
    """A sentence encoder."""

    def __call__(self, texts: Sequence[str], /) -> Embeddings:
        """Return one L2-normalised embedding a text, in order."""
