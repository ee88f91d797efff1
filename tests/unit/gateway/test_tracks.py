"""Tracks of challenges: their file, the moments at which they open and close, what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.gateway.accounts.quota_rules import TrackQuota, check_track
from services.gateway.tracks.configuration import read_tracks
from services.gateway.tracks.rules import TrackRules, Tracks, moment
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.errors import Misconfigured

EXAMPLE = Path(__file__).parents[3] / "deploy" / "challenges.toml"
TICK = timedelta(microseconds=1)
GOOD = {"track": "MedVidU 2026", "team": "Us", "contact": "us@example.org",
        "model_url": "https://example.org/report"}  # fmt: skip
LEAST = '[tracks.a]\nname = "A"\nopens = 2027-01-01\ncloses = 2027-02-01\n'


def read(folder: Path, text: str) -> Tracks:
    file = folder / "challenges.toml"
    file.write_text(text)
    return read_tracks(file)


@pytest.fixture(scope="module")
def example() -> Tracks:
    return read_tracks(EXAMPLE)


def refused(tracks: Tracks, now: datetime, **changes: str) -> list[tuple[str, str]]:
    only = changes.pop("evaluate_only", "") == "true"
    _, problems = tracks.check({**GOOD, **changes}, evaluate_only=only, now=now)
    return [(problem.code, problem.path) for problem in problems]


def test_a_day_begins_and_ends_anywhere_on_earth(example: Tracks) -> None:
    track = example.all[0]
    opens = datetime(2026, 5, 1, 12, tzinfo=UTC)
    ends = datetime(2026, 8, 1, 13, tzinfo=UTC)
    assert (track.opens_at, track.closes_at, track.ends_at) == (
        opens, ends - timedelta(hours=1), ends,
    )  # fmt: skip
    assert refused(example, opens - TICK) == [("track_not_open", "$.track")]
    assert refused(example, opens) == refused(example, ends - TICK) == []
    assert refused(example, ends) == [("track_closed", "$.track")]
    states = [
        track.state(at)
        for at in (opens - TICK, opens, track.closes_at - TICK, track.closes_at, ends - TICK, ends)
    ]
    assert states == ["upcoming", "open", "open", "grace", "grace", "closed"]
    assert track.state(ends, final=True) == "final"


def test_a_refusal_names_the_times_here_and_anywhere(example: Tracks) -> None:
    _, [early] = example.check(GOOD, evaluate_only=False, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert early.expected == ("it opens Fri 1 May 2026, 00:00 AoE (Fri 1 May 2026, 12:00 UTC)")
    _, [late] = example.check(GOOD, evaluate_only=False, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert late.expected == (
        "it closed Fri 31 Jul 2026, 24:00 AoE (Sat 1 Aug 2026, 12:00 UTC) and took late "
        "submissions until Sat 1 Aug 2026, 01:00 AoE (Sat 1 Aug 2026, 13:00 UTC)"
    )


def test_a_leap_day_has_its_own_end(tmp_path: Path) -> None:
    track = read(tmp_path, LEAST.replace("2027-02-01", "2028-02-29")).all[0]
    assert track.closes_at == datetime(2028, 3, 1, 12, tzinfo=UTC)
    assert moment(track.closes_at, ends=True).startswith("Tue 29 Feb 2028, 24:00 AoE (Wed 1 Mar")
    assert refused(Tracks((track,)), track.closes_at - TICK, track="A") == []
    assert refused(Tracks((track,)), track.closes_at, track="a") == [("track_closed", "$.track")]


def test_a_time_of_a_day_is_anywhere_on_earth_too(tmp_path: Path) -> None:
    track = read(tmp_path, LEAST.replace("2027-02-01", "2027-02-01T18:30:00")).all[0]
    assert track.closes_at == datetime(2027, 2, 2, 6, 30, tzinfo=UTC)
    assert moment(track.closes_at, ends=True) == (
        "Mon 1 Feb 2027, 18:30 AoE (Tue 2 Feb 2027, 06:30 UTC)"
    )


NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"team": " "}, "missing_field", "$.team"),
        ({"model_url": ""}, "missing_field", "$.model_url"),
        ({"contact": "somebody"}, "invalid_email", "$.contact"),
        ({"contact": "a@b"}, "invalid_email", "$.contact"),
        ({"evaluate_only": "true"}, "contradiction", "$.evaluate_only"),
        ({"track": "MedVidU2026"}, "unknown_track", "$.track"),
    ],
)
def test_what_a_track_requires(
    example: Tracks, changes: dict[str, str], code: str, path: str
) -> None:
    assert refused(example, NOW, **changes) == [(code, path)]


def test_a_track_is_named_as_people_write_it(example: Tracks) -> None:
    for text in ("medvidu  2026", "MEDVIDU 2026", "medvidu-2026", " MedVidU 2026 "):
        found, problems = example.check({**GOOD, "track": text}, evaluate_only=False, now=NOW)
        assert (found, problems) == (example.all[0], [])
    assert example.check({}, evaluate_only=True, now=NOW) == (None, [])
    assert Tracks().check({"track": "anything"}, evaluate_only=False, now=NOW) == (None, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tracks = 1", "at tracks: "),
        ("", "at tracks: Field required"),
        ("[tracks.a\n", "it is no TOML: Expected ']'"),
        (LEAST.replace("tracks.a", 'tracks."A b"'), "at tracks.A b"),
        (LEAST + "grace = 3\n", "at tracks.a.grace: Extra inputs"),
        (LEAST + "grace_minutes = -1\n", "at tracks.a.grace_minutes: "),
        (LEAST + "required = { e_mail = 'x' }\n", "at tracks.a.required.e_mail"),
        (LEAST + "submissions_total = 0\n", "at tracks.a.submissions_total: "),
        (LEAST + "rules_url = 'javascript:1'\n", "at tracks.a.rules_url: "),
        (LEAST.replace('"A"', '"A\\u200b"'), "at tracks.a.name: should be text without U+200B"),
        (LEAST.replace("2027-02-01", "2026-02-01"), "at tracks.a: 'closes' comes before 'opens'"),
        (LEAST.replace("2027-02-01", "2027-02-30"), "it is no TOML"),
        (LEAST.replace("2027-02-01", "2027-02-01T00:00:00Z"), "write it without an offset"),
        (LEAST.replace("2027-02-01", "2027-02-01T00:00:01"), "to the minute"),
        (LEAST.replace("2027-02-01", '"soon"'), "at tracks.a.closes"),
        (LEAST + LEAST.replace("tracks.a", "tracks.b"), "tracks.b.name: it is also that of"),
        (LEAST + LEAST.replace("tracks.a", "tracks.b").replace('"A"', '"a"'), "tracks.b.name"),
    ],
)
def test_a_wrong_file_names_place_and_cure(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as error:
        read(tmp_path, text)
    assert told in error.value.detail
    assert "challenges.toml" in error.value.detail
    assert error.value.fix


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_tracks(tmp_path / "none.toml")
    assert read_tracks(None) == Tracks()


def test_quotas_of_a_track() -> None:
    quota = TrackQuota("a", "A", 2, 5)
    check_track(quota, 4, 1, None)
    with pytest.raises(
        QuotaExhausted, match="2 of 2 submissions in 24 hours to the track A"
    ) as day:
        check_track(quota, 2, 2, 60.0)
    assert day.value.retry_after == 60.0
    with pytest.raises(QuotaExhausted, match="5 of 5 submissions to the track A are used"):
        check_track(quota, 5, 0, None)
    check_track(TrackQuota("a", "A", None, None), 1_000, 1_000, None)


def test_limits_of_the_example(example: Tracks) -> None:
    track = example.find("medvidu-2026")
    assert isinstance(track, TrackRules)
    assert (track.submissions_per_day, track.submissions_total) == (2, 40)
    assert list(track.required) == ["team", "contact", "model_url"]
    assert example.find("MedVidU 2026") is None
