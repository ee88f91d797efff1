"""How deep a run looks: `./scripts/test` quickly, `./scripts/test all` (`--deep`) everywhere.

A test marked `deep` runs in the second alone. Of its kind some run in the first, too.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

VARIABLE: Final = "MEDVID_TESTS_DEEP"
deep: Final = pytest.mark.deep
_SHARE: Final = 4


def is_deep() -> bool:
    """Whether this run is a deep one."""
    return VARIABLE in os.environ


def examples(count: int) -> int:
    """Return how many examples are tried: all, or a share that still finds plain mistakes."""
    return count if is_deep() else max(20, count // _SHARE)
