"""A real gateway on a port of its own, with Postgres, for the acceptance tests of this folder."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import orjson
from multidict import CIMultiDictProxy

from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth
from medvid.benchmark.tasks import METRIC_KEYS, Board
from services.gateway import app
from services.gateway.settings import GatewaySettings
from services.ranker.consume import build_consumer
from services.ranker.links import link
from shared.contracts.messages import BoardChanged, BoardRanked, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.local import LocalBus
from shared.messaging.topology import RANKER_BOARDS
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database, connect
from shared.storage.ground_truths import activate_ground_truth
from tests.conftest import Servers
from tests.patience import HANG_SECONDS
from tests.preloaded import Forked, forked
from tests.servers import free_port

SAMPLES: Final = 120
# Tests submit more than a lab does.
PLENTY: Final = {
    "validation_workers": 1,
    "upload_concurrency_per_address": 100,
    "address_submissions_per_day": 10_000,
    "address_bytes_per_day": 1 << 40,
    "address_judge_runs_per_month": 10_000,
    "address_validations_per_day": 10_000,
    "admin_guesses": 10_000,
}
_DATA: Final = Path(__file__).parents[2] / "benchmarks" / "data"


@cache
def ground_truth() -> bytes:
    """A small test set: some records of the benchmark's, of every qa_type."""
    records = orjson.loads(gzip.decompress((_DATA / "ground_truth.json.gz").read_bytes()))
    step = len(records) // SAMPLES
    return orjson.dumps(records[::step][:SAMPLES])


@cache
def _truth() -> GroundTruth:
    return load_ground_truth(ground_truth())


def public_test_set() -> bytes:
    """Its public part."""
    private = orjson.loads(ground_truth())
    for record in private:
        del record["struc_info"]
        record["conversations"] = [t for t in record["conversations"] if t["from"] == "human"]
    return orjson.dumps(private)


def records() -> list[dict[str, Any]]:
    """A flawless submission for it."""
    return [
        {"id": sample.id, "qa_type": sample.qa_type, "prediction": "0.0-1.0 seconds: cut"}
        for sample in _truth().samples
    ]


def row(rank: int = 1, **changes: Any) -> dict[str, Any]:
    """A row as the ranker writes it."""
    return {
        "rank": rank,
        "entry_id": str(uuid4()),
        "model_name": f"Model {rank}",
        "organization": "Lab",
        "team": None,
        "authors": None,
        "model_url": None,
        "track": None,
        "badges": [],
        "submitted_on": "2026-04-15",
        "verified_on": None,
        "submission_id": None,
        "mean_rank": float(rank),
        "values": {key: round(1 - rank / 10, 3) for key in METRIC_KEYS},
        "ranks": dict.fromkeys(METRIC_KEYS, rank),
        **changes,
    }


@dataclass(slots=True)
class Gateway:
    """A running gateway and everything around it."""

    url: str
    database: Database
    bus: LocalBus
    client: aiohttp.ClientSession
    readiness: Readiness

    async def submit(
        self,
        file: bytes | None,
        *,
        headers: dict[str, str] | None = None,
        **fields: str,
    ) -> tuple[int, dict[str, Any]]:
        """Submit a form; a name of its own is made up unless one is given."""
        form = aiohttp.FormData()
        if file is not None:
            form.add_field("file", file, filename="predictions.json")
        given = {"model_name": f"model {uuid4()}", "organization": "Lab", **fields}
        for name, value in given.items():
            form.add_field(name, value)
        path = "/api/v1/submissions"
        async with self.client.post(path, data=form, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, path: str, **headers: str) -> tuple[int, CIMultiDictProxy[str], bytes]:
        """Get a path; gives status, headers, body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.get(path, headers=given, allow_redirects=False) as response:
            return response.status, response.headers, await response.read()

    async def status(self, submission_id: str, token: str | None = None) -> dict[str, Any]:
        """Get a submission's status."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        _, _, body = await self.get(f"/api/v1/submissions/{submission_id}", **headers)
        answer: dict[str, Any] = orjson.loads(body)
        return answer

    async def load_ground_truth(self) -> None:
        """Make the small test set the active one."""
        truth = _truth()
        async with self.database.transaction() as transaction:
            await activate_ground_truth(
                transaction, version=truth.version, content=ground_truth(), samples=len(truth)
            )

    async def rank(
        self, board: Board, rows: Iterable[dict[str, Any]], *, scoring: str = "compat", hint: bool
    ) -> int:
        """Write a snapshot as the ranker would; with a hint, also say so on the bus."""
        rows = list(rows)
        async with self.database.transaction() as transaction:
            revision: int = await transaction.connection.fetchval(
                "UPDATE boards SET revision = revision + 1, ranked_revision = revision + 1"
                " WHERE board = $1 RETURNING revision",
                board,
            )
            await transaction.connection.execute(
                "INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries)"
                " VALUES ($1, $2, $3, $4::bytea, encode(sha256($4::bytea), 'hex'), $5)",
                board,
                scoring,
                revision,
                orjson.dumps(rows),
                len(rows),
            )
            await link(transaction, board, None)
            if hint:
                await transaction.emit(BoardRanked(board=board, revision=revision))
        return revision

    async def rank_listed(self, board: Board = "community") -> None:
        """Let the real ranker rank what is listed, and wait until it is shown."""
        envelope = Envelope.wrap(BoardChanged(board=board))
        consumer = build_consumer(self.database)
        delivery = Delivery(RANKER_BOARDS, envelope.to_bytes(), attempt=1)
        assert await consumer.handle(delivery) == Done()
        newest = await self.database.pool.fetchval(
            "SELECT max(revision) FROM snapshots WHERE board = $1 AND scoring = 'compat'", board
        )
        await self.shown(board, newest)

    async def shown(self, board: str, revision: int, *, scoring: str = "compat") -> dict[str, Any]:
        """Wait until the gateway serves at least this revision, and return the board."""
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                _, _, body = await self.get(f"/api/v1/leaderboards/{board}?scoring={scoring}")
                answer: dict[str, Any] = orjson.loads(body)
                if answer["revision"] >= revision:
                    return answer
                await asyncio.sleep(0.01)

    async def set_state(self, submission_id: str, state: str, **failure: str) -> None:
        """Move a submission on as the scorer or the ranker would."""
        await self.database.pool.execute(
            "UPDATE submissions SET state = $2, failure_code = $3, failure_reason = $4"
            " WHERE id = $1",
            UUID(submission_id),
            state,
            failure.get("code"),
            failure.get("reason"),
        )


