"""Frames: bounds hold for any size, stamps and boxes are seen, nothing is changed without them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from medvid.predict.frames import (
    LEAST_PIXELS,
    MOST_PIXELS,
    PATCH,
    FrameSettings,
    UnreadableFrame,
    chosen,
    render,
    size_within,
)
from medvid.predict.samples import Remap, VideoSample, load_samples
from tests.vision import real_records, write_test_set

sides = st.integers(min_value=1, max_value=4_000)
WIDE = FrameSettings(LEAST_PIXELS, 320 * 240)


@given(sides, sides)
def test_sizes_are_whole_patches_within_the_bounds(width: int, height: int) -> None:
    found = size_within(width, height, LEAST_PIXELS, MOST_PIXELS)
    assert all(side >= PATCH and side % PATCH == 0 for side in found)
    assert LEAST_PIXELS <= found[0] * found[1] <= MOST_PIXELS


@given(st.integers(min_value=200, max_value=2_000), st.floats(min_value=0.5, max_value=2.0))
def test_sizes_keep_the_aspect_ratio(width: int, ratio: float) -> None:
    height = max(1, round(width * ratio))
    found = size_within(width, height, LEAST_PIXELS, MOST_PIXELS)
    # No side is more than one patch from where the ratio puts it.
    scale = (found[0] * found[1] / (width * height)) ** 0.5
    assert abs(found[0] - width * scale) <= PATCH
    assert abs(found[1] - height * scale) <= PATCH


@given(st.integers(1, 400), st.integers(1, 40), st.lists(st.integers(0, 399), max_size=2))
def test_a_cap_spreads_frames_and_keeps_those_that_are_needed(
    count: int, most: int, needed: list[int]
) -> None:
    needed = [frame % count for frame in needed][:most]
    found = chosen(count, most, needed)
    assert found == sorted(set(found))
    assert len(found) <= most
    assert set(found) <= set(range(count))
    if len(set(needed)) == 1:
        assert needed[0] in found
    if not needed and most > 1:
        assert {0, count - 1} <= set(found)


@pytest.fixture
def region_sample(tmp_path: Path) -> VideoSample:
    records = [record for record in real_records() if record["is_RC"]][:1]
    folder = write_test_set(tmp_path, records)
    old, _, new = folder.remap.partition("=")
    (sample,) = load_samples(folder.test_set.read_bytes(), [Remap(old, new)])
    return sample


def pixels(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def test_each_frame_bears_its_time_and_the_regions_frame_its_box(
    region_sample: VideoSample,
) -> None:
    plain = render(region_sample, FrameSettings(LEAST_PIXELS, 320 * 240, stamps=False))
    stamped = render(region_sample, WIDE)
    assert len(plain) == len(stamped) == 3
    width, height = pixels(stamped[0]).size
    scale = width / 320
    for one, other in zip(plain, stamped, strict=True):
        changed = ImageChops.difference(pixels(one), pixels(other))
        box = changed.point(lambda value: 255 if value > 48 else 0).getbbox()
        assert box is not None
        assert box[2] < width / 2
        assert box[3] < height / 4
    x1, _, x2, y2 = region_sample.regions[0].box
    edge = (round(scale * (x1 + x2) / 2), round(height / 240 * y2))
    red, green, blue = pixels(plain[0]).getpixel(edge)  # type: ignore[misc]
    assert green > 150 > max(red, blue)
    red, green, blue = pixels(plain[1]).getpixel(edge)  # type: ignore[misc]
    assert red > green


def test_an_unreadable_frame_is_named(region_sample: VideoSample) -> None:
    path = region_sample.frames[1]
    path.write_bytes(b"no picture")
    with pytest.raises(UnreadableFrame, match=path.name):
        render(region_sample, WIDE)
    path.unlink()
    with pytest.raises(UnreadableFrame, match="No such file"):
        render(region_sample, WIDE)
