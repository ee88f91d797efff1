"""A reader's own weights: they are in the address, and stored nowhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from medvid.benchmark.disclosure import DECIMALS
from medvid.benchmark.statistics.second_opinions import places, weighted_mean_ranks
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import LeaderboardEntry
from shared.runtime.errors import InvalidInput

Weights = Mapping[str, float]
LONGEST_WEIGHTS: Final = 400
_FORM: Final = "Write them as in weights=cvs_acc:2,dvc_llm:0; unnamed metrics weigh 1."


def read_weights(text: str) -> dict[str, float]:
    """Return the weights that a query names, of every metric; raises InvalidInput."""
    found: dict[str, float] = {}
    for part in text[: LONGEST_WEIGHTS + 1].split(","):
        key, _, number = part.strip().partition(":")
        if key not in METRIC_KEYS:
            raise _wrong(f"{key[:40]!r} is no metric.", f"Metrics are {', '.join(METRIC_KEYS)}.")
        if key in found:
            raise _wrong(f"{key} has two weights.", "Name it once.")
        weight = _number(number)
        if weight is None:
            raise _wrong(f"the weight of {key} is no number from 0 on: {number[:40]!r}.", _FORM)
        found[key] = weight
    if len(text) > LONGEST_WEIGHTS:
        raise _wrong("the weights are too long.", _FORM)
    whole = {key: found.get(key, 1.0) for key in METRIC_KEYS}
    if not any(whole.values()):
        raise _wrong("all weights are 0.", "Let at least one metric count.")
    return whole


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _wrong(detail: str, fix: str) -> InvalidInput:
    return InvalidInput(detail, fix=fix, code="invalid_weights")


def weights_text(weights: Weights) -> str:
    """Return weights as `read_weights` reads them, without those that are 1."""
    named = {key: weight for key, weight in weights.items() if weight != 1}
    # One at least: a text without any is no weights.
    return ",".join(f"{key}:{weight!r}" for key, weight in (named or weights).items())


def reordered(entries: Sequence[LeaderboardEntry], weights: Weights) -> list[LeaderboardEntry]:
    """Return a board's entries in the order that weights give, each with its place in it."""
    ranked = [entry for entry in entries if entry.rank is not None]
    means = weighted_mean_ranks(ranked, weights)
    viewed = [
        entry.model_copy(update={"view_rank": place, "view_mean_rank": round(mean, DECIMALS)})
        for entry, place, mean in zip(ranked, places(means), means, strict=True)
    ]
    viewed.sort(key=lambda entry: entry.view_rank or 0)
    return viewed + [entry for entry in entries if entry.rank is None]
