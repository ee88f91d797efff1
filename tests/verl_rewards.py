"""Rewards through verl's own loader and reward manager: prints them as JSON.

    var/vision-venv/bin/python tests/verl_rewards.py FUNCTION_FILE CASES SCORING

CASES is a JSON list of [record, prediction]. Runs in the environment of requirements/vision.lock.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
from verl.trainer.ppo.reward import get_custom_reward_fn


class Codepoints:
    """A tokenizer whose tokens are characters."""

    def decode(self, ids: torch.Tensor, *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return "".join(map(chr, ids.tolist()))


async def main(path: str, cases: list[tuple[dict[str, Any], str]], scoring: str) -> list[Any]:
    """Return what the manager makes of each case."""
    config = OmegaConf.create({
        "reward": {"custom_reward_function": {
            "path": path, "name": "compute_score", "reward_kwargs": {"scoring": scoring},
        }},
    })  # fmt: skip
    manager = NaiveRewardManager(config, Codepoints(), get_custom_reward_fn(config))
    return [await manager.run_single(_data(record, text)) for record, text in cases]


def _data(record: dict[str, Any], text: str) -> DataProto:
    responses = torch.tensor([[ord(character) for character in text] + [0, 0]])
    mask = torch.tensor([[1] * (1 + len(text)) + [0, 0]])  # one token of the prompt; padding
    others = {"data_source": record["data_source"], "extra_info": {},
              "reward_model": {"ground_truth": json.dumps(record), "style": "rule"}}  # fmt: skip
    return DataProto.from_dict(
        {"responses": responses, "attention_mask": mask},
        non_tensors={name: np.array([value], dtype=object) for name, value in others.items()},
    )


if __name__ == "__main__":
    found = asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]))
    sys.stdout.write(json.dumps(found))
