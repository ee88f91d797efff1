"""Ids compare as numbers, and metadata of three conventions names the same clip."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.clips import canonical, clip_of

exact = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vid&&19.50&&75.20&&1.0", "vid&&19.5&&75.2&&1"),
        ("1.0$VID25$3000$4000", "1$VID25$3000.0$4000"),
        ("0.5$900001_part0$260$547", "0.50$900001_part0$0260$547"),
        ("VID&&&&&&1.0", "VID&&&&&&1"),
        ("a&&b&&0&&9&&1", "a&&b&&0.0&&9.00&&1."),
    ],
)
def test_equal_numbers_make_equal_ids(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vid&&19.5&&75.2&&1", "vid&&19.51&&75.2&&1"),
        ("vid1.0&&0&&9&&1", "vid1&&0&&9&&1"),  # a video id is text
        ("v&&0&&9&&1", "1$v$0$9"),  # another form is another id
        ("v&&9007199254740993&&1&&1", "v&&9007199254740992&&1&&1"),  # no float rounds
        ("v&&&&9&&1", "v&&0&&9&&1"),
    ],
)
def test_other_ids_stay_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@exact
@given(st.text(alphabet="&$.0123456789v-", max_size=30))
def test_a_canonical_id_is_its_own(identity: str) -> None:
    assert canonical(canonical(identity)) == canonical(identity)


@exact
@given(st.decimals(min_value=0, max_value=10**9, places=3), st.integers(0, 3))
def test_needless_zeros_change_nothing(number: object, zeros: int) -> None:
    plain = f"v&&{number}&&1&&1"
    assert canonical(f"v&&{'0' * zeros}{number}{'0' * zeros}&&1&&1") == canonical(plain)


def test_three_conventions_and_what_the_published_converter_makes_of_them() -> None:
    frames = {
        "video_id": "v",
        "fps": "1.0",
        "input_video_start_frame": 10,
        "input_video_end_frame": "80",
    }
    short = {"video_id": "v", "fps": 1.0, "start_frame": "10", "end_frame": "80"}
    seconds = {
        "video_id": "v",
        "fps": "1.0",
        "input_video_start_time": "19.5",
        "input_video_end_time": 75.2,
    }
    clips = [clip_of({"metadata": metadata}) for metadata in (frames, short, seconds)]
    assert [clip.id for clip in clips if clip] == [
        "v&&10&&80&&1.0", "v&&10&&80&&1.0", "v&&19.5&&75.2&&1.0",
    ]  # fmt: skip
    assert [clip.aliases for clip in clips if clip] == [
        ("v&&10&&80&&1",), ("v&&10&&80&&1",), ("v&&19.5&&75.2&&1", "v&&&&&&1"),
    ]  # fmt: skip


def test_the_own_id_is_an_alias() -> None:
    metadata = {
        "video_id": "900001",
        "fps": 0.5,
        "input_video_start_frame": 260,
        "input_video_end_frame": 546,
    }
    clip = clip_of({"id": "0.5$900001_part0$260$547", "metadata": metadata})
    assert clip
    assert clip.aliases == ("900001&&260&&546&&0.5", "0.5$900001_part0$260$547")


@pytest.mark.parametrize(
    "metadata",
    [
        None, [], "v", {}, {"video_id": "v"}, {"video_id": "", "fps": 1},
        {"video_id": True, "fps": 1}, {"video_id": "v", "fps": None},
        {"video_id": "v", "fps": 1, "start_frame": 1},
        {"video_id": "v", "fps": 1, "input_video_end_time": "3", "start_frame": 1, "end_frame": 2},
    ],
)  # fmt: skip
def test_incomplete_metadata_names_no_clip(metadata: object) -> None:
    assert clip_of({"metadata": metadata}) is None


def test_metadata_without_a_window_names_every_window_of_the_video() -> None:
    clip = clip_of({"metadata": {"video_id": "v", "fps": "1.0"}})
    assert clip
    assert (clip.id, clip.has_window) == ("v&&&&&&1.0", False)


@pytest.mark.parametrize(
    ("record", "seconds"),
    [
        ({"metadata": {"video_id": "v", "fps": "0.5", "input_video_start_time": "19.5",
                       "input_video_end_time": "75.25"}}, 55.75),
        ({"metadata": {"video_id": "v", "fps": "0.5", "start_frame": 0, "end_frame": 600},
          "sampled_video_frames": [0, 60, 120, 180]}, 20.0),  # a step of 60 at 0.5 fps: 30 a second
        ({"metadata": {"video_id": "v", "fps": "0.5", "start_frame": 10, "end_frame": 80}}, 70.0),
        ({"metadata": {"video_id": "v", "fps": "1.0"}}, None),
    ],
)  # fmt: skip
def test_the_length_of_a_clip(record: dict[str, object], seconds: float | None) -> None:
    clip = clip_of(record)
    assert clip
    assert clip.seconds == seconds
