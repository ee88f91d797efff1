"""Reads the file of tracks (TOML); an error names the file, the place in it and the fix.

[tracks.grounding-2027]
name = "Grounding 2027"
opens = 2027-03-01            # from the day's beginning, AoE
closes = 2027-05-31           # to the day's end, AoE; or a time: 2027-05-31T18:00:00
grace_minutes = 30
required = { team = "your team's name", contact = "an e-mail address" }
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from medvid.benchmark.names import FIELD_LIMITS, check_text, name_key
from services.gateway.tracks.rules import AOE, REQUIRABLE, TrackRules, Tracks
from shared.runtime.errors import Misconfigured

_ID: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_FIX: Final = "See docs/challenges.md and its example, deploy/challenges.toml."
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
_Moment = date | datetime


class _Track(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(max_length=FIELD_LIMITS["track"])]
    opens: _Moment
    closes: _Moment
    grace_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 0
    required: dict[Literal[REQUIRABLE], _Line] = {}  # type: ignore[valid-type]
    evaluate_only: bool = True
    submissions_per_day: Annotated[int, Field(ge=1)] | None = None
    submissions_total: Annotated[int, Field(ge=1)] | None = None
    about: Annotated[str, StringConstraints(max_length=2_000)] = ""
    rules: Annotated[list[_Line], Field(max_length=50)] = []
    rules_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")] | None = None

    @field_validator("name")
    @classmethod
    def _visible(cls, name: str) -> str:
        try:
            return check_text(name)
        except ValueError as error:
            raise ValueError(f"should be {error}") from None

    @field_validator("opens", "closes")
    @classmethod
    def _to_the_minute(cls, at: _Moment) -> _Moment:
        if isinstance(at, datetime):
            if at.tzinfo is not None:
                raise ValueError("times are AoE (UTC-12): write it without an offset")
            if at.second or at.microsecond:
                raise ValueError("should be to the minute: write its seconds as 00")
        return at

    @model_validator(mode="after")
    def _closes_after_it_opens(self) -> _Track:
        if _end(self.closes) <= _begin(self.opens):
            raise ValueError("'closes' comes before 'opens': set it to a later day or time")
        return self

    def track(self, track_id: str) -> TrackRules:
        return TrackRules(
            id=track_id,
            name=self.name,
            opens_at=_begin(self.opens),
            closes_at=_end(self.closes),
            grace=timedelta(minutes=self.grace_minutes),
            rules=tuple(self.rules),
            **self.model_dump(exclude={"name", "opens", "closes", "grace_minutes", "rules"}),
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    tracks: Annotated[
        dict[Annotated[str, StringConstraints(pattern=_ID, max_length=60)], _Track],
        Field(min_length=1),
    ]


def read_tracks(path: Path | None) -> Tracks:
    """Return the tracks of a file, none without one; raises Misconfigured."""
    if path is None:
        return Tracks()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, str(error.strerror), "Set MEDVID_CHALLENGES to a file.") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not in UTF-8", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"it is no TOML: {error}", _FIX) from error
    try:
        found = _File.model_validate(content)
    except ValidationError as error:
        raise _wrong(path, "; ".join(map(_line, error.errors(include_url=False))), _FIX) from None
    tracks = tuple(each.track(track_id) for track_id, each in found.tracks.items())
    _refuse_one_name_twice(path, tracks)
    return Tracks(tracks)


def _begin(at: _Moment) -> datetime:
    """Return the moment that an opening means: a day's is its beginning, AoE."""
    moment = at if isinstance(at, datetime) else datetime.combine(at, time())
    return moment.replace(tzinfo=AOE).astimezone(UTC)


def _end(at: _Moment) -> datetime:
    """Return the first moment after a closing: a day's is the beginning of the next, AoE."""
    return _begin(at) if isinstance(at, datetime) else _begin(at) + timedelta(days=1)


def _line(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"at {place or 'its top'}: {error['msg'].removeprefix('Value error, ')}"


def _refuse_one_name_twice(path: Path, tracks: tuple[TrackRules, ...]) -> None:
    seen: dict[str, str] = {}
    for track in tracks:
        for key in {name_key(track.name), name_key(track.id)}:
            other = seen.setdefault(key, track.id)
            if other != track.id:
                what = f"at tracks.{track.id}.name: it is also that of tracks.{other}"
                raise _wrong(path, what, "Give each track a name of its own.")


def _wrong(path: Path, what: str, fix: str) -> Misconfigured:
    return Misconfigured(f"the file of challenges {path} is wrong: {what}.", fix=fix)
