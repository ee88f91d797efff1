"""How deep a run looks: `./scripts/test` quickly, `./scripts/test all` (`--deep`) everywhere.

A test marked `deep` runs in the second alone. Of its kind some run in the first, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import pytest

VARIABLE: Final = "MEDVID_TESTS_DEEP"
deep: Final = pytest.mark.deep
_SHARE: Final = 4


def is_deep() -> bool:
    """Whether this run is a deep one."""
    return VARIABLE in os.environ


def some_of(values: Iterable[Any], *each_run: Any) -> list[Any]:
    """Return parameters for a test, of which only some are tried in each run: the rest is deep."""
    values = list(values)
    assert all(value in values for value in each_run)
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=() if value in each_run else deep,
        )
        for value in values
    ]


def examples(count: int) -> int:
    """Return how many examples are tried: all, or a share that still finds plain mistakes."""
    return count if is_deep() else max(20, count // _SHARE)
