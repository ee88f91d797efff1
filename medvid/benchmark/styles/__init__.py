"""Styles that models and tools write, and that SPEC 2 does not read as they are meant.

`tidy` rewrites a prediction into the form that is read, where that is safe; `strip_reasoning`
removes reasoning; `recognise` names the styles that a prediction has, `styles_of` also says which
of them `tidy` cures. All are linear in the text's
length. `table` says what each style does to the score, and what cures it.
"""

from __future__ import annotations

from medvid.benchmark.styles.recognition import recognise, styles_of
from medvid.benchmark.styles.rewriting import tidy
from medvid.benchmark.styles.wrappers import strip_reasoning

__all__ = ["recognise", "strip_reasoning", "styles_of", "tidy"]
