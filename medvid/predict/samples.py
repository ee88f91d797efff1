"""The samples of a test set with what a model is shown: frames, times, region, question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS, decode
from medvid.benchmark.ground_truth import ANSWERING, said
from medvid.benchmark.report import Problems
from medvid.benchmark.test_set import TestItem
from medvid.benchmark.test_set_file import load_test_set

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the frame as it is stored."""
_CORNERS: Final = 4


class UnusableSample(ValueError):
    """A sample without what a model needs; the text says which and what is missing."""


@dataclass(frozen=True, slots=True)
class Region:
    """The box of a region caption, on one frame of the sample (its index)."""

    frame: int
    box: Box


@dataclass(frozen=True, slots=True)
class VideoSample:
    """One question about a clip. `fps` is the rate at which `frames` were sampled (1/s).

    `reference` is the answer where the file has one (records of a training set), else empty.
    """

    item: TestItem
    fps: float
    frames: tuple[Path, ...]
    regions: tuple[Region, ...] = ()
    reference: str = ""

    def second(self, frame: int) -> float:
        """Return the time of a frame in the clip, in seconds."""
        return frame / self.fps


@dataclass(frozen=True, slots=True)
class Remap:
    """A prefix of the paths in the file, and what stands in its place here."""

    old: str
    new: str

    @classmethod
    def parse(cls, text: str) -> Remap:
        """Read `OLD=NEW`; raises ValueError."""
        old, equals, new = text.partition("=")
        if not old or not equals or not new:
            raise ValueError(f"{text!r} is not OLD=NEW, such as /mnt/data=frames.")
        return cls(old.rstrip("/"), new.rstrip("/") or "/")


def load_samples(data: bytes, remaps: Sequence[Remap] = ()) -> list[VideoSample]:
    """Read a test set (or records of a training set) with its frames, in file order.

    Absolute paths begin with what the first fitting remap says.
    Raises InvalidTestSet for what is no test set, UnusableSample for a record without frames.
    """
    items = load_test_set(data).items
    elements = decode(data, GROUND_TRUTH_LIMITS).elements(Problems())
    return [
        _sample(item, element.value, remaps)
        for item, element in zip(items, elements, strict=True)
        if isinstance(element.value, dict)
    ]


def _sample(item: TestItem, record: Mapping[str, object], remaps: Sequence[Remap]) -> VideoSample:
    paths = record.get("video")
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
        raise UnusableSample(
            f"Record {item.index} ({item.id}) lists no frames: 'video' must be a list of paths."
        )
    metadata = record.get("metadata")
    fps = _number(metadata.get("fps")) if isinstance(metadata, dict) else math.nan
    if not fps > 0:
        raise UnusableSample(f"Record {item.index} ({item.id}) has no metadata.fps above 0.")
    return VideoSample(
        item=item,
        fps=fps,
        frames=tuple(Path(_remapped(path, remaps)) for path in paths),
        regions=tuple(_regions(record, paths)),
        reference=said(record, ANSWERING) or "",
    )


def _remapped(path: str, remaps: Sequence[Remap]) -> str:
    for remap in remaps:
        if path == remap.old or path.startswith(f"{remap.old}/"):
            return remap.new + path[len(remap.old) :]
    return path


def _regions(record: Mapping[str, object], paths: Sequence[str]) -> Iterable[Region]:
    """Yield the boxes of RC_info; a frame is named by its path or by its place in the list."""
    info = record.get("RC_info")
    if not isinstance(info, dict):
        return
    for name in ("start_frame", "end_frame"):
        box, frame = info.get(f"{name}_bbox"), info.get(name)
        if not isinstance(box, list) or len(box) != _CORNERS:
            continue
        place = paths.index(frame) if frame in paths else int(_number(frame, -1))
        corners = [_number(value) for value in box]
        if 0 <= place < len(paths) and all(map(math.isfinite, corners)):
            yield Region(place, (corners[0], corners[1], corners[2], corners[3]))


def _number(value: object, otherwise: float = math.nan) -> float:
    """Return a finite number that is written as one or as text."""
    try:
        number = float(value) if isinstance(value, str | int | float) else otherwise
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise
