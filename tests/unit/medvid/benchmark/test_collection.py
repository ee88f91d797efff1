"""The collector is paused within and left as it was."""

from __future__ import annotations

import gc

import pytest

from medvid.benchmark.collection import paused_collection


def test_the_collector_comes_back_even_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), paused_collection():
        _ = 1 / int(gc.isenabled())
    assert gc.isenabled()


def test_pauses_nest() -> None:
    with paused_collection():
        with paused_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
