"""Nothing that an owner can read holds five words in a row of a reference, unless the file does.

The provider is the most careless one: every answer repeats what it was sent, as the reason that is
asked for, as words between the scores, as the text of an error. Administrators read the reasons.
"""

from __future__ import annotations

import asyncio
import gzip
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.tasks import CAPTION_TASKS, Task
from medvid.benchmark.truth import captions
from medvid.judging.prompt import read_captions
from services.judge.stub.server import Stub, running_stub
from shared.storage.database import Database
from tests.acceptance.test_commands import Shell
from tests.acceptance.test_judge_secrets import MODEL, crawled, read
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.processes import free_port
from tests.rows import DEMO, load_demo_ground_truth
from tests.standalone import standalone

ADMIN_KEY = "an-administrator-s-key-of-40-characters."
_WORDS = 5
_WORD = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"\\+(?:u[0-9a-fA-F]{4}|[nrtbf])?")


class Repeating(Stub):
    """Repeats the captions in what it answers; at last in nothing but errors."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()
        self.reasons = 0
        self.refuses = False

    async def _complete(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        prediction, reference = read_captions(messages)
        if self.refuses:
            self.sent["refusal"] += 1
            error = {"message": f"Incorrect API key in {prediction!r}, {reference!r}"}
            return web.json_response({"error": error}, status=401)
        # Such words are billed in vain, of which a run takes few.
        turn = (self.asked.total() + self.sent.total()) % 40
        if turn == 3:
            self.sent["error"] += 1
            return web.json_response({"error": {"message": f"failed at: {reference}"}}, status=503)
        if turn == 9:
            self.sent["words"] += 1
            content = f"R2: 4, as {reference!r} says more than {prediction!r}"
            message = {"role": "assistant", "content": content}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL}
            return web.json_response(answer | {"choices": [choice]})
        return await super()._complete(request)

    def reason(self, pair: CaptionPair) -> str:
        self.reasons += 1
        return f"The reference says: {pair.reference}"


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield each five words in a row."""
    words = [word.casefold() for word in _WORD.findall(_PLAIN.sub(" ", html.unescape(text)))]
    for at in range(len(words) - _WORDS + 1):
        yield tuple(words[at : at + _WORDS])


def secrets() -> frozenset[tuple[str, ...]]:
    """The runs of words of all references that stand neither in the file nor in the questions."""
    content = (DEMO / "ground_truth.json.gz").read_bytes()
    hidden: set[tuple[str, ...]] = set()
    for sample in load_ground_truth(content).samples:
        if sample.task is Task.DENSE_CAPTIONING:
            for segment in captions(sample):
                hidden.update(runs(segment.caption))
        elif sample.task in CAPTION_TASKS:
            hidden.update(runs(sample.reference or ""))
    predictions = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    texts = [record["prediction"] for record in predictions]
    texts += [turn["value"] for record in orjson.loads(gzip.decompress(content))
              for turn in record["conversations"] if turn["from"] == "human"]  # fmt: skip
    return frozenset(hidden.difference(*(set(runs(text)) for text in texts)))


@deep
async def test_nothing_that_an_owner_reads_holds_words_of_a_reference(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await load_demo_ground_truth(database)
    hidden, careless = secrets(), Repeating()
    assert len(hidden) > 500
    async with asyncio.timeout(HANG_SECONDS), running_stub(careless) as provider:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        given = {
            "port": port,
            "judge_provider": "openai",
            "judge_base_url": provider,
            "judge_api_key": "sk-a-key",
            "judge_model": MODEL,
            "judge_automatic": True,
            "judge_rationale": True,
            "admin_key": ADMIN_KEY,
            "judge_backoff_seconds": 0.01,
        }
        async with standalone(postgres_url, tmp_path, **given) as http:
            judged = await _submitted(http, "Judged")
            while not await database.pool.fetchval("SELECT count(*) FROM judge_results"):
                await asyncio.sleep(0.1)
            texts = await _read(http, tmp_path, url, *judged)
            explained = await _explained(http, tmp_path, url, judged)
            careless.refuses = True
            await database.pool.execute("DELETE FROM judge_verdicts")
            refused = await _submitted(http, "Refused")
            while not await database.pool.fetchval(
                "SELECT count(*) FROM judge_runs WHERE state = 'paused'"
            ):
                await asyncio.sleep(0.1)
            texts |= await _read(http, tmp_path, url, *refused)
    found = {where: hidden & set(runs(text)) for where, text in texts.items()}
    assert {where: words for where, words in found.items() if words} == {}
    # What was looked at was really there.
    assert min(careless.sent["error"], careless.sent["words"], careless.reasons) > 3
    assert "Incorrect API key" in texts[f"/submissions/{refused[0]}"]  # as its owner may know
    assert '"R2"' in texts[f"/api/v1/submissions/{judged[0]}/verdicts?page_size=1000"]
    assert "event: progress" in texts[f"/api/v1/submissions/{judged[0]}/events"]
    assert "R2" in texts[f"medvid verdicts {judged[0]}"]
    # What is looked for is found where it is: administrators read the judge's reasons.
    assert all(len(hidden & set(runs(text))) > 100 for text in explained)
    raw = await database.pool.fetch("SELECT reference FROM judge_pairs")
    assert any(hidden & set(runs(row["reference"].decode())) for row in raw)


async def _explained(
    http: aiohttp.ClientSession, home: Path, url: str, judged: tuple[str, str]
) -> list[str]:
    """Return what an administrator reads of the verdicts: JSON, CSV and the command's lines.

    The owner, and a stranger, are refused there.
    """
    submission, token = judged
    path = f"/api/v1/admin/submissions/{submission}/verdicts?page_size=1000"
    for refused in (f"Bearer {token}", "Bearer mvb_wrong", ""):
        headers = {"Authorization": refused} if refused else {}
        async with http.get(path, headers=headers) as response:
            assert response.status in (401, 403), refused
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    texts = [await read(http, f"{path}&format={form}", headers) for form in ("json", "csv")]
    done = await Shell(home, url)("admin", "verdicts", submission, MEDVID_ADMIN_KEY=ADMIN_KEY)
    assert done.status == 0, done.err
    return [*texts, done.out]


async def _submitted(http: aiohttp.ClientSession, name: str) -> tuple[str, str]:
    form = aiohttp.FormData({"model_name": name, "organization": "Us"})
    content = (DEMO / "predictions.json.gz").read_bytes()
    form.add_field("file", content, filename="predictions.json.gz")
    async with http.post("/api/v1/submissions", data=form) as response:
        receipt = await response.json()
    return receipt["id"], receipt["owner_token"]


async def _read(
    http: aiohttp.ClientSession, home: Path, url: str, submission: str, token: str
) -> dict[str, str]:
    """Return what the owner reads: by address, and by command."""
    texts = await crawled(http, token, submission)
    headers = {"Authorization": f"Bearer {token}"}
    for page in (
        f"/submissions/{submission}",
        f"/submissions/{submission}/verdicts?page_size=1000",
    ):
        texts[page] = await read(http, page, headers)
        assert texts[page].startswith("200 "), texts[page]
    shell = Shell(home, url)
    for command in (("verdicts",), ("verdicts", "--json"), ("status",)):
        name, *options = command
        done = await shell(name, submission, *options, MEDVID_TOKEN=token)
        assert done.status == 0, done.err
        texts[" ".join(["medvid", name, submission, *options])] = done.out + done.err
    return texts
