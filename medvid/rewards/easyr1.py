"""The reward function for EasyR1, which loads it by this file's path and its name, in batches.

    worker.reward.reward_function=PATH_OF_THIS_FILE:compute_score
    worker.reward.reward_function_kwargs='{"scoring": "strict"}'

The answer column (`data.answer_key`) holds each sample's record of the training set, as JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from medvid.rewards.batches import rewards

REWARD_NAME: Final = "medvid"
REWARD_TYPE: Final = "batch"


def compute_score(
    reward_inputs: Sequence[Mapping[str, Any]], **options: Any
) -> list[dict[str, float]]:
    """Return `overall` (what is optimised) and `value` (the metric's own) for each input.

    Inputs have `response` and `ground_truth`; the options are those of
    `medvid.rewards.batches.rewards`.
    """
    found = rewards(**options).of(
        [(each["ground_truth"], each["response"]) for each in reward_inputs]
    )
    return [{"overall": reward.score, "value": reward.value} for reward in found]
