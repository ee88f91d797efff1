"""Whose answer it is: whether the model that an endpoint names is the one that was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping


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


def is_confirmed(pinned: str, said: str, facts: Mapping[str, str]) -> bool:
    """Tell whether everybody on the way names the pinned model, as far as they say.

    `facts` are what endpoint and gateways say: a gateway that took another model, or calls the
    model otherwise, is seen. One that renames in silence is not: it can say any name.
    """
    group = facts.get("x-litellm-model-group")
    called = facts.get("x-litellm-model-name")
    fell_back = facts.get("x-litellm-attempted-fallbacks", "0") not in ("", "0")
    return (
        counts_as(pinned, said)
        and not fell_back
        and (not group or counts_as(pinned, group))
        and (not called or _calls(pinned, called))
    )


def _calls(pinned: str, called: str) -> bool:
    """Tell whether what a gateway calls is the model, after names of providers ("openai/")."""
    parts = called.split("/")
    return any(counts_as(pinned, "/".join(parts[first:])) for first in range(len(parts)))
