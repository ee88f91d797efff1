"""One trace from the request through outbox, bus and handlers to the calls of the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from services.standalone import StandaloneSettings, running
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import HALF
from tests.otlp_receiver import Span, otlp_receiver
from tests.patience import HANG_SECONDS
from tests.processes import free_port
from tests.rows import load_demo_ground_truth

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PATH = {
    "POST",
    "publish submission.accepted",
    "process submission.accepted",
    "publish scoring.completed",
    "process scoring.completed",
    "process judging.requested",
    "process judging.batch",
    "judge call",
    "process judging.completed",
}


def settings(postgres_url: str, folder: Path, otlp: str | None) -> StandaloneSettings:
    return StandaloneSettings(
        database_url=postgres_url,
        data_dir=folder,
        port=free_port(),
        otlp_endpoint=otlp,
        judge_provider="stub",
        judge_automatic=True,
        similarities=False,  # which nobody waits for
        scorer_processes=1,
        validation_workers=1,
    )


async def submit(given: StandaloneSettings) -> None:
    form = aiohttp.FormData({"model_name": "Traced", "organization": "Us"})
    form.add_field("file", HALF, filename="predictions.json.gz")
    headers = {"traceparent": f"00-{TRACE_ID}-{CALLER}-01"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{given.port}") as http,
        http.post("/api/v1/submissions", data=form, headers=headers) as response,
    ):
        assert response.status == 202


async def judged(database: Database) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not await database.pool.fetchval("SELECT EXISTS (SELECT FROM judge_results)"):
            await asyncio.sleep(0.05)


async def test_one_trace_holds_everything_that_a_request_caused(
    postgres_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    await load_demo_ground_truth(database)
    async with otlp_receiver() as receiver:
        given = settings(postgres_url, tmp_path, receiver.url)
        async with running(given) as base:
            base.readiness.started = True
            await submit(given)
            spans = await receiver.wait(
                lambda found: {span.name for span in ours(found)} >= PATH, seconds=100
            )
    caused = ours(spans)
    assert {span.service for span in caused} == {"medvid-standalone"}
    known = {span.span_id for span in caused}
    assert {span.parent_id for span in caused} <= known | {CALLER}
    post = next(span for span in caused if span.name == "POST")
    assert post.parent_id == CALLER
    depth = {span.span_id: span.parent_id for span in caused}
    for span in caused:
        assert _root(span.span_id, depth) == CALLER
    call = next(span for span in caused if span.name == "judge call")
    assert call.attributes["gen_ai.provider.name"] == "stub"
    # Spans tell what happened, never what was in it.
    assert not any("secret" in str(span.attributes) for span in caused)


def ours(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.trace_id == TRACE_ID]


def _root(span_id: str, parents: dict[str, str]) -> str:
    for _ in range(100):
        if span_id not in parents:
            return span_id
        span_id = parents[span_id]
    raise AssertionError("a span is its own ancestor")


@deep
async def test_without_a_collector_messages_carry_the_callers_trace_and_no_new_field(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await load_demo_ground_truth(database)
    given = settings(postgres_url, tmp_path, None)
    async with running(given) as base:
        base.readiness.started = True
        await submit(given)
        await judged(database)
    rows = await database.pool.fetch(
        "SELECT type, convert_from(body, 'UTF8')::jsonb ->> 'correlation_id' AS correlation,"
        " convert_from(body, 'UTF8')::jsonb ? 'traceparent' AS traced FROM outbox"
    )
    caused = {row["type"] for row in rows if row["correlation"].replace("-", "") == TRACE_ID}
    assert caused >= {"submission.accepted", "scoring.completed", "judging.batch"}
    assert not any(row["traced"] for row in rows)


@deep
async def test_a_collector_that_is_gone_costs_no_work(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await load_demo_ground_truth(database)
    given = settings(postgres_url, tmp_path, f"http://127.0.0.1:{free_port()}")
    async with running(given) as base:
        base.readiness.started = True
        await submit(given)
        await judged(database)
