"""LiteLLM's proxy, a gateway in front of many providers, in a virtual environment of its own.

Its packages are those of requirements/litellm.lock, 760 MB that are installed once.
"""

# ruff: noqa: S603 - every command here is ours

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.processes import LOOPBACK, Process, free_port

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements" / "litellm.lock"
KEY: Final = "sk-the-key-of-this-gateway"
_VENV: Final = ROOT / "var" / "litellm-venv"
_PIP: Final = (
    *("-m", "pip", "install", "--quiet", "--no-compile", "--no-input"),
    *("--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", str(LOCK)),
)


class CannotBeHad(Exception):
    """The packages cannot be installed; the text is the end of what pip says."""


def install() -> Path:
    """Return the proxy's command, installed before if need be; raises CannotBeHad."""
    stamp, digest = _VENV / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text("utf-8") != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
        done = subprocess.run(
            [_VENV / "bin" / "python", *_PIP], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CannotBeHad(done.stderr[-500:])
        stamp.write_text(digest, "utf-8")
    return _VENV / "bin" / "litellm"


@contextmanager
def litellm_proxy(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """Run the proxy with these settings; gives its address, without /v1."""
    command = install()
    config, port = folder / "litellm.yaml", free_port()
    config.write_text(yaml.safe_dump(dict(settings)), "utf-8")
    process = Process(folder / "litellm.log")
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    process.launch(
        [str(command), "--config", str(config), "--host", LOOPBACK, "--port", str(port)],
        env={**os.environ, **quiet, "NO_PROXY": LOOPBACK},
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        process.await_ready(lambda: _is_ready(url), "LiteLLM")
        yield url
    finally:
        process.end(signal.SIGTERM)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/liveliness", timeout=5) as response:  # noqa: S310 - loopback
            return bool(response.status == 200)
    except OSError:
        return False
