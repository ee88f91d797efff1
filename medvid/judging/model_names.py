"""Whose answer it is: whether the model that an endpoint names is the one that was asked."""

from __future__ import annotations

import re


def counts_as(pinned: str, said: str, *, prefix: str | None = None) -> bool:
    """Tell whether `said` is the pinned model, or a dated or numbered version of it.

    With `prefix`, whether its name starts so. A sibling (`gpt-4.1-mini` for `gpt-4.1`) is another
    model, and so is the undated name where a dated one was asked for.
    """
    if prefix is not None:
        return said.startswith(prefix)
    # Some endpoints put "models/" before every name, in one direction only.
    pinned, said = (name.removeprefix("models/") for name in (pinned, said))
    return re.fullmatch(rf"{re.escape(pinned)}(-[0-9][0-9a-z.-]*)?", said) is not None
