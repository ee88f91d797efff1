"""How long tests wait. A deadline is there to end a hang, never to ask for speed.

A machine may do other work: with a load of 12 on two processors everything takes ten times as long.
"""

from __future__ import annotations

from typing import Final

HANG_SECONDS: Final = 300
"""Nothing that a test waits for takes as long; the whole test has twice that (`pyproject.toml`)."""
