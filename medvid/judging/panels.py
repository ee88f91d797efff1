"""Panels: several judges whose values together are one; a single judge is a panel of itself.

A panel's value is the weighted mean or the median of its members' values. Its version is the hash
of its members' versions, their weights and which of both; that of a single judge is its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from medvid.judging.versions import JudgeVersion

Combine = Literal["mean", "median"]
MOST_MEMBERS: Final = 5
_SHOWN: Final = ("provider", "model")


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One judge of a panel, by its version; `facts` say who it is, and are not part of the hash."""

    judge_version: str
    weight: float = 1.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, version: JudgeVersion, weight: float = 1.0) -> Self:
        """Return a judge as a member."""
        facts = version.public()
        return cls(version.hash, weight, {name: facts[name] for name in _SHOWN})

    @property
    def name(self) -> str:
        """Return its model, or where that is not known the beginning of its version."""
        return str(self.facts.get("model") or self.judge_version[:12])

    def public(self) -> dict[str, Any]:
        """Return who it is, as plain values."""
        return {"judge_version": self.judge_version, "weight": self.weight, **self.facts}


@dataclass(frozen=True, slots=True)
class Panel:
    """Judges in the order of their versions, and how their values become one."""

    members: tuple[PanelMember, ...]
    combine: Combine = "mean"

    @classmethod
    def of(cls, members: Iterable[PanelMember], combine: Combine = "mean") -> Self:
        """Return a panel; raises ValueError for one that has no meaning."""
        found = tuple(sorted(members, key=lambda member: member.judge_version))
        if not 1 <= len(found) <= MOST_MEMBERS:
            raise ValueError(f"a panel has 1 to {MOST_MEMBERS} judges")
        if len({member.judge_version for member in found}) < len(found):
            raise ValueError("two judges of the panel are the same")
        if combine == "median" and len({member.weight for member in found}) > 1:
            raise ValueError("a median takes no weights")
        return cls(found, combine)

    @classmethod
    def read(cls, version: str, facts: Mapping[str, Any]) -> Self:
        """Return the panel of a judge version by its public facts: of a single judge, itself."""
        if "members" not in facts:
            return cls((PanelMember(version, 1.0, {k: facts.get(k) for k in _SHOWN}),))
        members = [
            PanelMember(
                each["judge_version"], each["weight"], {k: each[k] for k in _SHOWN if k in each}
            )
            for each in facts["members"]
        ]
        return cls(tuple(members), facts["combine"])

    @property
    def is_single(self) -> bool:
        """Whether it is one judge, whose version is its own."""
        return len(self.members) == 1

    @property
    def is_plain_mean(self) -> bool:
        """Whether each member counts as the others, and so does each of their rounds."""
        return self.is_single or (
            self.combine == "mean" and len({each.weight for each in self.members}) == 1
        )

    @property
    def version(self) -> str:
        """Return its judge version: the sha256 (hex) of members, weights and how they combine."""
        if self.is_single:
            return self.members[0].judge_version
        hashed = [self.combine, [[each.judge_version, each.weight] for each in self.members]]
        canonical = json.dumps(hashed, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def public(self) -> dict[str, Any]:
        """Return the facts of a panel of several, as its judge version keeps them."""
        return {"combine": self.combine, "members": [each.public() for each in self.members]}

    def without(self, versions: Collection[str]) -> Self:
        """Return the panel of the other members; there must be one."""
        return type(self)(
            tuple(each for each in self.members if each.judge_version not in versions),
            self.combine,
        )

    def value(self, values: Sequence[float | None]) -> float | None:
        """Return the value of its members' values; None where one is missing."""
        there = [value for value in values if value is not None]
        if len(there) < len(values):
            return None
        return float(self.rows([np.array([value]) for value in there])[0])

    def rows(self, rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the same of an array for each member, place by place; nan where one is nan."""
        if self.is_single:
            return rows[0]
        if self.combine == "median":
            return np.median(rows, axis=0)
        weights = [each.weight for each in self.members]
        found: NDArray[np.float64] = np.average(rows, axis=0, weights=weights)
        return found
