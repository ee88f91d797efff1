"""Judging without a server: what stops it, what it costs, and what the file keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.calls import CallFailed, Completion, Failure, Usage
from medvid.judging.offline import OfflineJudge, Stopped
from medvid.judging.plans import DistinctPair, pair_sha256
from medvid.judging.pricing import FREE, TokenPrice
from medvid.judging.prompt import ChatMessage, Form, read_captions
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from medvid.judging.verdict_file import NotAVerdictFile, VerdictFile
from medvid.judging.versions import JudgeVersion

VERSION = JudgeVersion("openai", "m", "v1", "1", "1", 0.0, 200, None, 8000)
GOOD = json.dumps(dict.fromkeys(ASPECTS, 4))
PRICE = TokenPrice(2, 8)

Answer = Callable[[str], Completion | CallFailed]


def good(_: str) -> Completion:
    return Completion(GOOD, None, "stop", "m", Usage(1000, 50))


class Endpoint:
    """Answers by the prediction; counts calls, and how many are open at the same time."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.open = self.most_open = 0

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:  # noqa: ARG002
        prediction, _ = read_captions(messages)
        self.asked.append(prediction)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        found = self.answer(prediction)
        if isinstance(found, CallFailed):
            raise found
        return found

    async def is_up(self) -> bool:
        raise NotImplementedError


def texts(count: int) -> list[DistinctPair]:
    pairs = [(f"p{number}".encode(), f"r{number}".encode()) for number in range(count)]
    return [
        DistinctPair(number, pair_sha256(*pair), *pair, ("vs_llm",), 1, ())
        for number, pair in enumerate(pairs)
    ]


async def judged(
    path: Path,
    endpoint: Endpoint,
    count: int,
    *,
    limit: int | None = None,
    price: TokenPrice = FREE,
) -> tuple[OfflineJudge, Stopped | None]:
    file = VerdictFile.opened(path, VERSION.hash)
    judge = OfflineJudge(
        endpoint, VERSION, load_rubric("v1"), price, file, limit, RetryPolicy(2, 0.0, 1)
    )
    try:
        await judge.judge(texts(count), 8, lambda: None)
    except Stopped as reason:
        return judge, reason
    finally:
        file.close()
    return judge, None


async def test_a_reason_that_is_asked_for_stands_beside_the_scores(tmp_path: Path) -> None:
    rubric = load_rubric("v1", rationale=True)
    reply = json.dumps({"rationale": "No <b>instrument</b>.\n\x00", **json.loads(GOOD)})
    endpoint = Endpoint(lambda _: Completion(reply, None, "stop", "m", Usage(1, 1)))
    version = replace(VERSION, rationale="v1+0")
    file = VerdictFile.opened(tmp_path / "v", version.hash)
    judge = OfflineJudge(endpoint, version, rubric, FREE, file)
    await judge.judge(texts(3), 2, lambda: None)
    file.close()
    lines = [json.loads(line) for line in (tmp_path / "v").read_bytes().splitlines()]
    assert [line["rationale"] for line in lines] == ["No <b>instrument</b>."] * 3
    for each, known in ((version, 3), (VERSION, 0)):
        file = VerdictFile.opened(tmp_path / "v", each.hash)
        assert len(file.scored) == known
        file.close()


async def test_an_outage_stops_it_and_may_pass(tmp_path: Path) -> None:
    endpoint = Endpoint(lambda _: CallFailed("failing", "503", "503: overloaded"))
    judge, stopped = await judged(tmp_path / "v", endpoint, 100)
    assert stopped is not None
    assert stopped.may_pass
    assert "overloaded" in str(stopped)
    assert len(endpoint.asked) < 2 * (10 + 8)
    assert judge.file.microusd == 0


async def test_what_no_call_can_change_stops_it_after_the_first(tmp_path: Path) -> None:
    for answer in (
        CallFailed("unusable", "401", "the key is refused", cause="key"),
        Completion(GOOD, None, "stop", "another", Usage(1, 1)),
    ):
        endpoint = Endpoint(lambda _, answer=answer: answer)  # type: ignore[misc]
        _, stopped = await judged(tmp_path / "v", endpoint, 100)
        assert stopped is not None
        assert not stopped.may_pass
        assert len(endpoint.asked) == 1


