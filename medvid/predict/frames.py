"""Frames as the model sees them: time stamp, region box, size within bounds, JPEG."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medvid.predict.samples import Box, VideoSample

if TYPE_CHECKING:
    from PIL import Image

PATCH: Final = 28
"""Sides are whole multiples of this many pixels: the reference model's patches, merged in pairs."""
LEAST_PIXELS: Final = 8 * PATCH * PATCH
MOST_PIXELS: Final = 48 * PATCH * PATCH
"""Of a whole frame, as the reference bounds it."""
_GREEN: Final = (0, 255, 0)
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_QUALITY: Final = 90
_STAMP_SHARE: Final = 14
"""A stamp is this part of the frame's height, so that it stays legible when the frame shrinks."""
_BORDER_SHARE: Final = 120


class UnreadableFrame(Exception):
    """A frame is missing or no picture; the text names it."""


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """How frames are shown. Pixel bounds are of the whole frame (width times height).

    `most` caps the frames of a sample, chosen at even distances; None shows all, as the reference.
    """

    least_pixels: int = LEAST_PIXELS
    most_pixels: int = MOST_PIXELS
    most: int | None = None
    stamps: bool = True

    def __post_init__(self) -> None:
        """Refuse bounds that no size can keep."""
        if self.least_pixels > self.most_pixels:
            raise ValueError("The least pixels of a frame are above the most.")


def render(sample: VideoSample, settings: FrameSettings) -> list[bytes]:
    """Return the sample's frames as JPEG, in order; raises UnreadableFrame.

    Each is stamped with its time in the clip; a region's box is drawn on the frame it belongs to.
    """
    boxes = {region.frame: region.box for region in sample.regions}
    return [
        _render(
            sample.frames[index],
            f"{sample.second(index):.1f}s" if settings.stamps else "",
            boxes.get(index),
            settings,
        )
        for index in chosen(len(sample.frames), settings.most, boxes)
    ]


def chosen(count: int, most: int | None, needed: Sequence[int] | dict[int, Box] = ()) -> list[int]:
    """Return which of `count` frames are shown: all, or at most `most` at even distances.

    The first and the last are among them where there is room for two; frames that are `needed`
    take the place of their nearest neighbours.
    """
    if most is None or count <= most:
        return list(range(count))
    step = (count - 1) / (most - 1) if most > 1 else 0.0
    places = [round(step * index) for index in range(most)]
    for frame in needed:
        if frame not in places:
            nearest = min(range(most), key=lambda index: abs(places[index] - frame))
            places[nearest] = frame
    return sorted(set(places))


def size_within(width: int, height: int, least: int, most: int) -> tuple[int, int]:
    """Return the size nearest to the given one whose sides are multiples of PATCH.

    Its area lies between `least` and `most` pixels, as far as the aspect ratio allows.
    """
    scale = 1.0
    if width * height > most:
        scale = math.sqrt(most / (width * height))
    elif width * height < least:
        scale = math.sqrt(least / (width * height))
    sides = [max(PATCH, round(side * scale / PATCH) * PATCH) for side in (width, height)]
    longer = 0 if width >= height else 1
    while sides[0] * sides[1] > most and sides[longer] > PATCH:
        sides[longer] -= PATCH
    while sides[0] * sides[1] < least:
        sides[longer] += PATCH
    return sides[0], sides[1]


def data_url(frame: bytes) -> str:
    """Return a frame as the address of an image part."""
    return f"data:image/jpeg;base64,{base64.b64encode(frame).decode()}"


def video_url(frames: Sequence[bytes]) -> str:
    """Return frames as the address of one video part, as vLLM takes them: JPEGs, by commas."""
    return "data:video/jpeg;base64," + ",".join(base64.b64encode(f).decode() for f in frames)


def _render(path: Path, stamp: str, box: Box | None, settings: FrameSettings) -> bytes:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as stored:
            frame = stored.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "not a picture that can be read"
        raise UnreadableFrame(f"{path}: {reason}") from None
    _draw(frame, stamp, box)
    size = size_within(*frame.size, settings.least_pixels, settings.most_pixels)
    if size != frame.size:
        frame = frame.resize(size, Image.Resampling.BICUBIC)
    packed = io.BytesIO()
    frame.save(packed, "JPEG", quality=_QUALITY)
    return packed.getvalue()


def _draw(frame: Image.Image, stamp: str, box: Box | None) -> None:
    """Draw the box and the stamp (white on black, top left) on the frame at its stored size."""
    from PIL import ImageDraw, ImageFont

    pen = ImageDraw.Draw(frame)
    if box is not None:
        x1, y1, x2, y2 = box
        corners = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        pen.rectangle(corners, outline=_GREEN, width=max(2, frame.height // _BORDER_SHARE))
    if stamp:
        font = ImageFont.load_default(max(10, frame.height // _STAMP_SHARE))
        pen.rectangle(pen.textbbox((4, 4), stamp, font=font), fill=_BLACK)
        pen.text((4, 4), stamp, fill=_WHITE, font=font)
