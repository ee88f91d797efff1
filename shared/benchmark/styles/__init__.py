"""Styles that models and tools write, and that SPEC 2 does not read as they are meant.

`tidy` rewrites a prediction into the form that is read, where that is safe; `strip_reasoning`
removes reasoning; `recognise` names the styles that a prediction has. All are linear in the text's
length. `table` says what each style does to the score, and what cures it.
"""

from __future__ import annotations

from shared.benchmark.styles.recognition import recognise
from shared.benchmark.styles.rewriting import tidy
from shared.benchmark.styles.wrappers import strip_reasoning

__all__ = ["recognise", "strip_reasoning", "tidy"]
