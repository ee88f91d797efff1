"""What a call used, as its endpoint tells: believed as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from medvid.judging.calls import Usage

_MOST_TOKENS: Final = 10_000_000
"""No call uses more; a larger number is no count."""
_PROMPT: Final = ("prompt_tokens", "input_tokens")
_COMPLETION: Final = ("completion_tokens", "output_tokens")
_CACHED: Final = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")


def read_usage(said: object) -> Usage | None:
    """Return the usage out of a completion's `usage`, or None where it cannot be believed.

    What is partial, negative, textual or zero is not believed: the estimate is booked instead.
    Output is the larger of what is called so and what the total leaves: tokens of reasoning are
    billed as output, and some endpoints count them in the total only. What is only there counts as
    reasoning.
    """
    if not isinstance(said, Mapping):
        return None
    prompt, completion = (_first(said, names) for names in (_PROMPT, _COMPLETION))
    if not prompt or completion is None:
        return None
    called_so = completion
    total = _tokens(said, "total_tokens")
    details = (said.get(f"{name}_details") for name in _COMPLETION)
    reasoning = max(_tokens(part, "reasoning_tokens") or 0 for part in details)
    if total is not None:
        completion = max(completion, total - prompt)
    if reasoning > completion:  # outside of both
        completion += reasoning
    reasoning = max(reasoning, completion - called_so)
    return Usage(prompt, completion, min(prompt, _cached(said)), reasoning)


def _first(said: Mapping[str, object], names: Sequence[str]) -> int | None:
    """Return the count that is called so: what is there under the first name decides."""
    return next((_tokens(said, name) for name in names if name in said), None)


def _cached(said: Mapping[str, object]) -> int:
    places = (*(said.get(f"{name}_details") for name in _PROMPT), said)
    counts = (_tokens(place, name) for place in places for name in _CACHED)
    return max((count for count in counts if count), default=0)


def _tokens(place: object, name: str) -> int | None:
    """Return a count of tokens, None for anything that is not a count."""
    count = place.get(name) if isinstance(place, Mapping) else None
    if isinstance(count, bool) or not isinstance(count, int | float):
        return None
    return int(count) if 0 <= count <= _MOST_TOKENS and count == int(count) else None