async def test_a_limit_spent_on_reasoning_is_named_and_paid_once_a_pair(tmp_path: Path) -> None:
    price = TokenPrice(2, 8, 0.5, 10)
    spent = Completion(None, None, "length", "m", Usage(1000, 200, 600, 200))
    endpoint = Endpoint(lambda _: spent)
    judge, stopped = await judged(tmp_path / "v", endpoint, 60, price=price)
    assert stopped is not None
    assert "reasoning_limit: the model spent the whole token limit on reasoning" in str(stopped)
    assert len(endpoint.asked) == len(set(endpoint.asked)) == judge.unscored["reasoning_limit"]
    assert judge.file.microusd == len(endpoint.asked) * (2 * 400 + 300 + 10 * 200)
    again = VerdictFile.opened(tmp_path / "v", VERSION.hash)
    again.close()
    assert set(again.used.values()) == {spent.usage}


async def test_pairs_in_vain_stop_nothing_that_was_not_tried(tmp_path: Path) -> None:
    """Thirty captions in a row that the model answers badly."""

    def answer(prediction: str) -> Completion:
        bad = int(prediction[1:]) < 30
        return Completion("no", None, "stop", "m", Usage(9, 9)) if bad else good("")

    scored = []
    for _ in range(4):
        judge, stopped = await judged(tmp_path / "v", Endpoint(answer), 60)
        assert stopped is not None
        assert "malformed" in str(stopped)
        scored.append(len(judge.file.scored))
    assert (scored[0], scored[-1]) == (0, 30)


@pytest.mark.parametrize(
    ("kind", "reason"), [("refused", "refused"), ("unfit", "rejected"), ("rejected", "rejected")]
)
async def test_a_refusal_is_of_one_pair_and_the_rest_goes_on(
    tmp_path: Path, kind: Failure, reason: str
) -> None:
    def answer(prediction: str) -> Completion | CallFailed:
        refused = CallFailed(kind, "400", "content policy")
        return refused if prediction == "p3" else good("")

    judge, stopped = await judged(tmp_path / "v", Endpoint(answer), 20)
    assert (stopped, judge.unscored, len(judge.file.scored)) == (None, {reason: 1}, 19)


@pytest.mark.parametrize("limit", [3_000, 10_000, 41_000])
async def test_the_limit_is_never_passed_and_calls_are_made_while_it_allows(
    tmp_path: Path, limit: int
) -> None:
    endpoint = Endpoint(good)
    judge, stopped = await judged(tmp_path / "v", endpoint, 100, limit=limit, price=PRICE)
    cost = PRICE.cost(1000, 50)
    assert stopped is not None
    assert judge.file.microusd == cost * len(endpoint.asked) <= limit
    # Nothing is left of it that a call is sure to fit in: its longest reply counts.
    assert limit - judge.file.microusd < 2 * (cost + PRICE.cost(2000, 200))
    assert endpoint.most_open > 1 or limit < 41_000


async def test_a_file_of_verdicts_is_read_back_and_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v"
    judge, _ = await judged(path, Endpoint(good), 5, price=PRICE)
    whole = path.read_bytes()
    for cut in (1, 20, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        found = VerdictFile.opened(path, VERSION.hash)
        assert len(found.scored) == 4
        found.close()
        assert path.read_bytes().endswith(b"\n")
    path.write_bytes(whole)
    other = VerdictFile.opened(path, "another judge")
    assert (other.scored, other.microusd) == ({}, judge.file.microusd)
    other.close()
    for content in (b"[]", b'{"id": 1}\n', whole + b"{}\n"):
        path.write_bytes(content)
        with pytest.raises(NotAVerdictFile):
            VerdictFile.opened(path, VERSION.hash)
        assert path.read_bytes() == content
