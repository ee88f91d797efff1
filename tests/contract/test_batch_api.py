"""The Batch API's protocol against two servers: llmock, and the stand-in judge with its faults.

llmock shows that the client speaks the protocol as others wrote it down; there no batch expires, no
line is lost and no reply is a verdict. The stand-in does all of that on request.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pytest
from llmock.pytest_plugin import LLMock
from llmock.routers import batch as llmock_batch

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import Task
from medvid.judging import standin
from medvid.judging.batch_api import BatchApi, ProviderBatch
from medvid.judging.batch_lines import BatchAnswers, BatchFile, LineKey, read_files, write_files
from medvid.judging.calls import CallFailed
from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.plans import pair_sha256
from medvid.judging.prompt import Form, build_messages
from medvid.judging.replies import read_reply
from medvid.judging.rubric import load_rubric
from services.judge.stub.batches import BatchFaults
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from shared.storage.database import Database
from tests.batching import batching, leftovers, states
from tests.depth import some_of
from tests.judging import FEW
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission

# llmock leaves the files that it was sent to be closed by the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"
)
KEY: Final = "sk-of-nobody-at-all"
PAIRS: Final = {
    LineKey(pair_sha256(f"p{n}".encode(), b"r"), 0): CaptionPair(f"p{n}", "r") for n in range(40)
}


@dataclass(frozen=True)
class Provider:
    """A server that takes batches."""

    api: BatchApi
    stub: Stub | None

    def file(self) -> BatchFile:
        """The lines of all pairs."""
        rubric = load_rubric("v1")
        bodies = (
            (
                key,
                self.api.endpoint.request(
                    build_messages(rubric, *pair, Task.VIDEO_SUMMARY, form=Form.JSON), Form.JSON
                ),
            )
            for key, pair in PAIRS.items()
        )
        (file,) = write_files(bodies)
        return file

    async def submitted(self, key: str) -> ProviderBatch:
        return await self.api.submit(await self.api.upload(key, self.file().content), key)

    async def ended(self, batch: ProviderBatch) -> ProviderBatch:
        """The batch when it has ended: in few looks, as no server here takes time."""
        for _ in range(4):
            batch = await self.api.look(batch.id)
            if batch.end is not None:
                return batch
        raise AssertionError(batch)

    async def answers(self, batch: ProviderBatch) -> BatchAnswers:
        files = [await self.api.read(name) for name in batch.outputs]
        asked = {key: " ".join(pair) for key, pair in PAIRS.items()}
        return read_files(files, asked, Form.JSON, now=datetime.now(UTC))


async def opened(stack: AsyncExitStack, url: str, stub: Stub | None) -> Provider:
    client = open_client(api_key=KEY, base_url=url, seconds=HANG_SECONDS, trust_env=False)
    stack.push_async_callback(client.close)
    endpoint = OpenAiEndpoint(client, Sampling(MODEL, 200, temperature=0.0), HANG_SECONDS)
    return Provider(BatchApi(endpoint), stub)


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """What llmock left is collected here, and warns no other module."""
    yield
    gc.collect()


@pytest.fixture(params=some_of(("llmock", "stand-in"), "stand-in"))
async def provider(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Provider]:
    async with AsyncExitStack() as stack:
        if request.param == "llmock":
            llmock: LLMock = request.getfixturevalue("llmock")
            monkeypatch.setattr(llmock_batch, "_BATCH_DELAY", 0.0)
            monkeypatch.setattr(llmock_batch, "_files", {})
            monkeypatch.setattr(llmock_batch, "_batches", {})
            yield await opened(stack, llmock.base_url(), None)
        else:
            stub = Stub()
            yield await opened(stack, await stack.enter_async_context(running_stub(stub)), stub)


@pytest.fixture
async def standin_provider() -> AsyncIterator[Provider]:
    stub = Stub()
    async with AsyncExitStack() as stack:
        yield await opened(stack, await stack.enter_async_context(running_stub(stub)), stub)


async def test_every_line_of_a_batch_is_answered(provider: Provider) -> None:
    batch = await provider.ended(await provider.submitted("first"))
    assert (batch.end, batch.total, batch.done) == ("completed", len(PAIRS), len(PAIRS))
    answers = await provider.answers(batch)
    assert set(answers.answered) == set(PAIRS)
    assert all(answer.usage and answer.content for answer in answers.answered.values())
    assert (answers.failed, answers.missing, answers.repeated, answers.strange) == ({}, set(), 0, 0)


async def test_a_batch_that_was_created_is_found_and_not_created_again(provider: Provider) -> None:
    first = await provider.submitted("first")
    for number in range(3):
        await provider.submitted(f"other {number}")
    again = await provider.submitted("first")  # the id was lost, and so was the file's
    assert again.id == first.id
    found = await provider.api.find("first")
    assert found is not None
    assert found.id == first.id
    assert await provider.api.find("nobody's") is None


async def test_a_batch_is_found_behind_a_page_of_others(provider: Provider) -> None:
    first = await provider.submitted("first")
    file_id = await provider.api.upload("other", b"{}")
    client = provider.api.endpoint.client
    for _ in range(101):
        await client.batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
        )
    found = await provider.api.find("first")
    assert found is not None
    assert found.id == first.id


async def test_a_file_is_deleted_and_one_that_is_gone_is_no_failure(provider: Provider) -> None:
    file_id = await provider.api.upload("file", provider.file().content)
    assert await provider.api.read(file_id) == provider.file().content
    await provider.api.delete(file_id)
    await provider.api.delete(file_id)
    with pytest.raises(CallFailed, match="404"):
        await provider.api.read(file_id)


async def test_cancelling_a_batch_that_has_ended_tells_how(provider: Provider) -> None:
    batch = await provider.ended(await provider.submitted("first"))
    assert (await provider.api.cancel(batch.id)).end == "completed"


async def test_what_is_unknown_is_a_failure_without_the_key(provider: Provider) -> None:
    with pytest.raises(CallFailed) as failure:
        await provider.api.look("batch-of-nobody")
    assert KEY not in repr(failure.value)
    assert failure.value.__context__ is None
    with pytest.raises(CallFailed):
        await provider.api.submit("file-of-nobody", "key")


async def test_a_run_travels_to_the_server_and_back(provider: Provider, database: Database) -> None:
    """llmock answers every line, but with no verdict: what it bills for nothing stops the run."""
    url = str(provider.api.endpoint.client.base_url).rstrip("/")
    async with batching(database, provider.stub, url=url) as one:
        stored = await accept_submission(database, payload=FEW)
        run_id = await one.start(database, stored.submission_id)
        run = await one.until(database, run_id, "completed", "paused")
        await one.steps.look()
    assert await states(database) == [("done", "completed")]
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}
    verdicts = await database.pool.fetchval("SELECT count(*) FROM judge_verdicts")
    if provider.stub is not None:
        assert (run["state"], verdicts) == ("completed", run["items"])
        return
    assert (run["state"], run["reason"], verdicts) == ("paused", "needs_operator", 0)
    assert f"{run['items']} calls were billed" in run["detail"]


async def test_verdicts_of_a_batch_are_those_online(standin_provider: Provider) -> None:
    provider = standin_provider
    answers = await provider.answers(await provider.ended(await provider.submitted("first")))
    for key, pair in PAIRS.items():
        reply = answers.answered[key]
        read = read_reply(reply.content, finish_reason=reply.finish_reason, refusal=reply.refusal)
        assert read.scores == standin.judge(pair)


async def test_lost_repeated_and_failing_lines(standin_provider: Provider) -> None:
    provider = standin_provider
    assert provider.stub is not None
    faults = BatchFaults(lost=0.2, repeated=0.2, failing=0.2, seed=3)
    provider.stub.be(Faults(batches=faults))
    answers = await provider.answers(await provider.ended(await provider.submitted("first")))
    injected = provider.stub.batches.injected
    assert (len(answers.missing), answers.repeated, len(answers.failed)) == (
        injected["lost"], injected["repeated"], injected["failing_line"],
    )  # fmt: skip
    assert min(injected.values()) > 0
    assert len(injected) == 3
    assert provider.stub.answered.total() == len(answers.answered)


@pytest.mark.parametrize("end", ["expired", "cancelled"])
async def test_a_batch_that_ends_early_keeps_what_was_answered(
    standin_provider: Provider, end: str
) -> None:
    provider = standin_provider
    assert provider.stub is not None
    provider.stub.be(Faults(batches=BatchFaults.model_validate({"ends": [end], "looks": 1})))
    batch = await provider.submitted("first")
    assert (batch.end, batch.outputs) == (None, ())
    batch = await provider.ended(batch)
    answers = await provider.answers(batch)
    assert batch.end == end
    assert len(answers.answered) == len(answers.missing) == len(PAIRS) / 2
    assert provider.stub.answered.total() == len(PAIRS) / 2


async def test_a_batch_is_cancelled(standin_provider: Provider) -> None:
    provider = standin_provider
    batch = await provider.api.cancel((await provider.submitted("first")).id)
    assert (batch.state, batch.end) == ("cancelling", None)
    assert (await provider.ended(batch)).end == "cancelled"


async def test_a_file_that_is_refused_says_why(standin_provider: Provider) -> None:
    provider = standin_provider
    twice = provider.file().content * 2
    batch = await provider.api.submit(await provider.api.upload("twice", twice), "twice")
    batch = await provider.ended(batch)
    assert (batch.end, batch.outputs) == ("failed", ())
    assert "line 1: The input file is invalid." in batch.errors
