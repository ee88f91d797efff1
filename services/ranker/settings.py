"""The ranker's settings."""

from __future__ import annotations

from shared.runtime.settings import CommonSettings


class RankerSettings(CommonSettings):
    """The ranker needs nothing of its own: it works on one board at a time."""
