"""A track of a challenge: when it takes submissions, what it asks for, what it refuses. Pure.

Challenges close "anywhere on Earth" (AoE, UTC-12): a day ends once it has ended everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Final, Literal

from medvid.benchmark.names import name_key
from medvid.benchmark.report import Code, Problem, shown

AOE: Final = timezone(timedelta(hours=-12), "AoE")
REQUIRABLE: Final = ("team", "authors", "contact", "model_url")
"""Fields of the form that a track may require; a required contact is an e-mail address."""
TRACK_NOT_OPEN: Final = "track_not_open"
TRACK_CLOSED: Final = "track_closed"
TrackState = Literal["upcoming", "open", "grace", "closed", "final"]
_DAY: Final = timedelta(days=1)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, slots=True)
class TrackRules:
    """A track as it is configured. `id` is its place in addresses, `name` what entries carry.

    It takes submissions from `opens_at` until before `ends_at`, which is `grace` after `closes_at`.
    `required` says what each field must hold. Limits are for each account; None: no limit.
    """

    id: str
    name: str
    opens_at: datetime
    closes_at: datetime
    grace: timedelta = timedelta()
    required: Mapping[str, str] = field(default_factory=dict)
    evaluate_only: bool = True
    submissions_per_day: int | None = None
    submissions_total: int | None = None
    about: str = ""
    rules: tuple[str, ...] = ()
    rules_url: str | None = None

    @property
    def ends_at(self) -> datetime:
        """The first moment at which nothing is taken any more."""
        return self.closes_at + self.grace

    def state(self, now: datetime, *, final: bool = False) -> TrackState:
        """Return what a submission would meet; `final`: its last results are frozen."""
        if final:
            return "final"
        if now < self.opens_at:
            return "upcoming"
        if now < self.closes_at:
            return "open"
        return "grace" if now < self.ends_at else "closed"


@dataclass(frozen=True, slots=True)
class Tracks:
    """The tracks of this server, in the order of the file."""

    all: tuple[TrackRules, ...] = ()

    def find(self, track_id: str) -> TrackRules | None:
        """Return the track at this place of an address."""
        return next((track for track in self.all if track.id == track_id), None)

    def named(self, text: str) -> TrackRules | None:
        """Return the track that a submission names, by its name or its id."""
        key = name_key(text)
        return next((t for t in self.all if key in (name_key(t.name), name_key(t.id))), None)

    def check(
        self, texts: Mapping[str, str], *, evaluate_only: bool, now: datetime
    ) -> tuple[TrackRules | None, list[Problem]]:
        """Return the track that a form names, and every reason why it does not take this.

        Where no track is configured, a submission's track is a text like any other.
        """
        given = texts.get("track", "").strip()
        if not given or not self.all:
            return None, []
        track = self.named(given)
        if track is None:
            return None, [_unknown(given, self.all)]
        return track, [*check_time(track, now), *_check_form(track, texts, evaluate_only)]


def check_time(track: TrackRules, now: datetime) -> list[Problem]:
    """Return the problem of a track that takes nothing now."""
    if now < track.opens_at:
        return [
            Problem(TRACK_NOT_OPEN, "$.track", f"the track {track.name} is not open yet",
                    f"it opens {moment(track.opens_at)}",
                    "Send it then. Until then a file can be checked and ranked without a track.")
        ]  # fmt: skip
    if now >= track.ends_at:
        return [closed(track)]
    return []


def closed(track: TrackRules) -> Problem:
    """Return the problem of a track that takes nothing any more."""
    closing = f"it closed {moment(track.closes_at, ends=True)}"
    if track.grace:
        closing += f" and took late submissions until {moment(track.ends_at, ends=True)}"
    return Problem(
        TRACK_CLOSED,
        "$.track",
        f"the track {track.name} is closed",
        closing,
        "Leave 'track' out: the model is then ranked on the community board alone.",
    )


def _check_form(track: TrackRules, texts: Mapping[str, str], evaluate_only: bool) -> list[Problem]:
    problems = []
    if evaluate_only and not track.evaluate_only:
        problems.append(
            Problem("contradiction", "$.evaluate_only", "an evaluate-only submission",
                    f"a ranked one: the track {track.name} takes no others",
                    "Leave out 'evaluate_only', or 'track'.")
        )  # fmt: skip
    for name, what in track.required.items():
        text = texts.get(name, "").strip()
        if not text:
            problems.append(
                Problem(Code.MISSING_FIELD, f"$.{name}", "nothing",
                        f"{what} (the track {track.name} requires it)", f"Give {name}.")
            )  # fmt: skip
        elif name == "contact" and _EMAIL.fullmatch(text) is None:
            problems.append(
                Problem("invalid_email", "$.contact", shown(text),
                        f"an e-mail address, which the track {track.name} requires",
                        "Give one that is read, as in lab@example.org; it is never public.")
            )  # fmt: skip
    return problems


def _unknown(given: str, tracks: Sequence[TrackRules]) -> Problem:
    names = ", ".join(shown(track.name) for track in tracks)
    return Problem("unknown_track", "$.track", shown(given), f"one of {names}",
                   "Use the name of a track as it is here, or leave 'track' out.")  # fmt: skip


def moment(at: datetime, *, ends: bool = False) -> str:
    """Return a moment AoE and in UTC, as people read it, each with the day that it is there.

    With `ends` a midnight is the end of the day before it: 24:00.
    """
    there, here = at.astimezone(AOE), at.astimezone(UTC)
    clock = f"{there:%H:%M}"
    if ends and there.time() == time():
        there, clock = there - _DAY, "24:00"
    return f"{_day(there)}, {clock} AoE ({_day(here)}, {here:%H:%M} UTC)"


def _day(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b} {at.year}"
