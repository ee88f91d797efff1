"""How much may be objected, and when an objection can be answered or taken back. Pure."""

from __future__ import annotations

from typing import Final

from shared.runtime.errors import Conflict

OBJECTIONS_A_DAY: Final = 5
"""With one key, of whatever became of them."""
OPEN_OBJECTIONS: Final = 20
"""To one entry, that nobody has looked at."""


def require_withdrawable(state: str) -> None:
    """Raise Conflict where an objection is settled."""
    if state not in ("open", "published"):
        raise Conflict(
            f"the objection is {state}.",
            fix="What is settled stays; ask the administrators where it must not.",
            code="objection_settled",
        )


def require_answerable(state: str, answer: str | None) -> None:
    """Raise Conflict unless an objection is published and has no answer."""
    if answer is not None:
        raise Conflict(
            "the objection has its answer.",
            fix="There is one answer; write to the maintainers about more.",
            code="already_answered",
        )
    if state != "published":
        raise Conflict(
            f"the objection is {state}.",
            fix="An objection is answered while it is published and not resolved.",
            code="objection_settled",
        )