def owner(receipt: dict[str, Any]) -> dict[str, str]:
    """The header that shows a submission to be the sender's own."""
    return {"Authorization": f"Bearer {receipt['owner_token']}"}


async def send(
    gateway: Gateway, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Ask the API; return the status and what is in the answer."""
    given = {} if body is None else {"json": body}
    async with gateway.client.request(
        method, f"/api/v1{path}", headers=headers, **given
    ) as response:
        return response.status, orjson.loads(await response.read() or b"{}")


@asynccontextmanager
async def running_gateway(
    database: Database, *, load: bool = True, **changes: Any
) -> AsyncIterator[Gateway]:
    """Run a gateway on `database`; `changes` are settings."""
    given = {"host": "127.0.0.1", "port": free_port(), **PLENTY, **changes}
    settings = GatewaySettings(**given)
    bus = LocalBus(database)
    infrastructure = Infrastructure(database, bus, Readiness({"database": database.check}))
    infrastructure.readiness.started = True
    url = f"http://127.0.0.1:{settings.port}"
    try:
        async with (
            aiohttp.ClientSession(url, auto_decompress=True) as client,
            app.run(infrastructure, settings),
        ):
            gateway = Gateway(url, database, bus, client, infrastructure.readiness)
            if load:
                await gateway.load_ground_truth()
            yield gateway
    finally:
        await infrastructure.close()
        await bus.close()


async def new_database(servers: Servers) -> str:
    """Make a database for a whole file of tests; return its URL."""
    name = f"test_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {servers.template}")
    await admin.close()
    return servers.postgres_url(name)


@asynccontextmanager
async def fresh_gateway(servers: Servers, **changes: Any) -> AsyncIterator[Gateway]:
    """Run a gateway on a new database, for all tests of a file."""
    url = await new_database(servers)
    async with (
        connect(url, size=10, application_name="test") as database,
        running_gateway(database, **changes) as gateway,
    ):
        yield gateway


@asynccontextmanager
async def gateway_process(
    database: Database, postgres_url: str, log: Path, settings: dict[str, str]
) -> AsyncIterator[tuple[Gateway, Forked]]:
    """Run a gateway as a process of its own, with its log in a file; it may be killed."""
    port = str(free_port())
    given = {
        "DATABASE_URL": postgres_url,
        "PORT": port,
        "VALIDATION_WORKERS": "1",
        "LOG_FORMAT": "json",
        **settings,
    }
    with log.open("wb") as stream:
        process = await forked(
            "services.gateway",
            env={**os.environ, **{f"MEDVID_{name}": value for name, value in given.items()}},
            stderr=stream,
            stdout=stream,
        )
    bus = LocalBus(database)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            url = f"http://127.0.0.1:{port}"
            gateway = Gateway(url, database, bus, client, Readiness({}))
            await gateway.load_ground_truth()
            async with asyncio.timeout(HANG_SECONDS):
                while b"service_ready" not in await asyncio.to_thread(log.read_bytes):
                    await asyncio.sleep(0.05)
            yield gateway, process
    finally:
        await bus.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()
