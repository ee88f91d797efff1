"""Runs a judge replica as a process of its own."""

from __future__ import annotations

from services.judge.app import run
from services.judge.settings import JudgeSettings
from shared.runtime.lifecycle import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("judge", JudgeSettings, run))
