"""Runs the scorer as a process of its own."""

from __future__ import annotations

from services.scorer.app import run
from services.scorer.settings import ScorerSettings
from shared.runtime.lifecycle import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("scorer", ScorerSettings, run))
