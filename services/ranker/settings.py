"""The ranker's settings."""

from __future__ import annotations

from shared.runtime.retention import RetentionSettings


class RankerSettings(RetentionSettings):
    """The ranker needs nothing of its own to rank; it also lets go of what is too old."""
