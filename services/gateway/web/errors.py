"""Errors that HTTP has a reply of its own for: all problems at once, and limits that pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from medvid.benchmark.report import MAX_PROBLEMS, Problem
from medvid.models.problems import Location
from medvid.models.tombstones import Tombstone
from shared.runtime.errors import InvalidInput, MedvidError, NotFound, Unavailable


class RefusedInput(InvalidInput):
    """What was sent has problems; carries all of them, and the report of a file.

    `count` counts all problems, of which `problems` has the first.
    """

    def __init__(
        self,
        detail: str,
        problems: Sequence[Problem],
        count: int,
        report: Mapping[str, object] | None = None,
        *,
        fix: str = "Fix what 'errors' lists and send it again.",
        code: str | None = None,
    ) -> None:
        super().__init__(detail, fix=fix, code=code)
        self.problems = problems[:MAX_PROBLEMS]
        self.count = count
        self.report = report

    def location(self, problem: Problem) -> Location:  # noqa: ARG002 - others look at it
        """Return what a problem's path points into."""
        return "body"


class RefusedBody(RefusedInput):
    """A JSON body with problems."""

    code: ClassVar[str] = "invalid_body"

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(
            f"the body has {count} problem{'s' if count != 1 else ''}.", problems, count
        )


class Gone(NotFound):
    """What was here once; carries what is kept of it."""

    def __init__(self, detail: str, *, fix: str, code: str, tombstone: Tombstone) -> None:
        super().__init__(detail, fix=fix, code=code)
        self.tombstone = tombstone


class QuotaExhausted(MedvidError):
    """The caller used up a quota; `retry_after` says in how many seconds there is room again."""

    code = "quota_exhausted"

    def __init__(self, detail: str, *, fix: str, code: str, retry_after: float) -> None:
        super().__init__(detail, fix=fix, code=code)
        self.retry_after = max(1, math.ceil(retry_after))


class Busy(Unavailable):
    """Too many wait already for what takes moments only."""

    retry_after = 2
