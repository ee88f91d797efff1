"""Submissions through the public API, and what an undisturbed leaderboard makes of them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import aiohttp
import orjson

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.disclosure import withheld
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth
from medvid.benchmark.ranking import rank
from medvid.benchmark.scorecard import score
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from tests.rows import DEMO

RECORDS: Final = 770
"""Of the demo's 792, others for each submission: scores and pairs differ. Values of fewer would be
withheld."""
_OWN_SUMMARIES: Final = 5
"""One in so many is a submission's own; the other pairs are judged already."""
_ACCEPTED: Final = 202
_RETRY_SECONDS: Final = 0.2


@cache
def ground_truth() -> GroundTruth:
    """The demo's."""
    return load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())


@cache
def _all_records() -> list[dict[str, Any]]:
    return list(orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes())))


def predictions(number: int) -> bytes:
    """Return the file of a submission: its own choice of records, its own summaries."""
    records = _all_records()
    chosen = [
        dict(record)
        for index, record in enumerate(records)
        if (index * 7 + number * 11) % len(records) < RECORDS
    ]
    summaries = [record for record in chosen if "summary" in record["qa_type"]]
    for record in summaries[::_OWN_SUMMARIES]:
        record["prediction"] += f" Take {number}."
    return orjson.dumps(chosen)


def name(number: int) -> str:
    """Return the name of a submission's model."""
    return f"Model {number:04d}"


@cache
def expected_values(number: int) -> Mapping[str, float | None]:
    """Return the values that an undisturbed leaderboard gives a submission."""
    truth = ground_truth()
    found = validate_submission(
        predictions(number), TestSet.from_ground_truth(truth), minimum_records=0, diagnose=False
    )
    assert found.predictions is not None
    card = score(truth.samples, found.predictions, load_embedder())
    pairs = plan(truth.samples, found.predictions)
    judged = aggregate(pairs, [standin.judge(pair) for pair in pairs.texts])
    values = {
        key: None if withheld(key, metric.answered, metric.expected) else metric.compat
        for key, metric in card.metrics.items()
    }
    values |= {
        key: None if withheld(key, metric.scored, metric.pairs) else metric.compat
        for key, metric in judged.items()
    }
    return {key: values[key] for key in METRIC_KEYS}


def expected_board(numbers: list[int]) -> list[dict[str, object]]:
    """Return the rows of an undisturbed board: rank, name, values."""
    entries = [{"model_name": name(number), **expected_values(number)} for number in numbers]
    return [
        {"rank": row.rank, "model_name": entries[row.index]["model_name"], "values": row.values}
        for row in rank(entries)[0]
    ]


@dataclass
class Load:
    """A client that sends submissions and does not give up."""

    url: str
    receipts: dict[int, dict[str, str]] = field(default_factory=dict)
    tries: int = 0
    _next: int = 0

    async def submit(self, http: aiohttp.ClientSession) -> int:
        """Send one submission until it is accepted; returns its number."""
        number, self._next = self._next, self._next + 1
        content = gzip.compress(predictions(number), 1)
        while number not in self.receipts:
            self.tries += 1
            receipt = await self._try(http, number, content)
            if receipt is None:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.receipts[number] = receipt
        return number

    async def keep_busy(
        self, open_ones: Callable[[], int], enough: asyncio.Event, *, most: int
    ) -> None:
        """Keep so many submissions on their way until there are enough; the last one is seen in."""
        async with aiohttp.ClientSession(self.url) as http:
            while not enough.is_set():
                if open_ones() < most:
                    await self.submit(http)
                await asyncio.sleep(0.1)

    async def _try(
        self, http: aiohttp.ClientSession, number: int, content: bytes
    ) -> dict[str, str] | None:
        form = aiohttp.FormData({"model_name": name(number), "organization": "Us"})
        form.add_field("file", content, filename="predictions.json.gz")
        headers = {"Idempotency-Key": f"chaos-{number}"}
        timeout = aiohttp.ClientTimeout(total=10)
        try:
            async with http.post(
                "/api/v1/submissions", data=form, headers=headers, timeout=timeout
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        if answer.status != _ACCEPTED:
            # Unavailable is an answer; that the file or its name is wrong would be a lie.
            assert answer.status in (408, 429) or answer.status >= 500, body.decode()
            return None
        found: dict[str, str] = orjson.loads(body)
        return found
