"""The reward function for verl, which loads it by its module or path and its name.

    reward.custom_reward_function.path=pkg://medvid.rewards.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.scoring=strict

A sample's `reward_model.ground_truth` holds its record of the training set, as JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medvid.rewards.batches import rewards


def compute_score(
    data_source: str,  # noqa: ARG001 - verl's interface; the record names its own
    solution_str: str,
    ground_truth: str | Mapping[str, Any],
    extra_info: Mapping[str, Any] | None = None,  # noqa: ARG001 - as above
    reward_router_address: str | None = None,  # noqa: ARG001 - a reward model's; there is none
    reward_model_tokenizer: object = None,  # noqa: ARG001 - as above
    **options: Any,
) -> dict[str, float]:
    """Return `score` (what verl optimises) and `value` (the metric's own, which verl logs).

    The options are those of `medvid.rewards.batches.rewards`. verl calls it from several threads.
    """
    (reward,) = rewards(**options).of([(ground_truth, solution_str)])
    return {"score": reward.score, "value": reward.value}
