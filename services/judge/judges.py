"""Who judges in this service: one judge, or a panel of several, and what a call of each takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from medvid.judging.estimates import CallFigures
from medvid.judging.panels import Combine, Panel, PanelMember
from services.judge.verdict import Grader

_WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class PanelJudge:
    """One of them."""

    grader: Grader
    figures: CallFigures
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Judges:
    """All of them, by their versions.

    `wait_seconds`: how long a run waits for one that is down, before it ends without it.
    """

    panel: Panel
    by_version: Mapping[str, PanelJudge]
    wait_seconds: float = _WAIT_SECONDS

    @classmethod
    def of(
        cls,
        judges: Sequence[PanelJudge],
        combine: Combine = "mean",
        wait_seconds: float = _WAIT_SECONDS,
    ) -> Self:
        """Return these as a panel; raises ValueError for one that has no meaning."""
        members = [PanelMember.of(each.grader.version, each.weight) for each in judges]
        by_version = {each.grader.version.hash: each for each in judges}
        return cls(Panel.of(members, combine), by_version, wait_seconds)

    @property
    def version(self) -> str:
        """Return the judge version of the values that they give together."""
        return self.panel.version

    @property
    def by_batch(self) -> bool:
        """Whether pairs travel in the provider's batches; those of a panel do not."""
        figures = [each.figures for each in self.by_version.values()]
        return self.panel.is_single and figures[0].by_batch

    @property
    def graders(self) -> list[Grader]:
        """Return them in the order of the panel."""
        return [self.by_version[each.judge_version].grader for each in self.panel.members]

    def grader(self, version: str) -> Grader | None:
        """Return the one of a version, None where it does not judge here."""
        found = self.by_version.get(version)
        return found.grader if found else None
