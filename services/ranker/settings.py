"""The ranker's settings."""

from __future__ import annotations

from shared.runtime.retention import RetentionSettings


class RankerSettings(RetentionSettings):
    """The ranker also prunes what is too old; ranking itself has no settings."""
