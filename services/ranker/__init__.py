"""The ranker: the one writer of ranked boards."""
