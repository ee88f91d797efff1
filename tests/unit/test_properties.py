"""Where properties may be: what tries examples is set up for unit tests alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITH_ITS_OWN = "tests/acceptance/schemathesis_hooks.py"
"""Loaded by schemathesis' command."""


def test_hypothesis_is_imported_by_unit_tests_alone() -> None:
    """Elsewhere its profile would be missing, and each process would import it for nothing."""
    found = subprocess.run(
        ["git", "grep", "-lE", "^(import|from) hypothesis", "tests", ":!tests/unit"],  # noqa: S607
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert found.stdout.split() == [WITH_ITS_OWN]
