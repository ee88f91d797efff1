"""The process. Its workers do not import this file, as they would one of any other name."""

from __future__ import annotations

from shared.runtime.lifecycle import run_process
from tests.crashing import main

if __name__ == "__main__":
    raise SystemExit(run_process(main))
