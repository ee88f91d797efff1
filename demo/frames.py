"""Generated frames in the real layout: one small picture for each path that a test set names.

    python -m demo.frames TEST_SET FOLDER

The paths' common prefix is replaced by FOLDER, so that `medvid predict --remap PREFIX=FOLDER` finds
them.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw

PREFIX: Final = "/mnt/data"
SIZE: Final = (320, 240)
_STEP: Final = 16


def make_frames(records: Iterable[Mapping[str, Any]], folder: Path) -> int:
    """Write the frames of these records; return how many there are."""
    paths = {(path, place) for record in records for place, path in enumerate(record["video"])}
    for path, place in sorted(paths):
        target = folder / path.removeprefix(f"{PREFIX}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        draw_frame(place).save(target)
    return len(paths)


def draw_frame(place: int) -> Image.Image:
    """Return a picture in which a bar has moved `place` steps to the right."""
    frame = Image.new("RGB", SIZE, (120, 40, 40))
    left = place * _STEP % SIZE[0]
    ImageDraw.Draw(frame).rectangle((left, 80, left + _STEP, 160), fill=(200, 200, 210))
    return frame


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSON file, plain or gzip."""
    data = path.read_bytes()
    records: list[dict[str, Any]] = json.loads(
        gzip.decompress(data) if path.suffix == ".gz" else data
    )
    return records


if __name__ == "__main__":
    made = make_frames(read(Path(sys.argv[1])), Path(sys.argv[2]))
    sys.stdout.write(f"{made:,} frames are in {sys.argv[2]}\n")
