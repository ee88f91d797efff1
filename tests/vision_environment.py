"""An environment with torch, `transformers serve` and verl, for deep tests: gigabytes, made once.

It lies in var/vision-venv and holds what requirements/vision.lock names. Where it cannot be had,
the tests that need it say so and are skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements" / "vision.lock"
HOME: Final = ROOT / "var" / "vision-venv"
_INSTALL_SECONDS: Final = 550


def vision_environment() -> Path:
    """Return the environment's folder; skips the test where it cannot be made."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with HOME.with_suffix(".lock").open("w") as lock:  # two processes of tests may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    return HOME


def _install() -> None:
    stamp, digest = HOME / ".installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps",
               "--no-compile", "--no-input", "--require-hashes", "-r", str(LOCK)]  # fmt: skip
        try:
            for command in ([sys.executable, "-m", "venv", str(HOME)], pip):
                subprocess.run(  # noqa: S603 - our own lock
                    command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS
                )
        except subprocess.CalledProcessError as failed:
            pytest.skip(f"{LOCK.name} cannot be installed: {failed.stderr.strip()[-200:]}")
        except subprocess.TimeoutExpired:
            pytest.skip(f"{LOCK.name} was not installed within {_INSTALL_SECONDS} s")
        stamp.write_text(digest)
