"""Versions of the code that computes values; each is stored with every value that it gave.

Raise one whenever any input could get another value than before: a parser, a metric, a list of
labels, the encoder, pairing, aggregation, or the rule for missing predictions. Speed, names, layout
and the last bit of a float do not count. Values of different versions are not comparable; a
re-score renews them.
"""

from __future__ import annotations

from typing import Final

METRIC_VERSION: Final = "2"
"""Of the rule-based metrics, compat and strict."""
JUDGED_VERSION: Final = "2"
"""Of the judge metrics, from verdicts to values; the judge itself has a version of its own."""
SIMILARITY_VERSION: Final = "2"
"""Of the similarities of captions."""
STATISTICS_VERSION: Final = "1"
"""Of the bootstrap: its draws, and what is made of the replicates."""
