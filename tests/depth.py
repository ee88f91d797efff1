"""How deep a run looks: `./scripts/test` quickly, `./scripts/test all` (`--deep`) everywhere.

A test marked `deep` runs in the second alone. Of its kind some run in the first, too.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import settings

VARIABLE: Final = "MEDVID_TESTS_DEEP"
deep: Final = pytest.mark.deep
_SHARE: Final = 4


def is_deep() -> bool:
    """Whether this run is a deep one."""
    return VARIABLE in os.environ


def examples(count: int) -> int:
    """Return how many examples are tried: all, or a share that still finds plain mistakes."""
    return count if is_deep() else max(20, count // _SHARE)


def load_profile() -> None:
    """Make it so for the properties that say no number of their own."""
    settings.register_profile("quick", max_examples=examples(100), deadline=None)
    settings.register_profile("deep", max_examples=500, deadline=None)
    settings.load_profile("deep" if is_deep() else "quick")
