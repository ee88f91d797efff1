"""States of a submission, and the errors where a change of state is refused. Pure."""

from __future__ import annotations

from typing import Final

from shared.runtime.errors import Conflict

FINAL_STATES: Final = frozenset({"ranked", "failed", "withdrawn", "replaced"})
"""States that a submission leaves only because its owner or an administrator wants it."""
NOTE_LIMIT: Final = 500
"""Characters of the note of a withdrawal."""


def not_replaceable() -> Conflict:
    """Return the refusal of a new version of what cannot have one."""
    return Conflict(
        "this submission cannot have a new version now.",
        fix="Only what stands on the community board can; otherwise submit a model of its own.",
        code="not_replaceable",
    )


def replacement_pending() -> Conflict:
    """Return the refusal of a new version while another waits."""
    return Conflict(
        "a new version of this model waits for its scores or its judging already.",
        fix="Wait until it is ranked, have it judged, or withdraw it first.",
        code="replacement_pending",
    )


def not_withdrawable(state: str) -> Conflict:
    """Return the refusal to withdraw what is not there any more."""
    return Conflict(
        f"the submission is {state}.",
        fix="There is nothing left to withdraw.",
        code="not_withdrawable",
    )
