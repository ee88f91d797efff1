"""A judge for caption rewards: the rubric and reply reader of the board's judge, any endpoint."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from medvid.api.loop import LoopThread
from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import Task
from medvid.judging.calls import CallFailed
from medvid.judging.prompt import Form, build_messages
from medvid.judging.replies import InvalidReply, read_reply
from medvid.judging.rubric import load_rubric
from medvid.judging.verdicts import Verdict
from medvid.predict.requests import GenerationSettings, PredictionEndpoint, open_endpoint

RUBRIC: Final = "v1"
_CONCURRENCY: Final = 32
_SECONDS: Final = 60.0
_REPLY_TOKENS: Final = 200
_KNOWN_PAIRS: Final = 200_000


@dataclass(slots=True)
class EndpointJudge:
    """Asks an OpenAI-compatible endpoint for verdicts; each distinct pair once.

    Its key is read from the environment variable OPENAI_API_KEY. A pair without a valid verdict,
    or whose calls failed, has none this time and is asked for again.
    """

    base_url: str
    model: str
    _loop: LoopThread = field(default_factory=LoopThread)
    _known: dict[tuple[Task, CaptionPair], Verdict] = field(default_factory=dict)

    def __call__(self, task: Task, pairs: Sequence[CaptionPair]) -> list[Verdict | None]:
        """Return one verdict a pair, in order."""
        if len(self._known) > _KNOWN_PAIRS:
            self._known = {}
        found = {pair: self._known.get((task, pair)) for pair in pairs}
        new = [pair for pair, verdict in found.items() if verdict is None]
        if new:
            found |= zip(new, self._loop.run(self._ask_all(task, new)), strict=True)
            self._known |= {(task, pair): verdict for pair, verdict in found.items() if verdict}
        return [found[pair] for pair in pairs]

    async def _ask_all(self, task: Task, pairs: Sequence[CaptionPair]) -> list[Verdict | None]:
        places = asyncio.Semaphore(_CONCURRENCY)
        key = os.environ.get("OPENAI_API_KEY") or "none"
        async with open_endpoint(
            GenerationSettings(self.model), base_url=self.base_url, api_key=key, seconds=_SECONDS
        ) as endpoint:

            async def ask(pair: CaptionPair) -> Verdict | None:
                async with places:
                    return await _verdict(endpoint, task, pair)

            return await asyncio.gather(*map(ask, pairs))


async def _verdict(endpoint: PredictionEndpoint, task: Task, pair: CaptionPair) -> Verdict | None:
    messages = build_messages(
        load_rubric(RUBRIC), pair.prediction, pair.reference, task, form=Form.LINES
    )
    try:
        reply = await endpoint.ask([dict(message) for message in messages], _REPLY_TOKENS)
        read = read_reply(reply.content, finish_reason=reply.finish_reason, refusal=reply.refusal)
    except (CallFailed, InvalidReply):
        return None
    return read.scores
