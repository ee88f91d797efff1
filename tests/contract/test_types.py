"""The TypeScript types that are served: of this very API, and such that a front-end compiles."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Final

from tests.depth import deep

ROOT: Final = Path(__file__).parents[2]
TYPES: Final = ROOT / "services" / "gateway" / "web" / "data" / "api.d.ts"
DOCUMENT: Final = ROOT / "tests" / "released" / "contract" / "openapi.json"
FOLDER: Final = ROOT / "tests" / "typescript"


def test_they_are_made_from_the_document_as_it_is_now() -> None:
    digest = hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()
    assert f"// sha256 {digest}\n" in TYPES.read_text("utf-8"), "run ./scripts/types"


@deep
def test_the_generator_makes_them_and_a_front_end_compiles(tmp_path: Path) -> None:
    made = tmp_path / "api.d.ts"
    run("scripts/types", str(made))
    assert made.read_text("utf-8") == TYPES.read_text("utf-8"), "run ./scripts/types"
    run(str(FOLDER / "node_modules" / ".bin" / "tsc"), "--project", str(FOLDER))


def run(*command: str) -> None:
    """Run a command; what it says is shown where it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
