"""Is everything moving? What the public may know of the system, from its figures. Pure.

Honest wording: what is not known is said to be unknown, an estimate is called one, and where work
is stalled the page says so before anybody has to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from medvid.benchmark.tasks import BOARDS
from medvid.models.status import Overall, StageState

Figures = Mapping[str, Mapping[str, float]]

_PATIENCE: Final = 6.0
"""A stage is slow when its oldest work waits this many times longer than usual for the stage."""


@dataclass(frozen=True, slots=True)
class StatusLimits:
    """Limits, in seconds, from which a stage is called slow or stalled."""

    stale: float
    """Figures older than this tell nothing about now."""
    slow: float
    """Work that waits longer makes its stage slow, unless that is usual."""
    standing: float
    """Work that waits longer is stalled."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a submission's way; ages and times in seconds, None where not known."""

    name: Literal["scoring", "ranking", "judging"]
    state: StageState
    says: str
    waiting: int | None = None
    oldest: float | None = None
    typical: float | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """The system as a whole; `age` of the figures in seconds."""

    state: Overall
    says: str
    age: float | None
    stages: tuple[Stage, ...]
    behind: Mapping[str, float]
    """By board, for how long its newest snapshot lacks a change."""


def assess(figures: Figures, age: float | None, limits: StatusLimits) -> SystemStatus:
    """Say what the figures mean; `age` None or too high makes everything unknown."""
    if age is None or age > limits.stale:
        return _unknown(age)
    read = _Reader(figures, limits)
    stages = (read.scoring(), read.ranking(), read.judging())
    return SystemStatus(
        *_overall(stages, read.outbox_lag(), limits),
        age=age,
        stages=stages,
        behind={board: read.get("medvid_board_behind_seconds", board) for board in BOARDS},
    )


def _unknown(age: float | None) -> SystemStatus:
    says = "We cannot tell: no figures are to be had right now. Boards are served all the same."
    stages = tuple(
        Stage(name, "unknown", "Not known right now.") for name in ("scoring", "ranking", "judging")
    )
    return SystemStatus("unknown", says, age, stages, {})


@dataclass(frozen=True, slots=True)
class _Reader:
    figures: Figures
    limits: StatusLimits

    def get(self, name: str, label: str = "") -> float:
        return self.figures.get(name, {}).get(label, 0.0)

    def outbox_lag(self) -> float:
        return self.get("medvid_outbox_lag_seconds")

    def scoring(self) -> Stage:
        waiting = int(self.get("medvid_submissions_unfinished", "accepted"))
        oldest = self.get("medvid_submissions_oldest_seconds", "accepted")
        return self._stage("scoring", waiting, oldest, "submission")

    def ranking(self) -> Stage:
        waiting = int(self.get("medvid_submissions_unfinished", "scored"))
        oldest = max(
            self.get("medvid_submissions_oldest_seconds", "scored"),
            *(self.get("medvid_board_behind_seconds", board) for board in BOARDS),
        )
        return self._stage("ranking", waiting, oldest, "submission")

    def judging(self) -> Stage:
        paused = int(self.get("medvid_judge_runs_unfinished", "paused"))
        unfinished = paused + sum(
            int(self.get("medvid_judge_runs_unfinished", state)) for state in ("queued", "running")
        )
        oldest = max(
            self.get("medvid_judge_runs_oldest_seconds", state) for state in ("queued", "running")
        )
        if not self.get("medvid_judge_configured"):
            says = "There is no judge here: captions stay unjudged."
            return Stage("judging", "off", says, unfinished)
        if paused:
            return Stage("judging", "paused", self._why_paused(), unfinished, oldest or None)
        pairs = self.get("medvid_judge_pairs_open")
        pace = self.get("medvid_stage_per_minute", "judging")
        stage = self._stage("judging", unfinished, oldest, "run")
        left = 60 * pairs / pace if pairs and pace else None
        eta = left if left is not None else (stage.typical if not unfinished else None)
        says = stage.says
        if stage.state == "moving" and self.get("medvid_judge_pairs_at_provider"):
            says += " Pairs are in batches at the judge's provider, which takes up to a day."
            eta = None
        down = self.figures.get("medvid_judge_member_down", {})
        silent = sorted(judge for judge in down if down[judge])
        if silent:
            says += f" Without {', '.join(silent)}, which does not answer: other judges continue."
        says += self._endpoints()
        return Stage("judging", stage.state, says, unfinished, oldest or None, stage.typical, eta)

    def _endpoints(self) -> str:
        """Return which endpoints of a pool do not serve, in a sentence; empty where all do."""
        found = self.figures.get("medvid_judge_endpoint_serving", {})
        out = sorted(name for name, serving in found.items() if not serving)
        if not out:
            return ""
        return f" {len(found) - len(out)} of {len(found)} endpoints serve, not {', '.join(out)}."

    def _why_paused(self) -> str:
        reasons = self.figures.get("medvid_judge_runs_paused", {})
        if any(reason.startswith("budget_") for reason in reasons):
            return "Paused: the money set aside for judging is used up. Nothing is lost."
        if "judging_held" in reasons:
            return "Paused by the operators. It continues where it stopped."
        if "provider_down" in reasons:
            return "Paused: the language model does not answer. It continues when it does."
        if "needs_operator" in reasons:
            return "Paused: the model gives no usable answers. The operators look after it."
        return "Paused. It continues where it stopped."

    def _stage(
        self,
        name: Literal["scoring", "ranking", "judging"],
        waiting: int,
        oldest: float,
        noun: str,
    ) -> Stage:
        typical = self.figures.get("medvid_stage_typical_seconds", {}).get(name)
        usual = max(self.limits.slow, _PATIENCE * (typical or 0.0))
        if oldest > max(self.limits.standing, usual):
            state: StageState = "standing"
            says = f"Stalled for {duration(oldest)}. Nothing is lost; we look after it."
        elif oldest > usual:
            state, says = "slow", f"Slower than usual: the oldest waits {duration(oldest)}."
        elif waiting:
            plural = "" if waiting == 1 else "s"
            state, says = "moving", f"At work on {waiting:,} {noun}{plural}."
        else:
            state, says = "idle", "Nothing waits."
        eta = None if state == "standing" else self._eta(name, waiting, typical)
        return Stage(name, state, says, waiting, oldest if oldest > 0 else None, typical, eta)

    def _eta(self, name: str, waiting: int, typical: float | None) -> float | None:
        """Estimate what new work would take: as usual, or what waits now at the present pace."""
        pace = self.get("medvid_stage_per_minute", name)
        backlog = 60 * waiting / pace if waiting and pace else 0.0
        return max(typical, backlog) if typical is not None else (backlog or None)


def _overall(stages: tuple[Stage, ...], lag: float, limits: StatusLimits) -> tuple[Overall, str]:
    standing = [stage.name for stage in stages if stage.state == "standing"]
    if standing or lag > limits.standing:
        what = " and ".join(standing) or "the hand-over between services"
        return "standing", f"Something is stalled: {what}. Accepted submissions are safe."
    late = [stage.name for stage in stages if stage.state in ("slow", "paused")]
    if late or lag > limits.slow:
        what = " and ".join(late) or "the hand-over between services"
        return "slow", f"Not as it should be: {what}. Everything else is moving."
    return "moving", "Everything is moving."


def duration(seconds: float) -> str:
    """Return a duration as people say it, in its largest fitting unit."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = round(seconds / size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    number = max(1, round(seconds))
    return f"{number} second{'' if number == 1 else 's'}"
