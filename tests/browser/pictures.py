"""Makes the pictures of docs/screenshots from those that `./scripts/test all browser` keeps.

`python -m tests.browser.pictures`: cut to a few screens, in 128 colours, under a megabyte in all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "var" / "screenshots"
FOLDER: Final = ROOT / "docs" / "screenshots"
CHOSEN: Final = (
    "community-241-1440-light",
    "community-241-1440-dark",
    "community-241-1024-light",
    "community-241-390-light",
    "community-241-390-dark",
    "community-one-metric-241-390-light",
    "community-cards-241-390-light",
    "official-768-light",
    "official-0-1440-light",
    "entry-390-light",
    "compare-241-1440-light",
    "second-opinions-1024-dark",
)
_TALLEST: Final = 1_600
_COLOURS: Final = 128
_MOST_BYTES: Final = 1_000_000


def main() -> None:
    """Write the chosen pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name in CHOSEN:
        with Image.open(KEPT / f"{name}.png") as picture:
            cut = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, _TALLEST)))
            cut.quantize(_COLOURS).save(FOLDER / f"{name}.png", optimize=True)
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(CHOSEN)} pictures, {size:,} bytes")  # noqa: T201 - a tool's output
    if size > _MOST_BYTES:
        raise SystemExit(f"more than {_MOST_BYTES:,} bytes: cut or drop some")


if __name__ == "__main__":
    main()
