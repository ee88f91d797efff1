"""Clips and the ids that name them (SPEC 1, Ids).

The real records know three conventions for where a clip begins and ends, and several forms of id.
Two ids are equal when they name the same numbers: `canonical` gives both the same text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Final

ID_SEPARATOR: Final = "&&"
_PREFIX_SEPARATOR: Final = "$"
"""Of the ids that begin with the frame rate: `0.5$VID74$10$80`."""
CONVENTIONS: Final = (
    ("input_video_start_frame", "input_video_end_frame"),
    ("start_frame", "end_frame"),
    ("input_video_start_time", "input_video_end_time"),
)
"""Metadata fields that bound a clip; the first two in frames, the last in seconds."""
METADATA_HINT: Final = "video_id, fps and " + ", or ".join(map(" with ".join, CONVENTIONS))
_IN_SECONDS: Final = CONVENTIONS[-1]
_NUMBER: Final = re.compile(r"(-?)0*(\d*)(?:\.(\d*?)0*)?", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\W_]+")
_MOST_DIGITS: Final = 40
"""A longer field is no frame, time or rate, and stays text."""
_STEPS_READ: Final = 15
"""Frames are sampled at one distance, so the first few steps tell it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a video as a record's metadata names it.

    `id` is composed by the record's own convention. `aliases` are the canonical ids that name the
    clip: this one, the published converter's, which leaves the window empty where it is in seconds,
    and the record's own. `seconds` is the clip's length, None where nothing tells it.
    `has_window` is false where the metadata names a video and a rate only.
    """

    video_id: str
    id: str
    aliases: tuple[str, ...]
    seconds: float | None
    has_window: bool


def clip_of(record: Mapping[str, object]) -> Clip | None:
    """Return the clip that a record's `metadata` names; None where a part of it is missing.

    Metadata with a video and a rate but no window at all is what the published converter leaves of
    a window in seconds; it names every window of that video.
    """
    metadata = record.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    video, fps = _text(metadata.get("video_id")), _text(metadata.get("fps"))
    windows = [(_text(metadata.get(a)), _text(metadata.get(b))) for a, b in CONVENTIONS]
    if not video or not fps or any(bool(start) != bool(end) for start, end in windows):
        return None
    named = [ID_SEPARATOR.join((video, *window, fps)) for window in windows if all(window)]
    published = ID_SEPARATOR.join((video, "", "", fps))
    if not any(all(window) for window in windows[:-1]):
        named.append(published)
    own = _text(record.get("id"))
    aliases = dict.fromkeys(map(canonical, (*named, *([own] if own else []))))
    has_window = any(all(window) for window in windows)
    return Clip(video, named[0], tuple(aliases), _seconds(record, metadata), has_window)


@lru_cache(maxsize=1 << 14)
def canonical(identity: str) -> str:
    """Return an id with every number in its shortest form: `v&&19.50&&75&&1.0` → `v&&19.5&&75&&1`.

    Split from the right at `&&`, or at `$` with the rate first; any other id stays as it is.
    """
    parts = identity.rsplit(ID_SEPARATOR, 3)
    if len(parts) == 4:
        return ID_SEPARATOR.join((parts[0], *map(_shortest, parts[1:])))
    fps, _, rest = identity.partition(_PREFIX_SEPARATOR)
    window = rest.rsplit(_PREFIX_SEPARATOR, 2)
    if len(window) == 3:
        return _PREFIX_SEPARATOR.join((_shortest(fps), window[0], *map(_shortest, window[1:])))
    return identity


def loosened(identity: str) -> str:
    """Return an id without case, with every run of separators as one space, to find near ones."""
    return _SEPARATORS.sub(" ", identity).strip().casefold()


def _shortest(field: str) -> str:
    """Return a decimal number without needless zeros, anything else as it is."""
    number = _NUMBER.fullmatch(field) if len(field) <= _MOST_DIGITS else None
    if number is None or not any(map(str.isdigit, field)):
        return field
    sign, whole, fraction = number[1], number[2] or "0", number[3] or ""
    if whole == "0" and not fraction:
        return "0"
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _text(value: object) -> str:
    """Return a text or number of the metadata as text, empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def _seconds(record: Mapping[str, object], metadata: Mapping[str, object]) -> float | None:
    """Return the clip's length: the window in seconds, or its frames at the video's own rate.

    A video's own rate is known where the record lists the frames that were sampled from it: their
    distance times the sampling rate. Without that list, one frame a second bounds the length.
    """
    start, end = (_number(metadata.get(field)) for field in _IN_SECONDS)
    if start is not None and end is not None:
        return max(end - start, 0.0)
    fps = _number(metadata.get("fps")) or 0.0
    for convention in CONVENTIONS[:-1]:
        start, end = (_number(metadata.get(field)) for field in convention)
        if start is not None and end is not None:
            return max(end - start, 0.0) / max(_step(record) * fps, 1.0)
    return None


def _step(record: Mapping[str, object]) -> float:
    """Return the usual distance of the sampled frames, 0 where the record lists fewer than two."""
    listed = record.get("sampled_video_frames")
    if not isinstance(listed, list):
        return 0.0
    frames = [_number(frame) for frame in listed[: _STEPS_READ + 1]]
    steps = [b - a for a, b in pairwise(frames) if a is not None and b is not None]
    return median(steps) if steps else 0.0


def _number(value: object) -> float | None:
    """Return a finite number that is written as one or as text, else None."""
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
