"""Rewrites the frozen contract in tests/released/contract as the code has it now.

    python -m tests.freeze

What changed shows in `git diff`; say it in CHANGELOG.md with its reason. It is the test itself that
writes, so that what it writes is what it compares: its servers are needed, which `./scripts/test
contract` installs. The TypeScript types follow from the OpenAPI document (`scripts/types`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frozen import FOLDER, ROOT, VARIABLE


def main() -> int:
    """Run the test so that it writes; returns its exit status."""
    os.environ[VARIABLE] = "1"
    test = Path(__file__).parent / "contract" / "test_frozen.py"
    status = int(pytest.main([str(test), "-q", "-p", "no:cacheprovider"]))
    if not status:
        status = subprocess.run([str(ROOT / "scripts" / "types")], check=False).returncode  # noqa: S603
    sys.stdout.write(
        f"Written to {FOLDER}.\n" if not status else "That failed: the files may be incomplete.\n"
    )
    return status


if __name__ == "__main__":
    raise SystemExit(main())
