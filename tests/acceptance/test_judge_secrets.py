"""After a run with a careless provider its key is in nothing that anybody can read."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from aiohttp import web

from services.judge.stub.server import Stub, running_stub
from shared.storage.database import Database
from tests.acceptance.test_judge_end_to_end import API_KEY, tables_with
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.processes import free_port
from tests.rows import DEMO, load_demo_ground_truth
from tests.standalone import standalone

MODEL = "stub-judge-1"
_LINK = re.compile(r"""(?:href|src|action)="(/[^"#]*)""")
_LIMIT = 80


class Careless(Stub):
    """Repeats the key that it was sent: in errors, in replies, and as the model's name."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Counter[str] = Counter()

    async def _complete(self, request: web.Request) -> web.Response:
        header = request.headers["Authorization"]
        turn = self.asked.total() + self.told.total()
        if turn % 17 == 3:
            self.told["error"] += 1
            return web.json_response({"error": {"message": f"down for {header}"}}, status=503)
        if turn % 17 == 9:
            self.told["reply"] += 1
            message = {"role": "assistant", "content": f"I was called with {header}"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": header, "object": "chat.completion", "created": 0, "model": MODEL}
            return web.json_response(answer | {"choices": [choice]})
        return await super()._complete(request)


async def crawled(http: aiohttp.ClientSession, token: str, submission_id: str) -> dict[str, str]:
    """Return the text behind every address that pages and the API's description lead to."""
    document: dict[str, Any] = await (await http.get("/api/v1/openapi.json")).json()
    waiting = [path.replace("{id}", submission_id) for path, item in document["paths"].items()
               if "get" in item]  # fmt: skip
    waiting = ["/", "/community", "/status", *(path for path in waiting if "{" not in path)]
    verdicts = f"/api/v1/submissions/{submission_id}/verdicts"
    for query in ("page_size=1000", "format=csv&page_size=5000", "state=unscored"):
        waiting.append(f"{verdicts}?{query}")
    seen: dict[str, str] = {}
    while waiting and len(seen) < _LIMIT:
        address = waiting.pop(0)
        if address in seen:
            continue
        headers = {"Authorization": f"Bearer {token}"} if submission_id in address else {}
        seen[address] = await read(http, address, headers)
        waiting += [urljoin(address, link) for link in _LINK.findall(seen[address])]
    return seen


async def read(http: aiohttp.ClientSession, address: str, headers: dict[str, str]) -> str:
    """Return status, headers and body; of a stream, what comes within a second."""
    async with http.get(address, headers=headers) as response:
        told = f"{response.status} {response.headers}\n"
        try:
            async with asyncio.timeout(1):
                async for chunk in response.content.iter_any():
                    told += chunk.decode("utf-8", "replace")
        except TimeoutError:
            assert response.content_type == "text/event-stream", address
        return told


@deep
async def test_the_key_is_in_no_log_table_event_page_or_answer(
    postgres_url: str, database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await load_demo_ground_truth(database)
    careless = Careless()
    async with asyncio.timeout(HANG_SECONDS), running_stub(careless) as provider:
        given = {
            "similarities": True,
            "ops_port": free_port(),
            "log_level": "debug",
            "judge_provider": "openai",
            "judge_base_url": provider,
            "judge_api_key": API_KEY,
            "judge_model": MODEL,
            "judge_automatic": True,
            "judge_backoff_seconds": 0.01,
            "judge_waste_share": 0.2,  # one reply in 17 is no verdict
        }
        async with standalone(postgres_url, tmp_path, **given) as http:
            form = aiohttp.FormData({"model_name": "Judged", "organization": "Us"})
            content = (DEMO / "predictions.json.gz").read_bytes()
            form.add_field("file", content, filename="predictions.json.gz")
            async with http.post("/api/v1/submissions", data=form) as response:
                receipt = await response.json()
            while not await database.pool.fetchval("SELECT count(*) FROM judge_results"):
                await asyncio.sleep(0.1)
            texts = await crawled(http, receipt["owner_token"], receipt["id"])
            async with aiohttp.ClientSession(f"http://127.0.0.1:{given['ops_port']}") as ops:
                texts |= {path: await read(ops, path, {}) for path in ("/metrics", "/readyz")}
    assert min(careless.told["error"], careless.told["reply"]) > 3  # there was something to hide
    events = await database.pool.fetch("SELECT data::text FROM submission_events")
    printed = capfd.readouterr()
    texts |= {"log": printed.out + printed.err, "events": "".join(row[0] for row in events)}
    assert [where for where, text in texts.items() if API_KEY in text] == []
    assert await tables_with(database, API_KEY) == []
    # What was looked at was really there.
    address = f"/api/v1/submissions/{receipt['id']}"
    assert "event: progress" in texts[f"{address}/events"]
    assert '"R2"' in texts[f"{address}/verdicts?page_size=1000"]
    assert "judge_run_started" in texts["log"]
    assert len(texts) > 15
