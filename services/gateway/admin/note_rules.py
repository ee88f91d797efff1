"""Which note administrators may move to which state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from shared.runtime.errors import Conflict

Step = Literal["publish", "refuse", "resolve", "withdraw"]
BECOMES: Final[Mapping[Step, str]] = {
    "publish": "published",
    "refuse": "refused",
    "resolve": "resolved",
    "withdraw": "withdrawn",
}
_FROM: Final[Mapping[Step, tuple[str, ...]]] = {
    "publish": ("open",),
    "refuse": ("open",),
    "resolve": ("published",),
    "withdraw": ("published", "resolved"),
}
_INSTEAD: Final[Mapping[Step, str]] = {
    "publish": "Only what is open can be published.",
    "refuse": "Only what is open can be refused; withdraw what is public.",
    "resolve": "Only what is published and not resolved yet can be resolved.",
    "withdraw": "Only what is public can be withdrawn; refuse what is open.",
}


def is_due(state: str, step: Step) -> bool:
    """Tell whether a step changes a note in this state; raises Conflict where it may not."""
    if state == BECOMES[step]:
        return False
    if state not in _FROM[step]:
        raise Conflict(f"the note is {state}.", fix=_INSTEAD[step], code="note_settled")
    return True
