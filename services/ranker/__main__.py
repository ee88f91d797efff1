"""Runs the ranker as a process of its own."""

from __future__ import annotations

from services.ranker.app import run
from services.ranker.settings import RankerSettings
from shared.runtime.lifecycle import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("ranker", RankerSettings, run))
